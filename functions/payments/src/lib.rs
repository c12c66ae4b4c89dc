//! Payments: one for each ticket, and what the payment provider says of it.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | a payment, and which status may follow which; pure |
//! | [`refund`] | giving a payment back, whole or in part; pure |
//! | [`statement`] | the account's statement, and what of it a payment knows; pure |
//! | [`dispute`] | the buyer's bank takes money back; pure |
//! | [`breaker`] | when to stop calling a provider that does not answer; pure |
//! | [`events`] | what this context states on the bus |
//! | [`gateway`] | what a payment provider can do, whoever it is |
//! | [`stripe`] | Stripe |
//! | [`signature`] | whether a webhook is Stripe's; pure |
//! | [`timed`] | any provider with its answers timed |
//! | [`guarded`] | any provider behind the circuit breaker |
//! | [`store`] | the access patterns, each with its condition |
//! | [`declines`] | how many declined cards a buyer and an address may bring |
//! | [`cashier`] | charging, reversing and expiring: payment, provider and saga together |
//! | [`handlers`] | one file a function |
//!
//! The payment's status is the arbiter between paying and expiring: whoever wins the write from `PENDING` decides. Card data never
//! comes here, only a token for it, which is forgotten as soon as the payment is settled.

pub mod breaker;
pub mod cashier;
pub mod declines;
pub mod dispute;
pub mod domain;
pub mod events;
pub mod gateway;
pub mod guarded;
pub mod handlers;
pub mod refund;
pub mod signature;
pub mod statement;
pub mod store;
pub mod stripe;
pub mod timed;

pub use store::{Instruction, PaymentStore};

use boxoffice_aws::{Budget, Journal, client};
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
    /// How many declined cards there may be.
    pub declines: declines::Declines,
}

impl App {
    /// From the environment, with the provider behind its breaker.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::with_journal()?.0)
    }

    /// The same, whose buyers come back there from their bank, whatever `PAYMENT_RETURN_URL` says.
    #[must_use]
    pub fn returning_to(self, url: impl Into<String>) -> Self {
        Self { cashier: self.cashier.returning_to(url), ..self }
    }

    /// The same, for a function that buyers call: it counts declines by their addresses too.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn called_by_buyers() -> Result<Self, ConfigError> {
        let (app, dynamodb) = Self::with_journal()?;
        let most = config::parsed("DECLINES_PER_ADDRESS")?;
        let budget = Budget::new(dynamodb.clone(), config::required("PAYMENTS_TABLE")?, most, declines::SECONDS);
        let declines = declines::Declines::from_env(dynamodb)?.within_address(budget);
        Ok(Self { declines, ..app })
    }

    /// The same for the step of the saga that charges.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn charging_step_from_env() -> Result<(Self, Journal), ConfigError> {
        let (app, dynamodb) = Self::with_journal()?;
        let declines = declines::Declines::from_env(dynamodb.clone())?;
        Ok((Self { declines, ..app }, Journal::new(dynamodb, config::required("SAGAS_TABLE")?)))
    }

    /// The same for a step of the saga.
    pub fn step_from_env() -> Result<(Self, Journal), ConfigError> {
        let (app, dynamodb) = Self::with_journal()?;
        Ok((app, Journal::new(dynamodb, config::required("SAGAS_TABLE")?)))
    }

    /// The same for the webhook that the provider calls, with its secrets.
    pub fn webhook_from_env() -> Result<(Self, handlers::receive_stripe_event::Secrets), ConfigError> {
        let parameters = aws_sdk_ssm::Client::new(&client::sdk_config());
        Ok((Self::from_env()?, handlers::receive_stripe_event::Secrets::from_env(parameters)?))
    }

    fn with_journal() -> Result<(Self, aws_sdk_dynamodb::Client), ConfigError> {
        let sdk = client::sdk_config();
        let dynamodb = client::dynamodb(&sdk);
        let store = PaymentStore::from_env(dynamodb.clone())?;
        let stripe = stripe::Stripe::from_env(aws_sdk_ssm::Client::new(&sdk))?;
        let gateway = guarded::Guarded::from_env(timed::Timed::new(stripe, Metrics::from_env()?), store.clone())?;
        let cashier = cashier::Cashier::new(store.clone(), gateway, aws_sdk_sfn::Client::new(&sdk));
        let declines = declines::Declines::unused(dynamodb.clone());
        Ok((Self { store, cashier, declines }, dynamodb))
    }
}

/// The store alone, for functions that never meet the provider.
pub fn reader_from_env() -> Result<PaymentStore, ConfigError> {
    PaymentStore::from_env(client::dynamodb(&client::sdk_config()))
}
