//! Any provider with its answers timed.

use crate::{
    domain::{IntentId, MethodToken, Payment, ProviderEventId, ProviderLineId},
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::Refund,
    statement::Statement,
};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{
    Metrics,
    metrics::{About, Metric},
};
use std::{future::Future, time::Instant};

/// A provider whose every answer is counted and timed. Behind the circuit breaker, so that a call it refuses is none.
#[derive(Debug, Clone)]
pub struct Timed<G> {
    gateway: G,
    metrics: Metrics,
}

impl Timed<crate::stripe::Stripe> {
    /// The same, whose buyers come back there from their bank.
    #[must_use]
    pub fn returning_to(self, url: impl Into<String>) -> Self {
        Self { gateway: self.gateway.returning_to(url), ..self }
    }
}

impl<G: PaymentGateway> Timed<G> {
    /// This provider, counted there.
    pub fn new(gateway: G, metrics: Metrics) -> Self {
        Self { gateway, metrics }
    }

    async fn time<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, GatewayError>> + Send,
        is_misconfigured: impl Fn(&Result<T, GatewayError>) -> bool + Send,
    ) -> Result<T, GatewayError> {
        let asked = Instant::now();
        let answer = answer.await;
        let unanswered = matches!(answer, Err(GatewayError::Unavailable(_)));
        let misconfigured = is_misconfigured(&answer);
        self.metrics.write_about(
            &[
                Metric::time("PaymentLatency", asked.elapsed()),
                Metric::count("PaymentsUnanswered", usize::from(unanswered)),
                Metric::count("PaymentsMisconfigured", usize::from(misconfigured)),
            ],
            About { by: Some(("Call", call)), found_by: None },
        );
        answer
    }
}

fn misconfigured<T>(answer: &Result<T, GatewayError>) -> bool {
    matches!(answer, Err(GatewayError::Misconfigured(_)))
}

impl<G: PaymentGateway> PaymentGateway for Timed<G> {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        self.time("open", self.gateway.open(payment, token), |opened| {
            misconfigured(opened) || matches!(opened, Ok(Opened::MethodUnavailable))
        })
        .await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        self.time("confirm", self.gateway.confirm(payment, intent), misconfigured).await
    }

    async fn look(&self, intent: &IntentId) -> Result<Option<Seen>, GatewayError> {
        self.time("look", self.gateway.look(intent), misconfigured).await
    }

    async fn cancel(&self, intent: &IntentId, called_off: CalledOff) -> Result<Cancellation, GatewayError> {
        self.time("cancel", self.gateway.cancel(intent, called_off), misconfigured).await
    }

    async fn moved(&self, intent: &IntentId) -> Result<Moved, GatewayError> {
        self.time("moved", self.gateway.moved(intent), misconfigured).await
    }

    async fn record(&self, since: Timestamp, after: Option<&ProviderEventId>) -> Result<Record, GatewayError> {
        self.time("record", self.gateway.record(since, after), misconfigured).await
    }

    async fn statement(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: Option<&ProviderLineId>,
    ) -> Result<Statement, GatewayError> {
        self.time("statement", self.gateway.statement(from, to, after), misconfigured).await
    }

    async fn refund(&self, payment: &Payment, intent: &IntentId, refund: &Refund) -> Result<Returned, GatewayError> {
        self.time("refund", self.gateway.refund(payment, intent, refund), misconfigured).await
    }
}
