//! Any provider behind the circuit breaker, and at the pace that all instances share.

use crate::{
    breaker::{Admission, Breaker, Settings},
    domain::{IntentId, MethodToken, Payment, ProviderEventId, ProviderLineId},
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::Refund,
    statement::Statement,
    store::PaymentStore,
};
use boxoffice_aws::{Budget, Overspent, StoreError};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::config::{self, ConfigError};
use std::future::Future;

/// How often to look again when another instance wrote the breaker first. Beyond that the call goes ahead unrecorded: one sample more
/// or less decides nothing.
const ROUNDS: usize = 3;

/// A provider, called only while its breaker lets calls through, and only so often a second.
#[derive(Debug, Clone)]
pub struct Guarded<G> {
    gateway: G,
    store: PaymentStore,
    settings: Settings,
    pace: Option<Budget>,
}

impl Guarded<crate::timed::Timed<crate::stripe::Stripe>> {
    /// The same, whose buyers come back there from their bank.
    #[must_use]
    pub fn returning_to(self, url: impl Into<String>) -> Self {
        Self { gateway: self.gateway.returning_to(url), ..self }
    }
}

impl<G: PaymentGateway> Guarded<G> {
    /// This provider behind the breaker in that store.
    pub fn new(gateway: G, store: PaymentStore, settings: Settings) -> Self {
        Self { gateway, store, settings, pace: None }
    }

    /// The same with at most so many calls a second, by all instances together; as many as there are where it is 0.
    #[must_use]
    pub fn at_pace(self, calls_a_second: u32) -> Self {
        let pace = (calls_a_second > 0).then(|| self.store.pace(calls_a_second));
        Self { pace, ..self }
    }

    /// The same with the settings that the environment gives.
    ///
    /// # Errors
    /// When one of them is missing or not a number.
    pub fn from_env(gateway: G, store: PaymentStore) -> Result<Self, ConfigError> {
        let settings = Settings {
            window: config::parsed("BREAKER_WINDOW")?,
            failure_percent: config::parsed("BREAKER_FAILURE_PERCENT")?,
            open_seconds: config::parsed("BREAKER_OPEN_SECONDS")?,
            trials: config::parsed("BREAKER_TRIALS")?,
        };
        Ok(Self::new(gateway, store, settings).at_pace(config::parsed("PAYMENT_RATE")?))
    }

    /// Counts a call of this second. One that is refused for its pace is no outage, and is repeated like any that is not ready.
    async fn keep_pace(&self) -> Result<(), GatewayError> {
        let (Some(pace), now) = (&self.pace, Timestamp::now()) else { return Ok(()) };
        match pace.spend(&format!("provider#{}", now.unix_seconds()), now).await {
            Ok(_) => Ok(()),
            Err(Overspent::Wait { .. }) => {
                Err(GatewayError::NotReady("it gets as many requests a second as PaymentRate says".into()))
            }
            Err(Overspent::Store(error)) => Err(GatewayError::NotReady(format!("its pace could not be read: {error}"))),
        }
    }

    async fn admit(&self) -> Result<(), GatewayError> {
        for _ in 0..ROUNDS {
            let (breaker, version) = self.store.breaker().await.map_err(unreadable)?;
            match breaker.admit(Timestamp::now(), self.settings) {
                Admission::Yes => return Ok(()),
                Admission::No => break,
                Admission::After(next) => {
                    if self.store.write_breaker(&next, version).await.map_err(unreadable)? {
                        return Ok(());
                    }
                }
            }
        }
        Err(GatewayError::Unavailable("its circuit breaker is open".into()))
    }

    async fn record(&self, answered: bool) {
        for _ in 0..ROUNDS {
            let written = async {
                let (breaker, version) = self.store.breaker().await?;
                match breaker.after_call(answered, Timestamp::now(), self.settings) {
                    Some(next) => {
                        if matches!(next, Breaker::Open { .. }) {
                            tracing::warn!("the payment provider's circuit breaker opens");
                        }
                        self.store.write_breaker(&next, version).await
                    }
                    None => Ok(true),
                }
            };
            match written.await {
                Ok(true) => return,
                Ok(false) => {}
                // The call's own outcome matters more than its sample.
                Err(error) => {
                    tracing::warn!(%error, "the circuit breaker could not be written");
                    return;
                }
            }
        }
    }

    async fn guard<T>(&self, call: impl Future<Output = Result<T, GatewayError>> + Send) -> Result<T, GatewayError> {
        self.keep_pace().await?;
        self.admit().await?;
        let outcome = call.await;
        self.record(!matches!(outcome, Err(GatewayError::Unavailable(_)))).await;
        outcome
    }
}

fn unreadable(error: StoreError) -> GatewayError {
    GatewayError::Unavailable(format!("its circuit breaker could not be read: {error}"))
}

impl<G: PaymentGateway> PaymentGateway for Guarded<G> {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        self.guard(self.gateway.open(payment, token)).await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        self.guard(self.gateway.confirm(payment, intent)).await
    }

    async fn look(&self, intent: &IntentId) -> Result<Option<Seen>, GatewayError> {
        self.guard(self.gateway.look(intent)).await
    }

    async fn cancel(&self, intent: &IntentId, called_off: CalledOff) -> Result<Cancellation, GatewayError> {
        self.guard(self.gateway.cancel(intent, called_off)).await
    }

    async fn moved(&self, intent: &IntentId) -> Result<Moved, GatewayError> {
        self.guard(self.gateway.moved(intent)).await
    }

    async fn record(&self, since: Timestamp, after: Option<&ProviderEventId>) -> Result<Record, GatewayError> {
        self.guard(self.gateway.record(since, after)).await
    }

    async fn statement(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: Option<&ProviderLineId>,
    ) -> Result<Statement, GatewayError> {
        self.guard(self.gateway.statement(from, to, after)).await
    }

    async fn refund(&self, payment: &Payment, intent: &IntentId, refund: &Refund) -> Result<Returned, GatewayError> {
        self.guard(self.gateway.refund(payment, intent, refund)).await
    }
}
