//! Access tokens with one thing wrong with each. All say that their bearer is an ADMIN: only what is wrong keeps them out.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_e2e::{BoxOffice, Failure, Outcome};
use boxoffice_kernel::{Role, SessionId, Timestamp};
use boxoffice_runtime::auth::{Caller, Claims, PrivateKey, Signer};
use std::error::Error;

/// The flaw of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It has expired.
    Expired,
    /// Its header says that it needs no signature, and it has none.
    AlgorithmNone,
    /// The same, and it has the signature of a good one.
    AlgorithmNoneSigned,
    /// It was signed with another key, of the same name.
    WrongKey,
    /// It was signed with a key of a name that nobody knows.
    UnknownKey,
    /// It was made in another's name.
    WrongIssuer,
    /// A USER's, into which somebody wrote ADMIN.
    RoleWrittenIn,
    /// Its bearer has logged out.
    LoggedOut,
    /// The signer had the key, and there is no such session.
    NoSuchSession,
}

impl Bad {
    pub(crate) const ALL: [Self; 9] = [
        Self::Expired,
        Self::AlgorithmNone,
        Self::AlgorithmNoneSigned,
        Self::WrongKey,
        Self::UnknownKey,
        Self::WrongIssuer,
        Self::RoleWrittenIn,
        Self::LoggedOut,
        Self::NoSuchSession,
    ];

    /// The problem that its sender gets.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Expired => "TOKEN_EXPIRED",
            Self::LoggedOut | Self::NoSuchSession => "TOKEN_REVOKED",
            _ => "TOKEN_INVALID",
        }
    }
}

/// Where they are made.
#[derive(Debug)]
pub(crate) struct Forge {
    key: PrivateKey,
    issuer: String,
    admin: Caller,
    made: Vec<(Bad, String)>,
}

const LIFETIME_SECONDS: u32 = 3600;

impl Forge {
    /// Makes one of each, with the stack's own key where it takes that.
    pub(crate) async fn open(house: &BoxOffice) -> Outcome<Self> {
        let key = house.parameter("token-private-key").await?;
        let key: PrivateKey = serde_json::from_str(&key).map_err(|e| failed(&e))?;
        let issuer = format!("urn:boxoffice:{}", house.stack.stack_name);
        let good = house.admin.log_in().await?.access_token;
        let admin = claims(&good)?;
        let admin = Caller::from(&admin);
        let mut forge = Self { key, issuer, admin, made: Vec::new() };
        let ended = house.admin.log_in().await?.access_token;
        house.api.post("/users/logout").bearer(&ended).send().await?.with_status(204)?;
        for bad in Bad::ALL {
            let token = if bad == Bad::LoggedOut { ended.clone() } else { forge.make(bad)? };
            forge.made.push((bad, token));
        }
        Ok(forge)
    }

    /// The token with this wrong with it.
    pub(crate) fn token(&self, bad: Bad) -> &str {
        self.made.iter().find(|(made, _)| *made == bad).map(|(_, token)| token.as_str()).unwrap_or_default()
    }

    /// One with nothing wrong.
    pub(crate) fn unspoiled(&self) -> Outcome<String> {
        sign(&self.key, &self.issuer, self.admin, Timestamp::now())
    }

    fn make(&self, bad: Bad) -> Outcome<String> {
        let now = Timestamp::now();
        match bad {
            Bad::Expired => sign(&self.key, &self.issuer, self.admin, now.minus_seconds(2 * LIFETIME_SECONDS)),
            Bad::AlgorithmNone => self.without_algorithm(""),
            Bad::AlgorithmNoneSigned => self.without_algorithm(part(&self.unspoiled()?, 2)?),
            Bad::WrongKey => {
                let stranger = self.stranger()?;
                sign(&PrivateKey { kid: self.key.kid.clone(), ..stranger }, &self.issuer, self.admin, now)
            }
            Bad::UnknownKey => sign(&self.stranger()?, &self.issuer, self.admin, now),
            Bad::WrongIssuer => sign(&self.key, "urn:boxoffice:another", self.admin, now),
            Bad::RoleWrittenIn => {
                let user = sign(&self.key, &self.issuer, Caller { role: Role::User, ..self.admin }, now)?;
                let claims = decoded(&user)?.replace("\"USER\"", "\"ADMIN\"");
                let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
                Ok(format!("{}.{claims}.{}", part(&user, 0)?, part(&user, 2)?))
            }
            Bad::NoSuchSession => {
                let admin = Caller { session: SessionId::generate(), ..self.admin };
                sign(&self.key, &self.issuer, admin, now)
            }
            Bad::LoggedOut => Err(Failure::new("a session is ended by logging out of it")),
        }
    }

    fn stranger(&self) -> Outcome<PrivateKey> {
        let (key, _) = PrivateKey::generate().map_err(|e| failed(&e))?;
        Ok(PrivateKey { kid: format!("{}-unknown", self.key.kid), ..key })
    }

    fn without_algorithm(&self, signature: &str) -> Outcome<String> {
        let header = format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{}"}}"#, self.key.kid);
        let good = self.unspoiled()?;
        Ok(format!("{}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(header), part(&good, 1)?))
    }
}

fn sign(key: &PrivateKey, issuer: &str, caller: Caller, now: Timestamp) -> Outcome<String> {
    let signer = Signer::new(key, issuer).map_err(|e| failed(&e))?;
    signer.sign(&caller, LIFETIME_SECONDS, now).map_err(|e| failed(&e))
}

fn failed(error: &dyn Error) -> Failure {
    Failure::of("making a token", error)
}

fn part(token: &str, number: usize) -> Outcome<&str> {
    token.split('.').nth(number).ok_or_else(|| Failure::new("a token has three parts"))
}

fn decoded(token: &str) -> Outcome<String> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(part(token, 1)?).map_err(|e| failed(&e))?;
    String::from_utf8(claims).map_err(|e| failed(&e))
}

fn claims(token: &str) -> Outcome<Claims> {
    serde_json::from_str(&decoded(token)?).map_err(|e| failed(&e))
}
