//! Payments: one for each ticket, and what the payment provider says of it.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a payment, and which status may follow which; pure |
//! | [`breaker`] | when to stop calling a provider that does not answer; pure |
//! | [`events`] | what this context states on the bus |
//! | [`gateway`] | what a payment provider can do, whoever it is |
//! | [`stripe`] | Stripe |
//! | [`timed`] | any provider with its answers timed |
//! | [`guarded`] | any provider behind the circuit breaker |
//! | [`store`] | the access patterns, each with its condition |
//! | [`cashier`] | charging, reversing and expiring: payment, provider and saga together |
//! | [`handlers`] | one file a function |
//!
//! The payment's status is the arbiter between paying and expiring: whoever wins the write from `PENDING` decides. Card data never
//! comes here, only a token for it, which is forgotten as soon as the payment is settled.

pub mod breaker;
pub mod cashier;
pub mod domain;
pub mod events;
pub mod gateway;
pub mod guarded;
pub mod handlers;
pub mod store;
pub mod stripe;
pub mod timed;

pub use store::{Instruction, PaymentStore};

use boxoffice_aws::{Journal, client};
use boxoffice_runtime::{
    Metrics,
    config::{self, ConfigError},
};

/// The provider as functions meet it: Stripe, timed, behind the circuit breaker.
pub type Provider = guarded::Guarded<timed::Timed<stripe::Stripe>>;

/// Everything this context's functions are made of, built once; with Stripe behind its breaker, unless a test scripts the provider.
#[derive(Debug, Clone)]
pub struct App<G = Provider> {
    /// The context's table.
    pub store: PaymentStore,
    /// Charges, reverses and expires.
    pub cashier: cashier::Cashier<G>,
}

impl App {
    /// From the environment, with the provider behind its breaker.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::with_journal()?.0)
    }

    /// The same for a step of the saga.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn step_from_env() -> Result<(Self, Journal), ConfigError> {
        let (app, dynamodb) = Self::with_journal()?;
        Ok((app, Journal::new(dynamodb, config::required("SAGAS_TABLE")?)))
    }

    fn with_journal() -> Result<(Self, aws_sdk_dynamodb::Client), ConfigError> {
        let sdk = client::sdk_config();
        let dynamodb = client::dynamodb(&sdk);
        let store = PaymentStore::from_env(dynamodb.clone())?;
        let stripe = stripe::Stripe::from_env(aws_sdk_ssm::Client::new(&sdk))?;
        let gateway = guarded::Guarded::from_env(timed::Timed::new(stripe, Metrics::from_env()?), store.clone())?;
        let cashier = cashier::Cashier::new(store.clone(), gateway, aws_sdk_sfn::Client::new(&sdk));
        Ok((Self { store, cashier }, dynamodb))
    }
}

/// The store alone, for functions that never meet the provider.
///
/// # Errors
/// When a variable is missing.
pub fn reader_from_env() -> Result<PaymentStore, ConfigError> {
    PaymentStore::from_env(client::dynamodb(&client::sdk_config()))
}
