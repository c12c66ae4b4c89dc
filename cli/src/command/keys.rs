//! `boxoffice keys`: what access tokens are signed and verified with, in SSM.
//!
//! | Parameter | Type | Read by |
//! |---|---|---|
//! | `/boxoffice/<environment>/token-private-key` | `SecureString` | `login` and `refresh-session`, when they first sign |
//! | `/boxoffice/<environment>/token-public-keys` | String, a JSON Web Key Set | CloudFormation, for every function, at each deployment |
//! | `/boxoffice/<environment>/token-private-key-next` | `SecureString` | nobody: the next key, until every function knows its public half |
//!
//! A key is changed in two steps with a deployment between them, so that no token is ever signed with a key that some function does not know yet:
//!
//! ```text
//! boxoffice keys rotate     makes the next key and adds its public half
//! sam deploy                every function learns it
//! boxoffice keys activate   signs with it from now on; the one before still verifies
//! sam deploy                log-ins that were warm take it up
//! ```

use crate::outcome::{Done, Failure};
use aws_sdk_ssm::{
    Client,
    error::ProvideErrorMetadata,
    types::{ParameterTier, ParameterType},
};
use boxoffice_aws::client;
use boxoffice_runtime::auth::{PrivateKey, PublicKey, PublicKeys};
use clap::{Args, Subcommand};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the keys, before the first deployment. Those that are there stay.
    Create(Place),
    /// Make the next key, and add its public half. Deploy, then `activate`.
    Rotate(Place),
    /// Sign with the next key from now on. The one before still verifies, until the next rotation. Deploy again, so that every log-in takes it up.
    Activate(Place),
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The environment, as it is deployed: local, dev, prod.
    #[arg(long, value_parser = environment)]
    environment: String,
}

/// As the template's parameter `Environment` allows.
fn environment(text: &str) -> Result<String, String> {
    let valid = (2..=16).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    valid.then(|| text.to_owned()).ok_or_else(|| "must be 2 to 16 lowercase letters and digits".to_owned())
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let ssm = Client::new(&client::sdk_config());
        match self {
            Self::Create(place) => Ring::new(ssm, &place).create().await,
            Self::Rotate(place) => Ring::new(ssm, &place).rotate().await,
            Self::Activate(place) => Ring::new(ssm, &place).activate().await,
        }
    }
}

/// An environment's keys.
#[derive(Debug)]
struct Ring {
    ssm: Client,
    private: String,
    next: String,
    public: String,
}

impl Ring {
    fn new(ssm: Client, place: &Place) -> Self {
        let name = |key: &str| format!("/boxoffice/{}/token-{key}", place.environment);
        Self { ssm, private: name("private-key"), next: name("private-key-next"), public: name("public-keys") }
    }

    async fn create(&self) -> Result<Done, Failure> {
        let (private, created) = match self.read::<PrivateKey>(&self.private).await? {
            Some(private) => (private, false),
            None => {
                let (private, _) = generate()?;
                self.write(&self.private, ParameterType::SecureString, &private).await?;
                (private, true)
            }
        };
        let public = public_half(&private)?;
        let known = self.read::<PublicKeys>(&self.public).await?.unwrap_or(PublicKeys { keys: Vec::new() });
        // The private key may have been written, and the public one not, by a run that was cut off.
        let complete = known.keys.contains(&public);
        if !complete {
            self.write(&self.public, ParameterType::String, &with(public, known, 2)).await?;
        }
        let words = match (created, complete) {
            (true, _) => format!("made {} and {}", self.private, self.public),
            (false, true) => format!("{} and {} are there already", self.private, self.public),
            (false, false) => format!("{} is there already; {} has its public half now", self.private, self.public),
        };
        Ok(self.done(words, &private, created))
    }

    async fn rotate(&self) -> Result<Done, Failure> {
        let current = self.current().await?;
        let known = self.read::<PublicKeys>(&self.public).await?.unwrap_or(PublicKeys { keys: Vec::new() });
        let (next, created) = match self.read::<PrivateKey>(&self.next).await? {
            // Made by a run that was cut off, or not activated yet.
            Some(next) if next.kid != current.kid => (next, false),
            _ => {
                let (next, _) = generate()?;
                self.write(&self.next, ParameterType::SecureString, &next).await?;
                (next, true)
            }
        };
        let of_current = PublicKeys { keys: vec![public_half(&current)?] };
        let rotated = with(public_half(&next)?, of_current, 2);
        if rotated != known {
            self.write(&self.public, ParameterType::String, &rotated).await?;
        }
        let words =
            format!("{} knows the next key, {}; now deploy, then run `boxoffice keys activate`", self.public, next.kid);
        Ok(self.done(words, &next, created))
    }

