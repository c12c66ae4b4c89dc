//! Hears from Stripe that something happened to a payment, and settles the payment.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments/stripe/events`, called by Stripe |
//! | reads | the endpoint's secrets; the payment intent and its refunds, at Stripe; the payment (AP-30, AP-37) |
//! | writes | the payment (AP-34, AP-360, AP-431); cancels a declined intent; reports to the waiting saga |
//! | emits | `PaymentCompleted`, `PaymentFailed`, `PaymentExpired`; of money that has left again `PaymentRefundPending`, `PaymentPartlyRefunded`, `PaymentRefunded`, `PaymentRefundFailed` |
//! | safe to repeat | the event is a reason to look, and nothing in it is believed: lost, twice, late or out of order it ends alike |

use crate::{App, domain::IntentId, gateway::PaymentGateway, signature};
use boxoffice_aws::{Secret, StoreError};
use boxoffice_kernel::{Actor, Timestamp};
use boxoffice_runtime::{
    Code, Problem,
    config::{self, ConfigError},
    http,
    http::Answer,
};
use lambda_http::Request;
use serde::Deserialize;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The endpoint's secrets: one, or two while it is replaced, separated by white space.
#[derive(Debug)]
pub struct Secrets {
    parameter: Secret,
    read_at: AtomicU64,
}

/// For so many seconds they are not read again: a secret that is added counts soon, and a forger makes us read nothing.
const KEPT_SECONDS: u64 = 300;

impl Secrets {
    /// Those in this parameter.
    pub fn new(parameter: Secret) -> Self {
        Self { parameter, read_at: AtomicU64::new(0) }
    }

    /// Those in the parameter that the environment names.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env(parameters: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        Ok(Self::new(Secret::new(parameters, config::required("STRIPE_WEBHOOK_SECRETS_PARAMETER")?)))
    }

    async fn reveal(&self, now: Timestamp) -> Result<Arc<str>, StoreError> {
        let known = self.parameter.reveal().await?;
        let read_at = self.read_at.load(Ordering::Relaxed);
        if read_at == 0 {
            self.read_at.store(now.unix_seconds(), Ordering::Relaxed);
        } else if now.unix_seconds().saturating_sub(read_at) >= KEPT_SECONDS {
            self.read_at.store(now.unix_seconds(), Ordering::Relaxed);
            return self.parameter.reveal_anew(&known).await;
        }
        Ok(known)
    }
}

/// As much of an event as is read: what it is about.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = StripeEvent)]
pub struct Event {
    /// On whose account it happened, where that is not our own.
    #[serde(default)]
    account: Option<String>,
    data: Data,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = StripeEventData)]
struct Data {
    object: Object,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = StripeEventObject)]
struct Object {
    #[serde(default, rename = "object")]
    kind: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<IntentId>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    payment_intent: Option<IntentId>,
}

impl Event {
    /// The payment intent that it is about, and whether about money that has left it again: a refund, a dispute, or its charge.
    fn intent(self) -> Option<(IntentId, bool)> {
        let Object { kind, id, payment_intent } = self.data.object;
        let is_about_the_intent = kind == "payment_intent";
        let intent = if is_about_the_intent { id } else { payment_intent };
        intent.map(|intent| (intent, !is_about_the_intent))
    }
}

/// Hears from Stripe that something happened to a payment.
///
/// For Stripe only: the header `Stripe-Signature` must be made with one of the endpoint's secrets, in the last five minutes. The
/// event's words are not believed. The payment intent it names is looked up at Stripe, and the payment becomes what that says. An event
/// about anything else is answered with 204 too, so that Stripe does not repeat it.
///
/// # Errors
/// When the signature is not Stripe's, or something does not answer: then Stripe repeats the event.
#[utoipa::path(
    post,
    path = "/payments/stripe/events",
    operation_id = "receive-stripe-event",
    tag = "payments",
    params(("Stripe-Signature" = String, Header, description = "`t=…,v1=…`")),
    request_body(content = Event, example = json!({
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded",
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}}
    })),
    responses(
        (status = 204, description = "The payment is as Stripe has it, or the event is about none of ours"),
        (status = 400, description = "`VALIDATION_ERROR`: the signature is not Stripe's")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, secrets: &Secrets, request: Request) -> Result<Answer, Problem> {
    let now = Timestamp::now();
    let header = request.headers().get("stripe-signature").and_then(|header| header.to_str().ok()).unwrap_or_default();
    let known = secrets.reveal(now).await?;
    signature::verify(header, request.body(), known.split_whitespace(), now)
        .map_err(|error| Problem::new(Code::ValidationError, format!("{error}.")).at("Stripe-Signature"))?;
    let Ok(event) = serde_json::from_slice::<Event>(request.body()) else {
        tracing::info!("an event of Stripe's is about nothing that has a payment");
        return Ok(Answer::no_content());
    };
    if event.account.is_some() {
        tracing::info!(account = event.account, "an event of another account of Stripe's is passed over");
        return Ok(Answer::no_content());
    }
    if let Some((intent, money)) = event.intent()
        && app.cashier.settle_intent(&intent, money, &http::trace(&request).by(Actor::System)).await?.is_none()
    {
        tracing::info!(%intent, "an event of Stripe's is about no payment of ours");
    }
    Ok(Answer::no_content())
}
