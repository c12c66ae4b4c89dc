//! Stripe, by its HTTP API: payment intents, refunds and idempotency keys
//! (<https://docs.stripe.com/api/payment_intents>, <https://docs.stripe.com/api/idempotent_requests>).

use crate::{
    domain::{IntentId, Method, MethodToken, Payment},
    gateway::{Cancellation, Charge, GatewayError, Opened, PaymentGateway},
};
use boxoffice_aws::{Secret, StoreError, trust};
use boxoffice_runtime::config::{self, ConfigError};
use reqwest::{Method as Verb, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// The API version whose answers this file reads. Pinned, because the account's default may change.
const API_VERSION: &str = "2024-06-20";
/// A call may take this long; three fit into a step's time.
const TIMEOUT: Duration = Duration::from_secs(4);

/// A Stripe account.
#[derive(Debug, Clone)]
pub struct Stripe {
    http: reqwest::Client,
    base: String,
    key: Arc<Secret>,
}

#[derive(Debug, Deserialize)]
struct Intent {
    id: IntentId,
    status: IntentStatus,
    #[serde(default)]
    last_payment_error: Option<ProviderError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum IntentStatus {
    Succeeded,
    Canceled,
    Processing,
    RequiresAction,
    RequiresPaymentMethod,
    #[serde(other)]
    Open,
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
}

impl ProviderError {
    /// What a failed answer says, as far as it can be read: one part that cannot must not hide what the others say.
    fn of(body: &[u8]) -> Self {
        let body: Value = serde_json::from_str(&String::from_utf8_lossy(body)).unwrap_or_default();
        let part = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            code: part("/error/code"),
            decline_code: part("/error/decline_code"),
            kind: part("/error/type"),
            message: part("/error/message"),
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
pub struct Answer(Result<Vec<u8>, Refusal>);

impl Answer {
    /// The answer with this status and body.
    ///
    /// # Errors
    /// When it is not final, or says that the fault is in our requests.
    pub fn read(status: StatusCode, body: Vec<u8>) -> Result<Self, GatewayError> {
        if status.is_success() {
            return Ok(Self(Ok(body)));
        }
        let error = ProviderError::of(&body);
        match status {
            // 409: a request with the same idempotency key is still under way.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT => Err(GatewayError::NotReady(error.describe(status))),
            status if status.is_server_error() => Err(GatewayError::Unavailable(error.describe(status))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(GatewayError::Misconfigured(error.describe(status)))
            }
            status => Ok(Self(Err(Refusal { status, error }))),
        }
    }

    /// What opening an intent came to.
    ///
    /// # Errors
    /// When it does not say.
    pub fn opened(self) -> Result<Opened, GatewayError> {
        match self.0 {
            Ok(body) => Ok(Opened::Intent(parse(&body)?.id)),
            Err(refusal) if refusal.error.kind.as_deref() == Some("idempotency_error") => Err(refusal.misconfigured()),
            Err(refusal) => Ok(Opened::Declined { reason: refusal.error.reason() }),
        }
    }

    /// What confirming an intent came to; nothing when only the intent itself can say.
    ///
    /// # Errors
    /// When it does not say.
    pub fn confirmed(self) -> Result<Option<Charge>, GatewayError> {
        match self.0 {
            Ok(body) => charge(&parse(&body)?).map(Some),
            Err(Refusal { status: StatusCode::PAYMENT_REQUIRED, error }) => {
                Ok(Some(Charge::Declined { reason: error.reason() }))
            }
            // Confirmed or cancelled before: what became of it is on the intent.
            Err(_) => Ok(None),
        }
    }

    /// Whether the money is given back, by this call or an earlier one.
    ///
    /// # Errors
    /// When it is not.
    pub fn refunded(self) -> Result<(), GatewayError> {
        match self.0 {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.error.code.as_deref() == Some("charge_already_refunded") => Ok(()),
            Err(refusal) => Err(refusal.misconfigured()),
        }
    }
}

impl Refusal {
    fn misconfigured(&self) -> GatewayError {
        GatewayError::Misconfigured(self.error.describe(self.status))
    }
}

impl Stripe {
    /// The account whose key the environment tells where to find.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env(parameters: aws_sdk_ssm::Client) -> Result<Self, ConfigError> {
        let key = Secret::new(parameters, config::required("STRIPE_KEY_PARAMETER")?);
        Self::new(config::required("STRIPE_API_BASE")?, key)
    }

    /// The account with this key, whose API is there.
    ///
    /// # Errors
    /// When the certificates that the environment names cannot be used.
    pub fn new(base: impl Into<String>, key: Secret) -> Result<Self, ConfigError> {
        // The error says that another part of the process chose a provider first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        // Left to itself, it reads the system's certificates, which is longer than all else that a function does before its first call.
        let http = if trust::is_given() { http } else { http.tls_backend_preconfigured(mozilla_trusted()) };
        let invalid =
            |why: reqwest::Error| ConfigError::Invalid { name: trust::CERTIFICATES_VARIABLE, why: why.to_string() };
        let http = http.build().map_err(invalid)?;
        Ok(Self { http, base: base.into(), key: Arc::new(key) })
    }

    /// One call: a final answer either way, or no answer worth the name.
    ///
    /// Stripe remembers the answer to an idempotency key even where it was a failure of its own, and would repeat that for a
    /// day. Such an echo is asked again under a fresh key, which is safe because nothing here relies on the key alone: an intent
    /// is charged once, only the recorded one is ever confirmed, and a charge is given back in full once.
    async fn call(
        &self,
        verb: Verb,
        path: &str,
        idempotency_key: Option<String>,
        form: &[(&str, String)],
    ) -> Result<Answer, GatewayError> {
        let answer = self.send(&verb, path, idempotency_key.as_deref(), form).await?;
        let is_echo = answer.status().is_server_error() && answer.headers().contains_key("idempotent-replayed");
        let answer = match idempotency_key {
            Some(key) if is_echo => {
                let fresh = format!("{key}-{}", boxoffice_kernel::EventId::generate());
                self.send(&verb, path, Some(&fresh), form).await?
            }
            _ => answer,
        };
        let status = answer.status();
        Answer::read(status, answer.bytes().await.map_err(unavailable)?.to_vec())
    }

    async fn key(&self) -> Result<&str, GatewayError> {
        self.key.reveal().await.map_err(|error| match error {
            StoreError::Unavailable(_) => GatewayError::NotReady(format!("its key cannot be read: {error}")),
            StoreError::Broken(_) => GatewayError::Misconfigured(format!("its key cannot be read: {error}")),
        })
    }

    async fn send(
        &self,
        verb: &Verb,
        path: &str,
        idempotency_key: Option<&str>,
        form: &[(&str, String)],
    ) -> Result<reqwest::Response, GatewayError> {
        let mut request = self
            .http
            .request(verb.clone(), format!("{}{path}", self.base))
            .bearer_auth(self.key().await?)
            .header("Stripe-Version", API_VERSION);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if !form.is_empty() {
            request = request.form(form);
        }
        request.send().await.map_err(unavailable)
    }

    async fn intent(&self, intent: &IntentId) -> Result<Intent, GatewayError> {
        match self.call(Verb::GET, &format!("/v1/payment_intents/{intent}"), None, &[]).await?.0 {
            Ok(body) => parse(&body),
            Err(refusal) => Err(refusal.misconfigured()),
        }
    }
}

/// What Stripe is checked against: the web's certificates, since it binds itself to none of them.
fn mozilla_trusted() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

fn unavailable(error: reqwest::Error) -> GatewayError {
    GatewayError::Unavailable(error.without_url().to_string())
}

fn parse(body: &[u8]) -> Result<Intent, GatewayError> {
    serde_json::from_slice(body)
        .map_err(|error| GatewayError::Unavailable(format!("its answer cannot be read: {}", brief(&error.to_string()))))
}

fn charge(intent: &Intent) -> Result<Charge, GatewayError> {
    let declined = |reason: &str| Ok(Charge::Declined { reason: reason.to_owned() });
    match intent.status {
        IntentStatus::Succeeded => Ok(Charge::Succeeded),
        IntentStatus::Canceled => Ok(Charge::Cancelled),
        // A Lambda cannot show the buyer their bank's page, and the hold does not wait for it.
        IntentStatus::RequiresAction => declined("authentication_required"),
        IntentStatus::RequiresPaymentMethod => {
            declined(&intent.last_payment_error.as_ref().map_or_else(|| "declined".to_owned(), ProviderError::reason))
        }
        IntentStatus::Processing | IntentStatus::Open => {
            Err(GatewayError::NotReady(format!("intent {} is still {:?}", intent.id, intent.status)))
        }
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
        let key = Some(format!("open-{}", payment.id));
        self.call(Verb::POST, "/v1/payment_intents", key, &form).await?.opened()
    }

    async fn confirm(&self, payment: &Payment, intent: &IntentId) -> Result<Charge, GatewayError> {
        let key = Some(format!("confirm-{}", payment.id));
        let answer = self.call(Verb::POST, &format!("/v1/payment_intents/{intent}/confirm"), key, &[]).await?;
        match answer.confirmed()? {
            Some(outcome) => Ok(outcome),
            None => charge(&self.intent(intent).await?),
        }
    }

    async fn cancel(&self, intent: &IntentId) -> Result<Cancellation, GatewayError> {
        let answer = self.call(Verb::POST, &format!("/v1/payment_intents/{intent}/cancel"), None, &[]).await?;
        let current = match answer.0 {
            Ok(body) => parse(&body)?,
            Err(_) => self.intent(intent).await?,
        };
        match current.status {
            IntentStatus::Canceled => Ok(Cancellation::Cancelled),
            IntentStatus::Succeeded => Ok(Cancellation::AlreadySucceeded),
            status => Err(GatewayError::NotReady(format!("intent {intent} cannot be cancelled while {status:?}"))),
        }
    }

    async fn refund(&self, payment: &Payment, intent: &IntentId) -> Result<(), GatewayError> {
        let form = [("payment_intent", intent.to_string()), ("metadata[paymentId]", payment.id.to_string())];
        let key = Some(format!("refund-{}", payment.id));
        self.call(Verb::POST, "/v1/refunds", key, &form).await?.refunded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(json: &str) -> Result<Charge, GatewayError> {
        charge(&parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn each_end_of_an_intent_is_read_for_what_it_is() {
        assert_eq!(outcome(r#"{"id":"pi_1","status":"succeeded"}"#), Ok(Charge::Succeeded));
        assert_eq!(outcome(r#"{"id":"pi_1","status":"canceled"}"#), Ok(Charge::Cancelled));
        let declined = outcome(
            r#"{"id":"pi_1","status":"requires_payment_method","last_payment_error":{"code":"card_declined","decline_code":"insufficient_funds"}}"#,
        );
        assert_eq!(declined, Ok(Charge::Declined { reason: "insufficient_funds".into() }));
    }

    #[test]
    fn an_intent_still_open_is_neither_paid_nor_declined() {
        for status in ["processing", "requires_confirmation", "something_new"] {
            let json = format!(r#"{{"id":"pi_1","status":"{status}"}}"#);
            assert!(matches!(outcome(&json), Err(GatewayError::NotReady(_))), "{status}");
        }
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
    fn what_the_provider_says_at_length_is_cut_short() {
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
        assert!(parse(br#"{"id":"../refunds","status":"succeeded"}"#).is_err());
    }
}
