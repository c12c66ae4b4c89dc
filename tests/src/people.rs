//! The callers of the API: buyers, a MANAGER and an ADMIN, each with an account and a log-in of their own.
//!
//! The ADMIN is the one that the set-up made; one MANAGER serves all tests of a process, since a password hash is slow on purpose; every test has a buyer
//! of its own, and may register more.

use crate::{
    Failure, Outcome,
    api::Api,
    http::{Http, Reply},
    model::{LogIn, User},
    story::Body,
    wait::SOON,
};
use serde_json::{Value, json};
use std::{
    env,
    ops::Deref,
    pin::Pin,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

/// Somebody's name and password, and whom the API knows by them.
#[derive(Debug, Clone)]
pub struct Account {
    /// As it was registered.
    pub user: User,
    /// The password.
    pub password: String,
}

/// Somebody who calls the API: its calls, made in their name.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user's account.
    pub account: Account,
    api: Api,
}

impl Deref for Person {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Person {
    /// Somebody with this account, who has yet to log in.
    pub fn with(account: Account, anyone: &Api) -> Self {
        Self::with_tokens(account, anyone, Arc::default())
    }

    fn with_tokens(account: Account, anyone: &Api, tokens: Tokens) -> Self {
        let username = account.user.username.clone();
        let session = Session { http: anyone.http().clone(), username, password: account.password.clone(), tokens };
        Self { account, api: anyone.by(session) }
    }

    /// Registers somebody whom nobody knows yet.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register(anyone: &Api) -> Outcome<Self> {
        Self::register_as(anyone, &Body::user()).await
    }

    /// Registers somebody with these particulars, of which a password is one.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register_as(anyone: &Api, body: &Body) -> Outcome<Self> {
        let user: User = anyone.post("/users").json(&body.json()).send().await?.answer(201)?;
        let password = body.text("password");
        Ok(Self::with(Account { user, password }, anyone))
    }

    /// The id that the API knows them by.
    pub fn id(&self) -> &str {
        &self.account.user.id
    }

    /// The address their mail goes to.
    pub fn email(&self) -> &str {
        &self.account.user.email
    }

    /// Logs in anew, beside whatever log-in is there. Told to wait, since others have failed from this address, they do: where a platform tells no address
    /// from another, all tests are at one.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn log_in(&self) -> Outcome<LogIn> {
        let deadline = Instant::now() + SOON;
        loop {
            let reply = self.api.log_in(&self.account.user.username, &self.account.password).send().await?;
            if reply.status != 429 || Instant::now() > deadline {
                return reply.answer(200);
            }
            // As its Retry-After says.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The id of their newest session.
    ///
    /// # Errors
    /// When there is none.
    pub async fn newest_session(&self) -> Outcome<String> {
        let sessions: Value = self.get(&format!("/users/{}/sessions", self.id())).send().await?.answer(200)?;
        let newest = sessions.pointer("/items/0/id").and_then(Value::as_str);
        newest.map(str::to_owned).ok_or_else(|| Failure::new(format!("no session in {sessions}")))
    }

    /// The access token that their calls carry now.
    ///
    /// # Errors
    /// When they cannot log in.
    pub async fn token(&self) -> Outcome<String> {
        match self.api.session() {
            Some(session) => session.token().await,
            None => Err(Failure::new(format!("{} has no log-in", self.account.user.username))),
        }
    }

    /// The ADMIN that the set-up made (`BOXOFFICE_ADMIN_USERNAME` and `BOXOFFICE_ADMIN_PASSWORD` name another).
    ///
    /// # Errors
    /// When they cannot log in.
    pub(crate) async fn admin(anyone: &Api) -> Outcome<Self> {
        static ACCOUNT: OnceCell<Account> = OnceCell::const_new();
        static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::default);
        let setting = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let found = ACCOUNT.get_or_try_init(async || {
            let username = setting("BOXOFFICE_ADMIN_USERNAME", "admin");
            let password = setting("BOXOFFICE_ADMIN_PASSWORD", "boxoffice-local-admin");
            let reply = anyone.log_in(&username, &password).send().await?;
            let log_in: LogIn =
                reply.answer(200).map_err(|failure| failure.during("logging in as the ADMIN that `make up` makes"))?;
            Ok::<_, Failure>(Account { user: log_in.user, password })
        });
        Ok(Self::with_tokens(found.await?.clone(), anyone, TOKENS.clone()))
    }

    /// A MANAGER, whom the ADMIN made one: the same for all tests of a process.
    ///
    /// # Errors
    /// When there can be none.
    pub(crate) async fn manager(anyone: &Api, admin: &Person) -> Outcome<Self> {
        static ACCOUNT: OnceCell<Account> = OnceCell::const_new();
        static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::default);
        let made =
            ACCOUNT.get_or_try_init(async || Ok(Self::register(anyone).await?.made("MANAGER", admin).await?.account));
        Ok(Self::with_tokens(made.await?.clone(), anyone, TOKENS.clone()))
    }

    /// The same person with another role, granted by an ADMIN. It ends their log-ins, as every change of a role does.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn made(self, role: &str, by: &Person) -> Outcome<Self> {
        let user: User = by.put_user(self.id(), &json!({ "role": role })).send().await?.answer(200)?;
        let anyone = self.api.anyone();
        Ok(Self::with(Account { user, ..self.account }, &anyone))
    }
}

type Tokens = Arc<Mutex<Option<Token>>>;

/// An access token, and until when it is used.
#[derive(Debug)]
struct Token {
    access: String,
    good_until: Instant,
}

/// A log-in, renewed with the password whenever its access token is about to end.
#[derive(Debug, Clone)]
pub struct Session {
    http: Http,
    username: String,
    password: String,
    tokens: Tokens,
}

impl Session {
    /// How much longer a token must live to be sent.
    const MARGIN: Duration = Duration::from_mins(1);

    /// An access token that stands for a while. (Boxed: a request asks for a token, which is a request.)
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn token(&self) -> Pin<Box<dyn Future<Output = Outcome<String>> + Send + '_>> {
        Box::pin(async {
            let mut token = self.tokens.lock().await;
            if let Some(token) = token.as_ref().filter(|token| Instant::now() < token.good_until) {
                return Ok(token.access.clone());
            }
            let log_in: LogIn = self.log_in().await?.answer(200)?;
            let lasts = Duration::from_secs(log_in.expires_in).saturating_sub(Self::MARGIN);
            let access = log_in.access_token;
            *token = Some(Token { access: access.clone(), good_until: Instant::now() + lasts });
            Ok(access)
        })
    }

    /// Logs in. A function that was killed while it looked at the password (`workers_killed`) is asked again.
    async fn log_in(&self) -> Outcome<Reply> {
        const TRIES: u32 = 20;
        let attempt = async || {
            let body = json!({ "username": self.username, "password": self.password });
            self.http.post(["users", "login"]).json(&body).send().await
        };
        for _ in 1..TRIES {
            if let Ok(reply) = attempt().await
                && reply.status < 500
            {
                return Ok(reply);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        attempt().await
    }
}
