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
//! sam deploy …              with the parameter `KeyGeneration` that `activate` says: log-ins that were warm take it up
//! boxoffice keys retire     trusts the key that signs and no other; with --signing another, because that leaked. Within seconds no function takes a token of the
//!                           keys before, which the sessions table says
//! sam deploy …              no function has them any more
//! ```
//!
//! [`ticket_keys`](super::ticket_keys) has those of ticket codes, which `create` makes too.
//!
//! Only a secret changes when a key is activated, and nothing in the template: a deployment without another `KeyGeneration` would be empty, and restart nothing.

use super::{
    stack::{Configuration, Stack},
    ticket_keys,
};
use crate::outcome::{Done, Failure};
use aws_sdk_ssm::{
    Client,
    error::ProvideErrorMetadata,
    types::{ParameterTier, ParameterType},
};
use boxoffice_aws::{AccessRegister, StoreError, client};
use boxoffice_runtime::auth::{PrivateKey, PublicKey, PublicKeys, RETIREMENT_SECONDS};
use clap::{Args, Subcommand};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create the keys before the first deployment. Existing keys are kept.
    Create(Place),
    /// Create the next key and publish its public half. Deploy, then run `activate`.
    Rotate(Place),
    /// Sign with the next key from now on. The one before still verifies, until the next rotation. Deploy with the `KeyGeneration` that it says, so that every
    /// log-in takes it up.
    Activate(Place),
    /// Trust the key that signs and no other, such as one that leaked. Functions stop trusting the others within 5 s; the next deployment takes them away.
    Retire(Retirement),
    /// Change the keys of ticket codes. Functions read them at run time, so no deployment is needed.
    #[command(subcommand)]
    Tickets(ticket_keys::Command),
}

#[derive(Debug, Args)]
pub(crate) struct Retirement {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    stack: Stack,
    /// The key that signs has leaked: sign with another from now on, and trust only that. Everybody's access token is void within 5 s; sessions go on. A next key that was
    /// deployed (`rotate`) signs within a minute; a new one that no function knows yet needs a deployment first, and nobody gets in until then.
    #[arg(long)]
    signing: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The environment as deployed: local, dev or prod.
    #[arg(long, value_parser = environment)]
    pub(super) environment: String,
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
        let config = client::sdk_config();
        let (ssm, parameters) = (Client::new(&config), Parameters::new(&config));
        match self {
            Self::Create(place) => {
                let tickets = ticket_keys::Ring::new(parameters, &place.environment).create().await?;
                Ok(Ring::new(ssm, &place).create().await?.and(tickets))
            }
            Self::Rotate(place) => Ring::new(ssm, &place).rotate().await,
            Self::Activate(place) => Ring::new(ssm, &place).activate().await,
            Self::Retire(Retirement { place, stack, signing }) => {
                let table = Configuration::of(&config, &stack.stack, "login").await?.variable("SESSIONS_TABLE")?;
                let register = AccessRegister::new(client::dynamodb(&config), table);
                Ring::new(ssm, &place).retire(signing, &register).await
            }
            Self::Tickets(command) => command.run(parameters).await,
        }
    }
}

/// An environment's keys.
#[derive(Debug)]
struct Ring {
    parameters: Parameters,
    private: String,
    next: String,
    public: String,
}

impl Ring {
    fn new(ssm: Client, place: &Place) -> Self {
        let name = |key: &str| format!("/boxoffice/{}/token-{key}", place.environment);
        Self {
            parameters: Parameters(ssm),
            private: name("private-key"),
            next: name("private-key-next"),
            public: name("public-keys"),
        }
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
            (false, false) => format!("{} exists already; {} now has its public half", self.private, self.public),
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
        Ok(self.done(activated(&next.kid), &next, true))
    }

    /// First of all functions stop trusting the other keys. Then the public half is written before the private one signs, as ever: a run that was cut off leaves a stack
    /// that trusts too little, and not too much.
    async fn retire(&self, signing: bool, register: &AccessRegister) -> Result<Done, Failure> {
        let current = self.current().await?;
        let kept = if signing { self.successor(&current).await? } else { current.clone() };
        let trusted = PublicKeys { keys: vec![public_half(&kept)?] };
        let known = self.read::<PublicKeys>(&self.public).await?;
        let changed = signing || known.as_ref() != Some(&trusted);
        let others = known.iter().flat_map(|known| &known.keys).map(|key| &key.kid).chain([&current.kid]);
        let retired: BTreeSet<String> = others.filter(|kid| **kid != kept.kid).cloned().collect();
        let retired: Vec<String> = retired.into_iter().collect();
        let failed = |error: StoreError| Failure::Aws(error.to_string());
        register.retire_keys(&retired).await.map_err(failed)?;
        if changed {
            self.write(&self.public, ParameterType::String, &trusted).await?;
        }
        if kept.kid != current.kid {
            self.write(&self.private, ParameterType::SecureString, &kept).await?;
        }
        let words = if changed {
            format!(
                "{} trusts {} and no other key; functions stop trusting the others within {RETIREMENT_SECONDS} s. Now deploy, so that they are gone for good",
                self.public, kept.kid
            )
        } else {
            format!("{} trusts {} and no other key already", self.public, kept.kid)
        };
        Ok(self.done(words, &kept, changed))
    }

