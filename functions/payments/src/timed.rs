//! Any provider with its answers timed.

use crate::{
    domain::{IntentId, MethodToken, Payment},
    gateway::{Cancellation, Charge, GatewayError, Opened, PaymentGateway},
};
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

impl<G: PaymentGateway> Timed<G> {
    /// This provider, counted there.
    pub fn new(gateway: G, metrics: Metrics) -> Self {
        Self { gateway, metrics }
    }

    async fn time<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, GatewayError>> + Send,
    ) -> Result<T, GatewayError> {
        let asked = Instant::now();
        let answer = answer.await;
        let unanswered = matches!(answer, Err(GatewayError::Unavailable(_)));
        self.metrics.write_about(
            &[
                Metric::time("PaymentLatency", asked.elapsed()),
                Metric::count("PaymentsUnanswered", usize::from(unanswered)),
            ],
            About { by: Some(("Call", call)), found_by: None },
        );
        answer
    }
}

impl<G: PaymentGateway> PaymentGateway for Timed<G> {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        self.time("open", self.gateway.open(payment, token)).await
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        self.time("confirm", self.gateway.confirm(payment, intent)).await
    }

    async fn cancel(&self, intent: &IntentId) -> Result<Cancellation, GatewayError> {
        self.time("cancel", self.gateway.cancel(intent)).await
    }

    async fn refund(&self, payment: &Payment, intent: &IntentId) -> Result<(), GatewayError> {
        self.time("refund", self.gateway.refund(payment, intent)).await
    }
}
