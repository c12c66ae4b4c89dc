//! Stripe, by its HTTP API: payment intents, refunds and idempotency keys
//! (<https://docs.stripe.com/api/payment_intents>, <https://docs.stripe.com/api/idempotent_requests>).

use crate::{
    dispute,
    domain::{
        IntentId, Method, MethodToken, NextAction, Payment, ProviderDisputeId, ProviderEventId, ProviderLineId,
        ProviderRefundId,
    },
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Moved, Opened, PaymentGateway, Record, Returned, Seen},
    refund::{self, Refund},
    statement::{Line, Source, Statement},
};
use boxoffice_aws::{Secret, StoreError, trust};
use boxoffice_kernel::{Amount, PaymentId, Timestamp};
use boxoffice_runtime::config::{self, ConfigError};
use reqwest::{Method as Verb, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// The API version whose answers this file reads. Pinned, because the account's default may change.
const API_VERSION: &str = "2024-06-20";
/// A call may take this long; three fit into a step's time.
const TIMEOUT: Duration = Duration::from_secs(4);
/// A confirmation may take longer: it waits for the buyer's bank, and a slow bank is not an outage.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(8);
/// After so many old failures that are repeated to us, a refund waits until Stripe has forgotten them.
const ECHOES: usize = 16;
/// The events that say that money left again, or came back (<https://docs.stripe.com/api/events/types>). Stripe keeps them for 30 days.
const MONEY_MOVED: [&str; 8] = [
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    // An inquiry that becomes a dispute is told by the next two alone.
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
];

/// A Stripe account.
#[derive(Debug, Clone)]
pub struct Stripe {
    http: reqwest::Client,
    base: String,
    key: Arc<Secret>,
    return_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Intent {
    id: IntentId,
    status: IntentStatus,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    cancellation_reason: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    next_action: Option<Action>,
    #[serde(default)]
    last_payment_error: Option<ProviderError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    payment_id: Option<String>,
    #[serde(default)]
    refund_id: Option<String>,
    #[serde(default)]
    attempt: Option<String>,
}

impl Metadata {
    /// Our refund and its attempt, where it is ours.
    fn refund(&self) -> Option<(boxoffice_kernel::RefundId, u32)> {
        Some((self.refund_id.as_ref()?.parse().ok()?, self.attempt.as_ref()?.parse().ok()?))
    }
}

#[derive(Debug, Deserialize)]
struct Action {
    #[serde(default)]
    redirect_to_url: Option<Redirect>,
}

#[derive(Debug, Deserialize)]
struct Redirect {
    url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum IntentStatus {
    Succeeded,
    Canceled,
    Processing,
    RequiresAction,
    RequiresPaymentMethod,
    RequiresConfirmation,
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Refunds {
    data: Vec<RefundObject>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Debug, Deserialize)]
struct RefundObject {
    id: ProviderRefundId,
    amount: u64,
    status: RefundStatus,
    #[serde(default)]
    failure_reason: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// A page of the account's statement.
#[derive(Debug, Deserialize)]
struct BalanceTransactions {
    data: Vec<BalanceTransaction>,
    #[serde(default)]
    has_more: bool,
}

/// Its own amount is in the currency that the account settles in: the source has the buyer's.
#[derive(Debug, Deserialize)]
struct BalanceTransaction {
    id: ProviderLineId,
    amount: i64,
    #[serde(rename = "type")]
    kind: String,
    /// The charge, refund or dispute; of a fee or a payout something that has no intent, or nothing.
    #[serde(default)]
    source: Value,
}

impl BalanceTransaction {
    fn line(&self) -> Option<Line> {
        let named = |name: &str| self.source.get(name)?.as_str();
        let payment =
            self.source.get("metadata").and_then(|metadata| metadata.get("paymentId")?.as_str()?.parse().ok());
        let source = match self.kind.as_str() {
            "charge" | "payment" => Source::Charge,
            _ => Source::Other(named("id")?.to_owned()),
        };
        let amount = self.amount.signum() * self.source.get("amount")?.as_i64()?;
        Some(Line { intent: named("payment_intent")?.parse().ok()?, payment, amount, source })
    }
}

/// A page of events. One that cannot be read hides no other.
#[derive(Debug, Deserialize)]
struct Events {
    data: Vec<Value>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    account: Option<String>,
    data: EventData,
}

#[derive(Debug, Deserialize)]
struct EventData {
    object: Moving,
}

/// A refund or a dispute, as it was when the event was made.
#[derive(Debug, Deserialize)]
struct Moving {
    #[serde(default)]
    payment_intent: Option<IntentId>,
    #[serde(default)]
    status: Option<RefundStatus>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

impl Moving {
    /// Whether it is a refund of ours that goes as we asked.
    fn is_known(&self) -> bool {
        let is_ours = self.metadata.as_ref().and_then(Metadata::refund).is_some();
        is_ours && matches!(self.status, Some(RefundStatus::Succeeded | RefundStatus::Pending))
    }
}

impl Events {
    fn record(self) -> Record {
        let last = self.data.last().filter(|_| self.has_more);
        let next = last.and_then(|event| event.get("id")?.as_str()?.parse().ok());
        let mut intents = Vec::new();
        for Event { account, data: EventData { object } } in
            self.data.into_iter().filter_map(|event| serde_json::from_value(event).ok())
        {
            if account.is_none()
                && !object.is_known()
                && let Some(intent) = object.payment_intent
                && !intents.contains(&intent)
            {
                intents.push(intent);
            }
        }
        Record { intents, next }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefundStatus {
    Succeeded,
    Failed,
    Canceled,
    /// `requires_action` too, and whatever is new: it is not done.
    #[serde(other)]
    Pending,
}

impl RefundObject {
    fn seen(self) -> Result<refund::Seen, GatewayError> {
        let unreadable = |error| GatewayError::Unavailable(format!("the amount of its refund {error}"));
        Ok(refund::Seen {
            amount: Amount::from_minor(self.amount).map_err(unreadable)?,
            ours: self.metadata.as_ref().and_then(Metadata::refund),
            state: match self.status {
                RefundStatus::Succeeded => refund::State::Succeeded,
                RefundStatus::Failed => refund::State::Failed,
                RefundStatus::Canceled => refund::State::Canceled,
                RefundStatus::Pending => refund::State::Pending,
            },
            failure_reason: self.failure_reason.filter(|reason| is_name(reason)),
            id: self.id,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Disputes {
    data: Vec<DisputeObject>,
}

#[derive(Debug, Deserialize)]
struct DisputeObject {
    id: ProviderDisputeId,
    amount: u64,
    status: DisputeStatus,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DisputeStatus {
    Won,
    Lost,
    /// An inquiry: no money has moved.
    #[serde(
        alias = "warning_needs_response",
        alias = "warning_under_review",
        alias = "warning_closed",
        alias = "prevented"
    )]
    Inquiry,
    #[serde(other)]
    Open,
}

impl DisputeObject {
    /// The dispute, if it has moved money.
    fn seen(self) -> Result<Option<dispute::Seen>, GatewayError> {
        let state = match self.status {
            DisputeStatus::Won => dispute::State::Won,
            DisputeStatus::Lost => dispute::State::Lost,
            DisputeStatus::Open => dispute::State::Open,
            DisputeStatus::Inquiry => return Ok(None),
        };
        let unreadable = |error| GatewayError::Unavailable(format!("the amount of its dispute {error}"));
        let amount = Amount::from_minor(self.amount).map_err(unreadable)?;
        let reason = self.reason.filter(|reason| is_name(reason));
        Ok(Some(dispute::Seen { id: self.id, amount, state, reason }))
    }
}

#[derive(Debug, Clone, Deserialize)]
struct ProviderError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    param: Option<String>,
}

impl ProviderError {
    /// A failed answer, as far as it can be read: an unreadable part must not hide the others.
    fn of(body: &[u8]) -> Self {
        let body: Value = serde_json::from_str(&String::from_utf8_lossy(body)).unwrap_or_default();
        let part = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            code: part("/error/code"),
            decline_code: part("/error/decline_code"),
            kind: part("/error/type"),
            message: part("/error/message"),
            param: part("/error/param"),
        }
    }

    /// The most particular name there is for it. It goes into events and tables, so whatever is no name is passed over.
    fn reason(&self) -> String {
        let names = [&self.decline_code, &self.code, &self.kind].into_iter().flatten();
        names.map(String::as_str).find(|name| is_name(name)).unwrap_or("declined").to_owned()
    }

    fn describe(&self, status: StatusCode) -> String {
        format!("{status} {} {}", self.reason(), brief(self.message.as_deref().unwrap_or_default()))
    }
}

fn is_name(text: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(harmless)
}

/// As much of the provider's words as a log or the journal has room for, on one line.
fn brief(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

/// An answer that is not a success, and final.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: ProviderError,
}

/// A final answer: what was asked for, or a refusal. Money follows from it, so it says what it plainly says, or nothing.
#[derive(Debug)]
pub struct Answer {
    outcome: Result<Vec<u8>, Refusal>,
    /// Whether it is an earlier answer given again under the request's idempotency key: true then, and perhaps no longer.
    is_echo: bool,
}

impl Answer {
    /// The answer with this status and body.
    ///
    /// # Errors
    /// When it is not final, or says that the fault is in our requests.
    pub fn read(status: StatusCode, body: Vec<u8>) -> Result<Self, GatewayError> {
        if status.is_success() {
            return Ok(Self { outcome: Ok(body), is_echo: false });
        }
        let error = ProviderError::of(&body);
        match status {
            StatusCode::TOO_MANY_REQUESTS => Err(GatewayError::NotReady(error.describe(status))),
            StatusCode::CONFLICT => Err(GatewayError::UnderWay(error.describe(status))),
            status if status.is_server_error() => Err(GatewayError::Unavailable(error.describe(status))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(GatewayError::Misconfigured(error.describe(status)))
            }
            status => Ok(Self { outcome: Err(Refusal { status, error }), is_echo: false }),
        }
    }

    /// The result of opening an intent.
    ///
    /// # Errors
    /// When it does not say, or the fault is in our request: too small or large an amount, a method that the account has not activated.
    pub fn opened(self) -> Result<Opened, GatewayError> {
        match self.outcome {
            Ok(body) => Ok(Opened::Intent(parse::<Intent>(&body)?.id)),
            Err(refusal) if refusal.is_about_the_method() => Ok(Opened::NoSuchMethod),
            Err(Refusal { status: StatusCode::PAYMENT_REQUIRED, error }) => {
                Ok(Opened::Declined { reason: error.reason() })
            }
            Err(refusal) if refusal.is_about_an_inactive_method() => {
                tracing::error!(cause = refusal.error.describe(refusal.status), "payment method not activated");
                Ok(Opened::MethodUnavailable)
            }
            Err(refusal) => Err(refusal.misconfigured()),
        }
    }

    /// The result of confirming an intent; nothing when only the intent itself shows it.
    ///
    /// # Errors
    /// When it does not say.
    pub fn confirmed(self) -> Result<Option<Charge>, GatewayError> {
        match self.outcome {
            _ if self.is_echo => Ok(None),
            Ok(body) => Ok(Some(charge(parse(&body)?))),
            Err(Refusal { status: StatusCode::PAYMENT_REQUIRED, error }) => {
                Ok(Some(Charge::Declined { reason: error.reason() }))
            }
            // Confirmed or cancelled before: what became of it is on the intent.
            Err(_) => Ok(None),
        }
    }

    /// The refund that was asked for; nothing when only the list of refunds can say.
    ///
    /// # Errors
    /// When the fault is in our request.
    pub fn refunded(self) -> Result<Option<Returned>, GatewayError> {
        match self.outcome {
            Ok(_) if self.is_echo => Ok(None),
            Ok(body) => parse::<RefundObject>(&body)?.seen().map(|seen| Some(Returned::Refund(seen))),
            Err(refusal) => match (refusal.error.code.as_deref(), refusal.error.param.as_deref()) {
                (Some("charge_already_refunded"), _) | (None, Some("amount")) => Ok(Some(Returned::TooMuch)),
                (Some("charge_disputed"), _) => Ok(Some(Returned::Refused { reason: refusal.error.reason() })),
                _ => Err(refusal.misconfigured()),
            },
        }
    }
}

impl Refusal {
    fn misconfigured(&self) -> GatewayError {
        GatewayError::Misconfigured(self.error.describe(self.status))
    }

    /// Whether the account does not take payments by the method that the intent names.
    fn is_about_an_inactive_method(&self) -> bool {
        self.error.param.as_deref() == Some("payment_method_types")
    }

    fn is_about_the_method(&self) -> bool {
        let named = self.error.param.as_deref() == Some("payment_method");
        named && self.error.code.as_deref() == Some("resource_missing")
    }
}

/// The environment that runs on a laptop, whose payment server has no certificate.
const LAPTOP: &str = "local";

/// Where Stripe's API is. The secret key goes there with each call, so whatever the template was given, it is https everywhere but on a laptop.
fn api_base(environment: &str, base: String) -> Result<String, ConfigError> {
    if base.starts_with("https://") || environment == LAPTOP {
        return Ok(base);
    }
    let why = format!("must be https in the environment {environment}: the secret key goes there");
    Err(ConfigError::Invalid { name: "STRIPE_API_BASE", why })
}

impl Stripe {
    /// The account whose key the environment tells where to find.
    pub fn from_env(parameters: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        let key = Secret::new(parameters, config::required("STRIPE_KEY_PARAMETER")?);
        let return_url = config::optional("PAYMENT_RETURN_URL");
        let base = api_base(&config::required("ENVIRONMENT")?, config::required("STRIPE_API_BASE")?)?;
        Ok(Self { return_url, ..Self::new(base, key)? })
    }

    /// The account with this key, whose API is there.
    ///
    /// # Errors
    /// When the certificates that the environment names cannot be used.
    pub fn new(base: impl Into<String>, key: Secret) -> Result<Self, ConfigError> {
        // The error says that another part of the process chose a provider first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        // Left to itself, it reads the system's certificates, which is longer than all else that a function does before its first call.
        let http = if trust::is_given() { http } else { http.tls_backend_preconfigured(mozilla_trusted()) };
        let invalid =
            |why: reqwest::Error| ConfigError::Invalid { name: trust::CERTIFICATES_VARIABLE, why: why.to_string() };
        let http = http.build().map_err(invalid)?;
        Ok(Self { http, base: base.into(), key: Arc::new(key), return_url: None })
    }

    /// Where the buyer's browser comes back to from their bank.
    #[must_use]
    pub fn returning_to(self, url: impl Into<String>) -> Self {
        Self { return_url: Some(url.into()), ..self }
    }

    /// One call: a final answer either way, or no answer worth the name.
    ///
    /// Stripe remembers the answer to an idempotency key even where it was a failure, its own or ours, and would repeat that for a
    /// day. Such an echo is asked again under a fresh key, which is safe because nothing here relies on the key alone: an intent
    /// is charged once, only the recorded one is ever confirmed, and refunds are looked up before one is asked for.
    async fn call(
        &self,
        verb: Verb,
        path: &str,
        idempotency_key: Option<String>,
        form: &[(&str, String)],
    ) -> Result<Answer, GatewayError> {
        let (status, is_echo, body) = self.exchange(&verb, path, idempotency_key.as_deref(), form).await?;
        let failed = status.is_server_error() || status == StatusCode::BAD_REQUEST;
        match idempotency_key {
            Some(key) if is_echo && failed => {
                let fresh = format!("{key}-{}", boxoffice_kernel::EventId::generate());
                let (status, _, body) = self.exchange(&verb, path, Some(&fresh), form).await?;
                Answer::read(status, body)
            }
            _ => Ok(Answer { is_echo, ..Answer::read(status, body)? }),
        }
    }

    /// The status of an answer, whether it is an echo, and its body.
    async fn exchange(
        &self,
        verb: &Verb,
        path: &str,
        idempotency_key: Option<&str>,
        form: &[(&str, String)],
    ) -> Result<(StatusCode, bool, Vec<u8>), GatewayError> {
        let answer = self.send(verb, path, idempotency_key, form).await?;
        let is_echo = answer.headers().contains_key("idempotent-replayed");
        let status = answer.status();
        Ok((status, is_echo, answer.bytes().await.map_err(unavailable)?.to_vec()))
    }

    async fn key(&self) -> Result<Arc<str>, GatewayError> {
        self.key.reveal().await.map_err(unreadable)
    }

    /// One request, asked once more with the key as it is now when Stripe does not know it: it may have been rolled.
    async fn send(
        &self,
        verb: &Verb,
        path: &str,
        idempotency_key: Option<&str>,
        form: &[(&str, String)],
    ) -> Result<reqwest::Response, GatewayError> {
        let key = self.key().await?;
        let answer = self.send_with(&key, verb, path, idempotency_key, form).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let current = self.key.reveal_anew(&key).await.map_err(unreadable)?;
        if current == key { Ok(answer) } else { self.send_with(&current, verb, path, idempotency_key, form).await }
    }

    async fn send_with(
        &self,
        key: &str,
        verb: &Verb,
        path: &str,
        idempotency_key: Option<&str>,
        form: &[(&str, String)],
    ) -> Result<reqwest::Response, GatewayError> {
        let timeout = if path.ends_with("/confirm") { CONFIRMATION_TIMEOUT } else { TIMEOUT };
        let mut request = self
            .http
            .request(verb.clone(), format!("{}{path}", self.base))
            .timeout(timeout)
            .bearer_auth(key)
            .header("Stripe-Version", API_VERSION);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if !form.is_empty() {
            request = request.form(form);
        }
        request.send().await.map_err(unavailable)
    }

    async fn intent(&self, intent: &IntentId) -> Result<Option<Intent>, GatewayError> {
        let answer = self.call(Verb::GET, &format!("/v1/payment_intents/{intent}"), None, &[]).await?;
        match answer.outcome {
            Ok(body) => parse(&body).map(Some),
            Err(Refusal { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(refusal) => Err(refusal.misconfigured()),
        }
    }

    /// The intent, which must be there.
    async fn known_intent(&self, intent: &IntentId) -> Result<Intent, GatewayError> {
        let missing = || GatewayError::Misconfigured(format!("there is no intent {intent}"));
        self.intent(intent).await?.ok_or_else(missing)
    }

    /// The disputes of an intent that moved money. A charge has one, or a few.
    async fn disputes(&self, intent: &IntentId) -> Result<Vec<dispute::Seen>, GatewayError> {
        let path = format!("/v1/disputes?payment_intent={intent}&limit=100");
        let found: Disputes = match self.call(Verb::GET, &path, None, &[]).await?.outcome {
            Ok(body) => parse(&body)?,
            Err(refusal) => return Err(refusal.misconfigured()),
        };
        found.data.into_iter().filter_map(|dispute| dispute.seen().transpose()).collect()
    }

    /// Every refund of an intent, the newest first.
    async fn refunds(&self, intent: &IntentId) -> Result<Vec<refund::Seen>, GatewayError> {
        let first = format!("/v1/refunds?payment_intent={intent}&limit=100");
        let (mut path, mut found) = (first.clone(), Vec::new());
        loop {
            let page: Refunds = match self.call(Verb::GET, &path, None, &[]).await?.outcome {
                Ok(body) => parse(&body)?,
                Err(refusal) => return Err(refusal.misconfigured()),
            };
            let last = page.data.last().map(|refund| refund.id.clone());
            for refund in page.data {
                found.push(refund.seen()?);
            }
            match last {
                Some(last) if page.has_more => path = format!("{first}&starting_after={last}"),
                _ => return Ok(found),
            }
        }
    }
}

fn unreadable(error: StoreError) -> GatewayError {
    let why = format!("its key cannot be read: {error}");
    match error {
        StoreError::Unavailable(_) => GatewayError::NotReady(why),
        StoreError::Broken(_) => GatewayError::Misconfigured(why),
    }
}

/// The roots that Stripe is checked against: the web's certificates, since Stripe commits to none in particular.
fn mozilla_trusted() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

fn unavailable(error: reqwest::Error) -> GatewayError {
    GatewayError::Unavailable(error.without_url().to_string())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, GatewayError> {
    serde_json::from_slice(body)
        .map_err(|error| GatewayError::Unavailable(format!("its answer cannot be read: {}", brief(&error.to_string()))))
}

fn charge(intent: Intent) -> Charge {
    let declined = || Charge::Declined {
        reason: intent.last_payment_error.as_ref().map_or_else(|| "declined".to_owned(), ProviderError::reason),
    };
    match intent.status {
        IntentStatus::Succeeded => Charge::Succeeded,
        // We cancelled it for the next attempt, and were stopped before we could write that down.
        IntentStatus::Canceled if intent.cancellation_reason.as_deref() == Some(LEFT_BEHIND) => declined(),
        IntentStatus::Canceled => Charge::Cancelled,
        IntentStatus::RequiresPaymentMethod => declined(),
        IntentStatus::RequiresConfirmation => Charge::Unconfirmed,
        IntentStatus::RequiresAction => {
            let Some(client_secret) = intent.client_secret else { return Charge::UnderWay };
            let redirect = intent.next_action.and_then(|action| action.redirect_to_url);
            Charge::NeedsAction(NextAction { redirect_url: redirect.map(|redirect| redirect.url), client_secret })
        }
        IntentStatus::Processing | IntentStatus::Other => Charge::UnderWay,
    }
}

/// The provider's name for the kind of method.
fn method_type(method: Method) -> &'static str {
    match method {
        Method::CreditCard | Method::DebitCard => "card",
        Method::Paypal => "paypal",
        Method::BankTransfer => "sepa_debit",
    }
}

/// Stripe's word for why an intent is cancelled while the payment goes on with another.
const LEFT_BEHIND: &str = "abandoned";
/// The same, when the payment has come to its end.
const CALLED_OFF: &str = "requested_by_customer";

impl PaymentGateway for Stripe {
    async fn open(&self, payment: &Payment, token: &MethodToken) -> Result<Opened, GatewayError> {
        let form = [
            ("amount", payment.money.amount.minor().to_string()),
            ("currency", payment.money.currency.code().to_ascii_lowercase()),
            ("payment_method", token.reveal().to_owned()),
            ("payment_method_types[]", method_type(payment.method).to_owned()),
            ("metadata[ticketId]", payment.ticket_id.to_string()),
            ("metadata[paymentId]", payment.id.to_string()),
        ];
        let key = Some(format!("open-{}-{}", payment.id, payment.attempt));
        self.call(Verb::POST, "/v1/payment_intents", key, &form).await?.opened()
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        let key = Some(format!("confirm-{}-{}", payment.id, payment.attempt));
        let return_url = self.return_url.as_ref().map(|url| ("return_url", format!("{url}?payment={}", payment.id)));
        let form: Vec<_> = return_url.into_iter().collect();
        let answer = self.call(Verb::POST, &format!("/v1/payment_intents/{intent}/confirm"), key, &form).await?;
        match answer.confirmed()? {
            Some(outcome) => Ok(outcome),
            None => Ok(charge(self.known_intent(intent).await?)),
        }
    }

    async fn look(&self, intent: &IntentId) -> Result<Option<Seen>, GatewayError> {
        let Some(found) = self.intent(intent).await? else { return Ok(None) };
        let payment: Option<PaymentId> = found.metadata.payment_id.as_ref().and_then(|id| id.parse().ok());
        Ok(Some(Seen { payment, charge: charge(found) }))
    }

    async fn cancel(&self, intent: &IntentId, called_off: CalledOff) -> Result<Cancellation, GatewayError> {
        let reason = match called_off {
            CalledOff::Attempt => LEFT_BEHIND,
            CalledOff::Payment => CALLED_OFF,
        };
        let form = [("cancellation_reason", reason.to_owned())];
        let answer = self.call(Verb::POST, &format!("/v1/payment_intents/{intent}/cancel"), None, &form).await?;
        let current = match answer.outcome {
            Ok(body) => parse(&body)?,
            Err(_) => self.known_intent(intent).await?,
        };
        match current.status {
            IntentStatus::Canceled => Ok(Cancellation::Cancelled),
            IntentStatus::Succeeded => Ok(Cancellation::AlreadySucceeded),
            status => Err(GatewayError::NotReady(format!("intent {intent} cannot be cancelled while {status:?}"))),
        }
    }

    async fn moved(&self, intent: &IntentId) -> Result<Moved, GatewayError> {
        let (refunds, disputes) = tokio::try_join!(self.refunds(intent), self.disputes(intent))?;
        Ok(Moved { refunds, disputes })
    }

    async fn record(&self, since: Timestamp, after: Option<&ProviderEventId>) -> Result<Record, GatewayError> {
        let types: Vec<_> =
            MONEY_MOVED.iter().enumerate().map(|(number, kind)| format!("types[{number}]={kind}")).collect();
        let types = types.join("&");
        let after = after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
        let path = format!("/v1/events?limit=100&created[gte]={}&{types}{after}", since.unix_seconds());
        match self.call(Verb::GET, &path, None, &[]).await?.outcome {
            Ok(body) => Ok(parse::<Events>(&body)?.record()),
            Err(refusal) => Err(refusal.misconfigured()),
        }
    }

    async fn statement(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: Option<&ProviderLineId>,
    ) -> Result<Statement, GatewayError> {
        let (from, to) = (from.unix_seconds(), to.unix_seconds());
        let after = after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
        let path = format!(
            "/v1/balance_transactions?limit=100&created[gte]={from}&created[lt]={to}&expand[]=data.source{after}"
        );
        let page: BalanceTransactions = match self.call(Verb::GET, &path, None, &[]).await?.outcome {
            Ok(body) => parse(&body)?,
            Err(refusal) => return Err(refusal.misconfigured()),
        };
        let next = page.data.last().filter(|_| page.has_more).map(|last| last.id.clone());
        Ok(Statement { lines: page.data.iter().filter_map(BalanceTransaction::line).collect(), next })
    }

    async fn refund(&self, payment: &Payment, intent: &IntentId, refund: &Refund) -> Result<Returned, GatewayError> {
        let form = [
            ("payment_intent", intent.to_string()),
            ("amount", refund.amount.minor().to_string()),
            ("metadata[paymentId]", payment.id.to_string()),
            ("metadata[refundId]", refund.id.to_string()),
            ("metadata[attempt]", refund.attempt.to_string()),
        ];
        for echoes in 0..ECHOES {
            // The keys follow one another, so that two who meet an echo ask for the same refund again and not for two.
            let key = format!("refund-{}-{}-{echoes}", refund.id, refund.attempt);
            let (status, is_echo, body) = self.exchange(&Verb::POST, "/v1/refunds", Some(&key), &form).await?;
            let answer = if is_echo && status.is_server_error() {
                None
            } else {
                match (Answer { is_echo, ..Answer::read(status, body)? }).refunded() {
                    Err(GatewayError::Misconfigured(_)) if is_echo => None,
                    outcome => outcome?,
                }
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
            // An earlier answer: it may have been overtaken, or be a failure after which the refund was made all the same.
            let mut made = self.refunds(intent).await?.into_iter();
            if let Some(seen) = made.find(|seen| seen.ours == Some((refund.id, refund.attempt))) {
                return Ok(Returned::Refund(seen));
            }
        }
        Err(GatewayError::NotReady(format!("it repeats an old failure to refund {intent}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::TicketId;

    fn outcome(json: &str) -> Charge {
        charge(parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn the_secret_key_goes_over_https_everywhere_but_on_a_laptop() {
        let plain = ["http://127.0.0.1:4567", "http://10.0.0.7", "HTTP://api.stripe.com", "ftp://api.stripe.com", ""];
        for environment in ["dev", "prod", "locals", ""] {
            for base in plain {
                assert!(api_base(environment, base.to_owned()).is_err(), "{base} in {environment}");
            }
            assert!(api_base(environment, "https://api.stripe.com".to_owned()).is_ok(), "{environment}");
        }
        assert_eq!(api_base("local", plain[0].to_owned()).ok().as_deref(), Some(plain[0]));
    }

    #[test]
    fn each_end_of_an_intent_is_read_for_what_it_is() {
        assert_eq!(outcome(r#"{"id":"pi_1","status":"succeeded"}"#), Charge::Succeeded);
        assert_eq!(outcome(r#"{"id":"pi_1","status":"canceled"}"#), Charge::Cancelled);
        let declined = outcome(
            r#"{"id":"pi_1","status":"requires_payment_method","last_payment_error":{"code":"card_declined","decline_code":"insufficient_funds"}}"#,
        );
        assert_eq!(declined, Charge::Declined { reason: "insufficient_funds".into() });
    }

    #[test]
    fn an_intent_that_is_not_decided_is_neither_paid_nor_declined() {
        for status in ["processing", "something_new", "requires_capture"] {
            let json = format!(r#"{{"id":"pi_1","status":"{status}"}}"#);
            assert_eq!(outcome(&json), Charge::UnderWay, "{status}");
        }
        assert_eq!(outcome(r#"{"id":"pi_1","status":"requires_confirmation"}"#), Charge::Unconfirmed);
    }

    #[test]
    fn authentication_is_no_decline_and_says_where_to_go() {
        let redirect = outcome(
            r#"{"id":"pi_1","status":"requires_action","client_secret":"s","next_action":{"type":"redirect_to_url","redirect_to_url":{"url":"https://bank"}}}"#,
        );
        let action = |url: Option<&str>| {
            Charge::NeedsAction(NextAction { redirect_url: url.map(Into::into), client_secret: "s".into() })
        };
        assert_eq!(redirect, action(Some("https://bank")));
        let script = outcome(
            r#"{"id":"pi_1","status":"requires_action","client_secret":"s","next_action":{"type":"use_stripe_sdk"}}"#,
        );
        assert_eq!(script, action(None));
    }

    #[test]
    fn an_intent_cancelled_after_its_decline_is_still_declined() {
        let left = outcome(
            r#"{"id":"pi_1","status":"canceled","cancellation_reason":"abandoned","last_payment_error":{"code":"expired_card"}}"#,
        );
        assert_eq!(left, Charge::Declined { reason: "expired_card".into() });
        let called_off = outcome(r#"{"id":"pi_1","status":"canceled","cancellation_reason":"requested_by_customer"}"#);
        assert_eq!(called_off, Charge::Cancelled);
    }

    #[test]
    fn a_refusal_of_our_request_is_no_decline_and_a_mistyped_token_is_the_buyers() {
        let opened = |error: serde_json::Value| {
            let body = serde_json::json!({ "error": error }).to_string();
            Answer::read(StatusCode::BAD_REQUEST, body.into()).unwrap().opened()
        };
        for (code, param) in [
            ("amount_too_small", "amount"),
            ("amount_too_large", "amount"),
            ("resource_missing", "customer"),
            ("something_new", "payment_method"),
        ] {
            let refused = opened(serde_json::json!({ "code": code, "param": param, "type": "invalid_request_error" }));
            assert!(matches!(refused, Err(GatewayError::Misconfigured(_))), "{code}: {refused:?}");
        }
        let inactive =
            serde_json::json!({ "code": "payment_intent_invalid_parameter", "param": "payment_method_types" });
        assert_eq!(opened(inactive), Ok(Opened::MethodUnavailable));
        let mistyped = serde_json::json!({ "code": "resource_missing", "param": "payment_method" });
        assert_eq!(opened(mistyped), Ok(Opened::NoSuchMethod));
    }

    #[test]
    fn a_refund_is_what_its_object_says() {
        use refund::State;
        let refunded = |status: &str| {
            let body = serde_json::json!({ "id": "re_1", "amount": 100, "status": status }).to_string();
            Answer::read(StatusCode::OK, body.into()).unwrap().refunded().unwrap()
        };
        for (status, expected) in [
            ("succeeded", State::Succeeded),
            ("pending", State::Pending),
            ("requires_action", State::Pending),
            ("something_new", State::Pending),
            ("failed", State::Failed),
            ("canceled", State::Canceled),
        ] {
            let refund = refunded(status);
            assert!(matches!(&refund, Some(Returned::Refund(seen)) if seen.state == expected), "{status}: {refund:?}");
        }
    }

    #[test]
    fn a_dispute_is_where_its_object_says_and_an_inquiry_is_none() {
        let seen = |status: &str| {
            let body = serde_json::json!({ "id": "du_1", "amount": 100, "status": status, "reason": "a sentence" });
            parse::<DisputeObject>(body.to_string().as_bytes()).unwrap().seen().unwrap()
        };
        for (status, expected) in [
            ("needs_response", Some(dispute::State::Open)),
            ("under_review", Some(dispute::State::Open)),
            ("something_new", Some(dispute::State::Open)),
            ("won", Some(dispute::State::Won)),
            ("lost", Some(dispute::State::Lost)),
            ("warning_needs_response", None),
            ("warning_under_review", None),
            ("warning_closed", None),
        ] {
            assert_eq!(seen(status).map(|seen| seen.state), expected, "{status}");
        }
        assert_eq!(seen("won").unwrap().reason, None);
    }

    #[test]
    fn a_refund_that_is_not_made_says_why() {
        let refused = |error: serde_json::Value| {
            let body = serde_json::json!({ "error": error }).to_string();
            Answer::read(StatusCode::BAD_REQUEST, body.into()).unwrap().refunded()
        };
        assert_eq!(refused(serde_json::json!({ "code": "charge_already_refunded" })), Ok(Some(Returned::TooMuch)));
        assert_eq!(refused(serde_json::json!({ "param": "amount" })), Ok(Some(Returned::TooMuch)));
        let disputed = Returned::Refused { reason: "charge_disputed".into() };
        assert_eq!(refused(serde_json::json!({ "code": "charge_disputed" })), Ok(Some(disputed)));
        let unknown = refused(serde_json::json!({ "code": "resource_missing", "param": "payment_intent" }));
        assert!(matches!(unknown, Err(GatewayError::Misconfigured(_))), "{unknown:?}");
    }

    #[test]
    fn the_record_names_intents_whose_money_others_moved() {
        let page = |data: serde_json::Value, has_more: bool| {
            parse::<Events>(serde_json::json!({ "data": data, "has_more": has_more }).to_string().as_bytes())
                .unwrap()
                .record()
        };
        let event = |id: &str, intent: &str, more: serde_json::Value| {
            let mut object = serde_json::json!({ "object": "refund", "payment_intent": intent, "status": "succeeded" });
            object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::json!({ "id": id, "data": { "object": object } })
        };
        let ours = serde_json::json!({ "metadata": { "refundId": TicketId::generate().payment().refund("whole"), "attempt": "1" } });
        let failed = |mut refund: serde_json::Value| {
            refund["status"] = "failed".into();
            refund
        };
        let elsewhere = serde_json::json!({
            "id": "evt_6", "account": "acct_1", "data": { "object": { "payment_intent": "pi_elsewhere" } }
        });
        let data = serde_json::json!([
            event("evt_1", "pi_external", serde_json::json!({})),
            event("evt_2", "pi_external", serde_json::json!({ "status": "pending" })),
            event("evt_3", "pi_ours", ours.clone()),
            event("evt_4", "pi_failed", failed(ours)),
            { "id": "evt_5", "data": { "object": { "object": "dispute", "payment_intent": "pi_disputed", "status": "lost" } } },
            elsewhere,
            { "id": "evt_7", "an event": "of another form" },
        ]);
        let named = |record: &Record| record.intents.iter().map(ToString::to_string).collect::<Vec<_>>();
        let last = page(data.clone(), false);
        assert_eq!(
            (named(&last), last.next),
            (vec!["pi_external".into(), "pi_failed".into(), "pi_disputed".into()], None)
        );
        assert_eq!(page(data, true).next.map(|id| id.to_string()).as_deref(), Some("evt_7"));
    }

    #[test]
    fn an_echo_does_not_say_how_things_are() {
        let body = r#"{"id":"pi_1","status":"processing"}"#;
        let answer = Answer::read(StatusCode::OK, body.into()).unwrap();
        assert_eq!(Answer { is_echo: true, ..answer }.confirmed(), Ok(None));
    }

    #[test]
    fn a_reason_is_a_name_whatever_the_provider_writes() {
        let declined = |error: serde_json::Value| {
            let body = serde_json::json!({ "error": error }).to_string();
            Answer::read(StatusCode::PAYMENT_REQUIRED, body.into()).unwrap().confirmed().unwrap()
        };
        let because = |reason: &str| Some(Charge::Declined { reason: reason.into() });
        for no_name in ["", "a sentence", "a\nline", "é", &"x".repeat(65)] {
            assert_eq!(declined(serde_json::json!({ "decline_code": no_name })), because("declined"), "{no_name:?}");
            let error = serde_json::json!({ "decline_code": no_name, "code": "card_declined" });
            assert_eq!(declined(error), because("card_declined"), "{no_name:?}");
        }
    }

    #[test]
    fn one_part_that_cannot_be_read_hides_no_other() {
        for message in [&b"5"[..], b"\"not \xff UTF-8\"", b"null", b"{}"] {
            let body = [br#"{"error":{"type":"idempotency_error","message":"#, message, b"}}"].concat();
            let opened = Answer::read(StatusCode::BAD_REQUEST, body).unwrap().opened();
            assert!(matches!(opened, Err(GatewayError::Misconfigured(_))), "{opened:?}");
        }
    }

    #[test]
    fn long_provider_messages_are_truncated() {
        let long = "a long\nstory ".repeat(100_000);
        let failure = serde_json::json!({ "error": { "message": long } }).to_string();
        let unreadable =
            serde_json::json!({ "id": "pi_1", "status": "succeeded", "last_payment_error": long }).to_string();
        let read = |status, body: String| Answer::read(status, body.into()).and_then(Answer::confirmed).unwrap_err();
        for error in [read(StatusCode::BAD_GATEWAY, failure), read(StatusCode::OK, unreadable)] {
            let text = error.to_string();
            assert!(text.len() < 500 && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn an_id_that_would_lead_elsewhere_is_refused() {
        assert!(parse::<Intent>(br#"{"id":"../refunds","status":"succeeded"}"#).is_err());
    }
}
