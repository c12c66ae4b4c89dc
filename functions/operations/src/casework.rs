//! An operator's cases: sagas that are stuck, and bookings to be taken back whatever they are about.
//!
//! An act is stored as an event with its operator. The bus carries it to the state machine, whose `Claim Saga` decides under a condition whether
//! the execution takes over the compensation: an act on a saga that moves on meanwhile does no harm.

use crate::{
    OperationsStore,
    domain::{Refusal, may_compensate, may_redrive},
    events::{SagaCompensationRequested, SagaRedriveRequested, stated},
};
use aws_sdk_dynamodb::Client;
use boxoffice_aws::StoreError;
use boxoffice_kernel::{ActId, DomainEvent, Operator, Reason, TicketId, Trace};
use boxoffice_saga::{SagaStore, domain::Saga};

/// Where cases are worked on.
#[derive(Debug, Clone)]
pub struct Casework {
    sagas: SagaStore,
    store: OperationsStore,
}

/// Why nothing was requested.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// There is no such saga.
    #[error("this ticket has no saga")]
    NoSaga,
    /// A rule says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Casework {
    /// On these.
    pub fn new(sagas: SagaStore, store: OperationsStore) -> Self {
        Self { sagas, store }
    }

    /// On the tables that this source of variables names.
    ///
    /// # Errors
    /// Those of the source.
    pub fn from_source<E>(client: &Client, source: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let sagas = SagaStore::new(client.clone(), source("SAGAS_TABLE")?);
        Ok(Self::new(sagas, OperationsStore::new(client.clone(), source("EVENTS_TABLE")?)))
    }

    /// The sagas themselves.
    pub fn sagas(&self) -> &SagaStore {
        &self.sagas
    }

    /// Requests a retry of a stuck booking's compensation.
    ///
    /// # Errors
    /// Unless it is stuck, or when the store fails.
    pub async fn redrive(
        &self,
        ticket_id: TicketId,
        requested_by: Operator,
        reason: Reason,
        trace: &Trace,
    ) -> Result<ActId, CaseError> {
        may_redrive(&self.saga(ticket_id).await?)?;
        let act_id = ActId::generate();
        self.request(act_id, SagaRedriveRequested { act_id, requested_by, ticket_id, reason }, trace).await
    }

    /// Requests that a booking be taken back, whatever it is about.
    ///
    /// # Errors
    /// When that is done already, or the store fails.
    pub async fn compensate(
        &self,
        ticket_id: TicketId,
        requested_by: Operator,
        reason: Reason,
        trace: &Trace,
    ) -> Result<ActId, CaseError> {
        may_compensate(&self.saga(ticket_id).await?)?;
        let act_id = ActId::generate();
        self.request(act_id, SagaCompensationRequested { act_id, requested_by, ticket_id, reason }, trace).await
    }

    async fn saga(&self, ticket: TicketId) -> Result<Saga, CaseError> {
        self.sagas.get(ticket).await?.ok_or(CaseError::NoSaga)
    }

    async fn request<T: DomainEvent>(&self, act_id: ActId, act: T, trace: &Trace) -> Result<ActId, CaseError> {
        self.store.record(&stated(act, trace)).await?;
        tracing::info!(%act_id, act = T::TYPE, correlation_id = %trace.correlation_id, "requested");
        Ok(act_id)
    }
}