    async fn activate(&self) -> Result<Done, Failure> {
        let current = self.current().await?;
        let next = self.read::<PrivateKey>(&self.next).await?.filter(|next| next.kid != current.kid);
        let Some(next) = next else {
            let words =
                format!("{} signs already; there is no next key (`boxoffice keys rotate` makes one)", current.kid);
            return Ok(self.done(words, &current, false));
        };
        let known = self.read::<PublicKeys>(&self.public).await?;
        if !known.is_some_and(|known| known.keys.iter().any(|key| key.kid == next.kid)) {
            let refusal =
                format!("{} does not know {} yet: run `boxoffice keys rotate` and deploy", self.public, next.kid);
            return Err(Failure::Refused(refusal));
        }
        self.write(&self.private, ParameterType::SecureString, &next).await?;
        let words =
            format!("{} signs from now on; deploy once more, so that log-ins that are warm take it up", next.kid);
        Ok(self.done(words, &next, true))
    }

    async fn current(&self) -> Result<PrivateKey, Failure> {
        let missing = || Failure::Refused(format!("there is no {}: run `boxoffice keys create` first", self.private));
        self.read(&self.private).await?.ok_or_else(missing)
    }

    fn done(&self, words: String, key: &PrivateKey, changed: bool) -> Done {
        let facts =
            json!({ "kid": key.kid, "changed": changed, "publicKeys": self.public, "privateKey": self.private });
        Done { words, facts }
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let value = match self.ssm.get_parameter().name(name).with_decryption(true).send().await {
            Ok(found) => found.parameter.and_then(|parameter| parameter.value),
            Err(error) if error.code() == Some("ParameterNotFound") => None,
            Err(error) => return Err(Failure::from_aws(&error)),
        };
        // What serde says of a key that is not one would repeat part of it.
        let parse = |value: String| serde_json::from_str(&value);
        value.map(parse).transpose().map_err(|_| Failure::Refused(format!("{name} holds something else than keys")))
    }

    async fn write(&self, name: &str, kind: ParameterType, value: &impl Serialize) -> Result<(), Failure> {
        let value = serde_json::to_string(value).map_err(|error| Failure::Aws(error.to_string()))?;
        let put = self.ssm.put_parameter().name(name).value(value).r#type(kind).overwrite(true);
        put.tier(ParameterTier::Standard).send().await.map_err(|error| Failure::from_aws(&error))?;
        Ok(())
    }
}

fn generate() -> Result<(PrivateKey, PublicKey), Failure> {
    PrivateKey::generate().map_err(|_| Failure::Aws("this machine has no randomness to give".into()))
}

fn public_half(private: &PrivateKey) -> Result<PublicKey, Failure> {
    private.public().map_err(|error| Failure::Refused(format!("the key {} is {error}", private.kid)))
}

/// The newest key before those known, and no more than so many: a key that signs nothing any more need not verify.
fn with(newest: PublicKey, known: PublicKeys, most: usize) -> PublicKeys {
    let others = known.keys.into_iter().filter(|key| key.kid != newest.kid);
    PublicKeys { keys: std::iter::once(newest.clone()).chain(others).take(most).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_the_newest_key_first_and_one_before_it() {
        let [a, b, c] = [1, 2, 3].map(|number| {
            let (_, key) = generate().unwrap();
            PublicKey { kid: number.to_string(), ..key }
        });
        let first = with(a.clone(), PublicKeys { keys: Vec::new() }, 2);
        let second = with(b.clone(), first, 2);
        assert_eq!(second.keys, [b.clone(), a]);
        assert_eq!(with(b.clone(), second.clone(), 2), second, "adding it again changes nothing");
        assert_eq!(with(c.clone(), second, 2).keys, [c, b]);
    }

    #[test]
    fn environments_are_what_the_template_allows() {
        for good in ["local", "dev", "prod", "p1"] {
            assert!(environment(good).is_ok(), "{good}");
        }
        for bad in ["", "p", "Prod", "../x", "1st", "waytoolongforaname"] {
            assert!(environment(bad).is_err(), "{bad}");
        }
    }
}