    /// The next key where one was made, which functions may know already; else a new one.
    async fn successor(&self, current: &PrivateKey) -> Result<PrivateKey, Failure> {
        match self.read::<PrivateKey>(&self.next).await?.filter(|next| next.kid != current.kid) {
            Some(next) => Ok(next),
            None => generate().map(|(next, _)| next),
        }
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
        self.parameters.read(name).await
    }

    async fn write(&self, name: &str, kind: ParameterType, value: &impl Serialize) -> Result<(), Failure> {
        self.parameters.write(name, kind, value).await
    }
}

/// Keys as SSM keeps them.
#[derive(Debug)]
pub(super) struct Parameters(Client);

impl Parameters {
    pub(super) fn new(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let value = match self.0.get_parameter().name(name).with_decryption(true).send().await {
            Ok(found) => found.parameter.and_then(|parameter| parameter.value),
            Err(error) if error.code() == Some("ParameterNotFound") => None,
            Err(error) => return Err(Failure::from_aws(&error)),
        };
        // serde's message would repeat part of a malformed key.
        let parse = |value: String| serde_json::from_str(&value);
        value.map(parse).transpose().map_err(|_| Failure::Refused(format!("{name} holds something else than keys")))
    }

    pub(super) async fn write(&self, name: &str, kind: ParameterType, value: &impl Serialize) -> Result<(), Failure> {
        let value = serde_json::to_string(value).map_err(|error| Failure::Aws(error.to_string()))?;
        let put = self.0.put_parameter().name(name).value(value).r#type(kind).overwrite(true);
        put.tier(ParameterTier::Standard).send().await.map_err(|error| Failure::from_aws(&error))?;
        Ok(())
    }
}

/// The steps left once a key signs. Instances that are warm keep the key before it until something in their environment changes.
fn activated(kid: &str) -> String {
    format!(
        "{kid} signs from now on, in log-ins that start anew; to restart those that are warm, run\n\
         sam deploy --config-env <environment> --parameter-overrides KeyGeneration={kid}"
    )
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
pub(super) mod tests {
    use super::*;
    use boxoffice_testing::Listener;
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

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

    /// Parameters as SSM keeps them, in memory.
    pub(in crate::command) fn parameters() -> (Listener, Arc<Mutex<BTreeMap<String, String>>>) {
        let kept: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let store = kept.clone();
        let listener = Listener::answering(move |operation, asked| {
            let (name, mut kept) = (asked["Name"].as_str().unwrap().to_owned(), store.lock().unwrap());
            if operation.ends_with("PutParameter") {
                kept.insert(name, asked["Value"].as_str().unwrap().to_owned());
                return (200, json!({ "Version": 1 }));
            }
            match kept.get(&name) {
                Some(value) => (200, json!({ "Parameter": { "Name": name, "Value": value } })),
                None => (400, json!({ "__type": "ParameterNotFound" })),
            }
        });
        (listener, kept)
    }

    #[tokio::test]
    async fn a_retired_key_is_trusted_no_more_and_a_leaked_one_signs_no_more() {
        let (listener, kept) = parameters();
        let place = Place { environment: "dev".into() };
        let ring = || Ring::new(Client::new(&listener.sdk_config()), &place);
        let trusted = || {
            let kept = kept.lock().unwrap();
            let keys: PublicKeys = serde_json::from_str(&kept["/boxoffice/dev/token-public-keys"]).unwrap();
            keys.keys.into_iter().map(|key| key.kid).collect::<Vec<_>>()
        };
        let signing = || {
            let kept = kept.lock().unwrap();
            serde_json::from_str::<PrivateKey>(&kept["/boxoffice/dev/token-private-key"]).unwrap().kid
        };
        ring().create().await.unwrap();
        let first = signing();
        ring().rotate().await.unwrap();
        ring().activate().await.unwrap();
        let second = signing();
        assert_eq!(trusted(), [second.clone(), first.clone()], "the one before still verifies");

        let sessions = Listener::answering(|_, _| (200, json!({})));
        let register = AccessRegister::new(client::dynamodb(&sessions.sdk_config()), "sessions");
        let retired = || {
            let heard = sessions.heard().into_iter();
            heard.map(|(_, asked)| asked["ExpressionAttributeValues"][":kids"]["SS"].clone()).collect::<Vec<_>>()
        };
        ring().retire(false, &register).await.unwrap();
        assert_eq!((trusted(), signing()), (vec![second.clone()], second.clone()));
        assert_eq!(retired(), [json!([first])], "functions are told at once");
        ring().retire(true, &register).await.unwrap();
        assert_ne!(signing(), second);
        assert_eq!(trusted(), [signing()]);
        assert_eq!(retired()[1..], [json!([second])]);
    }

    #[test]
    fn activating_a_key_says_which_deployment_restarts_the_log_ins() {
        let (private, _) = generate().unwrap();
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        assert!((1..=64).contains(&private.kid.len()) && private.kid.chars().all(allowed), "{}", private.kid);
        let words = activated(&private.kid);
        assert!(words.ends_with(&format!("--parameter-overrides KeyGeneration={}", private.kid)), "{words}");
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
