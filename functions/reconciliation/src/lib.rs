//! Reconciliation: proves what always holds, from the tables of every context, and repairs what is safe.
//!
//! | File | Holds |
//! |---|---|
//! | [`domain`] | what must hold of a booking at rest, what breaks it, and what to do about it; pure |
//! | [`reconciler`] | looking twice, and repairing, over the other contexts' stores |
//! | [`report`] | where what was found is said: log, metrics, queue; and who goes on when time is up |
//! | [`handlers`] | one file a function |
//!
//! This is the one reader across contexts: that two contexts agree can only be seen by one who sees both (`docs/adr/0018-reconcile.md`). It has no
//! table of its own, and writes another's only by an access pattern of that context's store.

pub mod domain;
pub mod handlers;
pub mod reconciler;
pub mod report;

use crate::{
    reconciler::Reconciler,
    report::{Findings, Successor},
};
use boxoffice_aws::client;
use boxoffice_inventory::InventoryStore;
use boxoffice_payments::Provider;
use boxoffice_reporting::ViewStore;
use boxoffice_runtime::{
    Metrics,
    config::{self, ConfigError},
};
use boxoffice_saga::SagaStore;
use boxoffice_tickets::TicketStore;

/// Everything the function is made of, built once; with Stripe behind its breaker, unless a test scripts the provider.
#[derive(Debug, Clone)]
pub struct App<G = Provider> {
    /// Looks and repairs.
    pub reconciler: Reconciler<G>,
    /// Takes what is left to people.
    pub findings: Findings,
    /// Counts.
    pub metrics: Metrics,
    /// Goes on when time is up.
    pub successor: Successor,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        let dynamodb = client::dynamodb(&sdk);
        let payments = boxoffice_payments::App::from_env()?;
        Ok(Self {
            reconciler: Reconciler {
                inventory: InventoryStore::from_env(dynamodb.clone())?,
                tickets: TicketStore::from_env(dynamodb.clone())?,
                sagas: SagaStore::from_env(dynamodb.clone())?,
                views: ViewStore::new(dynamodb, config::required("VIEWS_TABLE")?),
                payments: payments.store,
                cashier: payments.cashier,
                grace: config::parsed("RECONCILE_GRACE_SECONDS")?,
            },
            findings: Findings::new(aws_sdk_sqs::Client::new(&sdk), config::required("FINDINGS_QUEUE_URL")?),
            metrics: Metrics::from_env()?,
            successor: Successor::new(aws_sdk_lambda::Client::new(&sdk), config::required("AWS_LAMBDA_FUNCTION_NAME")?),
        })
    }
}
