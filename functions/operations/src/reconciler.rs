//! The reconciliation, begun by hand. It runs by itself, and says itself what it found.

use crate::{
    OperationsStore,
    events::{ReconciliationRequested, stated},
};
use aws_config::SdkConfig;
use aws_sdk_lambda::{Client, primitives::Blob, types::InvocationType};
use boxoffice_aws::{StoreError, client};
use boxoffice_kernel::{ActId, Operator, Trace};
use serde::Serialize;

/// How much a reconciliation reads, as `reconcile` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Scope {
    /// As the schedule reads: open bookings, and those written since they were proven.
    Moved,
    /// Everything there is.
    All,
}

/// Begins it.
#[derive(Debug, Clone)]
pub struct Reconciler {
    store: OperationsStore,
    lambda: Client,
    function: String,
}

impl Reconciler {
    /// The function and the table that this source of variables names.
    ///
    /// # Errors
    /// Those of the source.
    pub fn from_source<E>(sdk: &SdkConfig, source: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let store = OperationsStore::new(client::dynamodb(sdk), source("EVENTS_TABLE")?);
        Ok(Self { store, lambda: Client::new(sdk), function: source("RECONCILE_FUNCTION")? })
    }

    /// Begins it, and records who had it begun. It goes on by itself.
    ///
    /// # Errors
    /// When it cannot be begun, or that cannot be recorded.
    pub async fn start(&self, scope: Scope, requested_by: Operator, trace: &Trace) -> Result<ActId, StoreError> {
        let payload = Blob::new(serde_json::json!({ "requestedBy": requested_by, "scope": scope }).to_string());
        let call = self.lambda.invoke().function_name(&self.function).invocation_type(InvocationType::Event);
        call.payload(payload).send().await.map_err(StoreError::from_sdk)?;
        let act_id = ActId::generate();
        self.store.record(&stated(ReconciliationRequested { act_id, requested_by }, trace)).await?;
        Ok(act_id)
    }
}
