//! `boxoffice keys tickets`: what ticket codes are signed and verified with, in SSM.
//!
//! | Parameter | Type | Read by |
//! |---|---|---|
//! | `/boxoffice/<environment>/ticket-private-key` | `SecureString` | what makes codes, once an instance |
//! | `/boxoffice/<environment>/ticket-public-keys` | String | what verifies codes, every minute |
//!
//! A code must verify for as long as a buyer may show it, so a rotation adds a public key and drops none; `retire` drops one by its id.

use super::keys::{Parameters, Place};
use crate::outcome::{Done, Failure};
use aws_sdk_ssm::types::ParameterType;
use boxoffice_admissions::keys::{PrivateTicketKey, TicketKey, TicketKeys};
use clap::{Args, Subcommand};
use serde_json::json;

/// A standard parameter holds 4 KB, and a public key is about 130 bytes.
const MOST_KEYS: usize = 24;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign codes with a new key from now on. Codes of the keys before stay good.
    Rotate(Place),
    /// Refuse every code of one key, such as one that leaked. Its tickets need new codes: buyers find them in their account, or resend the confirmations.
    Retire(Retirement),
}

#[derive(Debug, Args)]
pub(crate) struct Retirement {
    #[command(flatten)]
    place: Place,
    /// The key's id, as `/.well-known/ticket-keys.json` shows it. The key that signs cannot be retired: rotate first.
    #[arg(long)]
    id: u16,
}

impl Command {
    pub(super) async fn run(self, parameters: Parameters) -> Result<Done, Failure> {
        match self {
            Self::Rotate(place) => Ring::new(parameters, &place.environment).rotate().await,
            Self::Retire(Retirement { place, id }) => Ring::new(parameters, &place.environment).retire(id).await,
        }
    }
}

/// An environment's keys of ticket codes.
#[derive(Debug)]
pub(super) struct Ring {
    parameters: Parameters,
    private: String,
    public: String,
}

impl Ring {
    pub(super) fn new(parameters: Parameters, environment: &str) -> Self {
        let name = |key: &str| format!("/boxoffice/{environment}/ticket-{key}");
        Self { parameters, private: name("private-key"), public: name("public-keys") }
    }

    pub(super) async fn create(&self) -> Result<Done, Failure> {
        let (private, created) = match self.private().await? {
            Some(private) => (private, false),
            None => (generate(1)?, true),
        };
        // Published before it signs: a run that was cut off leaves no code that nobody can verify.
        self.publish(&private).await?;
        if created {
            self.parameters.write(&self.private, ParameterType::SecureString, &private).await?;
        }
        let words = if created { "made" } else { "kept" };
        Ok(self.done(format!("{words} {} and {}", self.private, self.public), private.id, created))
    }

    async fn rotate(&self) -> Result<Done, Failure> {
        let current = self.current().await?;
        let known = self.known().await?;
        if known.keys.len() >= MOST_KEYS {
            let refusal = format!("{} holds {MOST_KEYS} keys: retire one whose events are over first", self.public);
            return Err(Failure::Refused(refusal));
        }
        let newest = known.keys.iter().map(|key| key.id).max().unwrap_or(0).max(current.id);
        let next = newest.checked_add(1).ok_or_else(|| Failure::Refused("every key id was used".into()))?;
        let next = generate(next)?;
        self.publish(&next).await?;
        self.parameters.write(&self.private, ParameterType::SecureString, &next).await?;
        let words = format!(
            "key {} signs from now on, in functions that start anew; codes of key {} stay good",
            next.id, current.id
        );
        Ok(self.done(words, next.id, true))
    }

    async fn retire(&self, id: u16) -> Result<Done, Failure> {
        let current = self.current().await?;
        if current.id == id {
            let refusal = format!("key {id} signs: run `boxoffice keys tickets rotate`, then retire it");
            return Err(Failure::Refused(refusal));
        }
        let known = self.known().await?;
        let kept: Vec<TicketKey> = known.keys.iter().filter(|key| key.id != id).cloned().collect();
        let changed = kept.len() < known.keys.len();
        if changed {
            self.parameters.write(&self.public, ParameterType::String, &TicketKeys { keys: kept }).await?;
        }
        let words = if changed { "within a minute no door takes" } else { "no door takes" };
        Ok(self.done(format!("{words} a code of key {id}"), current.id, changed))
    }

    async fn publish(&self, private: &PrivateTicketKey) -> Result<(), Failure> {
        let refused = |error| Failure::Refused(format!("{} is {error}", self.private));
        let public = private.public().map_err(refused)?;
        let known = self.known().await?;
        if known.keys.contains(&public) {
            return Ok(());
        }
        self.parameters.write(&self.public, ParameterType::String, &known.with(public)).await
    }

    async fn private(&self) -> Result<Option<PrivateTicketKey>, Failure> {
        self.parameters.read(&self.private).await
    }

    async fn current(&self) -> Result<PrivateTicketKey, Failure> {
        let missing = || Failure::Refused(format!("there is no {}: run `boxoffice keys create` first", self.private));
        self.private().await?.ok_or_else(missing)
    }

    async fn known(&self) -> Result<TicketKeys, Failure> {
        Ok(self.parameters.read(&self.public).await?.unwrap_or_default())
    }

    fn done(&self, words: String, id: u16, changed: bool) -> Done {
        let facts = json!({ "id": id, "changed": changed, "publicKeys": self.public, "privateKey": self.private });
        Done { words, facts }
    }
}

fn generate(id: u16) -> Result<PrivateTicketKey, Failure> {
    PrivateTicketKey::generate(id).map_err(|_| Failure::Aws("this machine has no randomness to give".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::keys::tests::parameters;

    #[tokio::test]
    async fn a_rotation_keeps_the_keys_before_and_a_retired_key_is_published_no_more() {
        let (listener, kept) = parameters();
        let ring = || Ring::new(Parameters::new(&listener.sdk_config()), "dev");
        let published = || {
            let kept = kept.lock().unwrap();
            let keys: TicketKeys = serde_json::from_str(&kept["/boxoffice/dev/ticket-public-keys"]).unwrap();
            keys.keys.into_iter().map(|key| key.id).collect::<Vec<_>>()
        };
        let signing = || {
            let kept = kept.lock().unwrap();
            serde_json::from_str::<PrivateTicketKey>(&kept["/boxoffice/dev/ticket-private-key"]).unwrap().id
        };
        assert!(matches!(ring().rotate().await, Err(Failure::Refused(_))));
        ring().create().await.unwrap();
        ring().create().await.unwrap();
        assert_eq!((published(), signing()), (vec![1], 1));
        ring().rotate().await.unwrap();
        assert_eq!((published(), signing()), (vec![2, 1], 2));
        assert!(matches!(ring().retire(2).await, Err(Failure::Refused(_))));
        ring().retire(1).await.unwrap();
        assert_eq!((published(), signing()), (vec![2], 2));
        ring().rotate().await.unwrap();
        assert_eq!((published(), signing()), (vec![3, 2], 3), "an id is never used for two keys");
    }

    #[test]
    fn as_many_keys_as_may_be_kept_fit_into_a_parameter() {
        let key = PrivateTicketKey::generate(u16::MAX).unwrap().public().unwrap();
        let keys = TicketKeys { keys: vec![key; MOST_KEYS] };
        assert!(serde_json::to_string(&keys).unwrap().len() <= 4096);
    }
}
