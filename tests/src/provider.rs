//! The local payment provider's control API: faults to order, a journal of requests, a ledger of money. The product knows nothing of it.
//! Described in `localstack/payments/payment_server.py`.

use crate::{Outcome, http::Http};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The local payment provider.
#[derive(Debug, Clone)]
pub struct Provider {
    http: Http,
}

/// A fault of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A 500 instead of the work.
    Error500,
    /// The connection hangs, and no work is done.
    Timeout,
    /// The work is done, and the connection drops before the answer.
    AnswerLost,
    /// The work is done after a while.
    Delay,
    /// A 429 instead of the work.
    RateLimit,
}

/// The requests that a fault meets: those of one booking, found by what its payment's creation says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_regex: Option<&'static str>,
    body_contains: String,
}

impl Which {
    /// Every request about the booking.
    pub fn all(about: impl Into<String>) -> Self {
        Self { method: None, path_regex: None, body_contains: about.into() }
    }

    /// The requests that make a payment or charge it, and none that would take it back.
    pub fn charging(about: impl Into<String>) -> Self {
        let path_regex = Some("^/v1/payment_intents(/[^/]+/confirm)?$");
        Self { method: Some("POST"), path_regex, ..Self::all(about) }
    }

    /// The requests that move the buyer's money.
    pub fn confirming(about: impl Into<String>) -> Self {
        Self { method: Some("POST"), path_regex: Some("/confirm$"), ..Self::all(about) }
    }

    /// The requests about a payment that has been made, whatever they want with it.
    pub fn about_an_existing_payment(about: impl Into<String>) -> Self {
        Self { path_regex: Some("^/v1/payment_intents/"), ..Self::all(about) }
    }

    /// The requests that give money back.
    pub fn refunding(about: impl Into<String>) -> Self {
        Self { method: Some("POST"), path_regex: Some("^/v1/refunds$"), ..Self::all(about) }
    }
}

/// An ordered fault.
#[derive(Debug, Clone, Deserialize)]
pub struct Armed {
    id: String,
    /// How often it has happened.
    #[serde(default)]
    pub hits: u32,
}

/// One request that the provider got.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// The answer, also one that was never delivered.
    pub status: Option<u16>,
    /// Whether the answer was an earlier one given again under the same idempotency key.
    pub replayed: Option<bool>,
    /// The payment's status afterwards, or the error's code.
    pub outcome: Option<String>,
    /// The fault that happened to it.
    pub fault: Option<String>,
}

/// One attempt to deliver an event.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The answer's status, or in a word why there is none.
    pub outcome: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Intent {
    id: String,
    status: String,
}

/// The money that one payment moved in the end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Money {
    /// Cents taken.
    pub charged: u64,
    /// Cents given back.
    pub refunded: u64,
}

impl Provider {
    pub(crate) fn at(url: &str) -> Outcome<Self> {
        Ok(Self { http: Http::new(url)? })
    }

    /// Orders a fault: so many times, or for ever with `None`. `delay_ms` is how long a delay or a timeout lasts.
    ///
    /// # Errors
    /// When the provider does not understand.
    pub async fn arm(&self, which: &Which, fault: Fault, times: Option<i32>, delay_ms: u32) -> Outcome<Armed> {
        let order = json!({ "match": which, "fault": fault, "times": times.unwrap_or(-1), "delayMs": delay_ms });
        self.http.post(["_control", "faults"]).json(&order).send().await?.answer(201)
    }

    /// Orders a fault for one request in so many, for ever.
    ///
    /// # Errors
    /// When the provider does not understand.
    pub async fn arm_every(&self, every: u32, which: &Which, fault: Fault) -> Outcome<Armed> {
        let order = json!({ "match": which, "fault": fault, "times": -1, "every": every });
        self.http.post(["_control", "faults"]).json(&order).send().await?.answer(201)
    }

    /// Takes a fault back.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn disarm(&self, fault: &Armed) -> Outcome<()> {
        let request = self.http.request(Method::DELETE, ["_control", "faults", &fault.id]);
        request.send().await?.with_status(204).map(|_| ())
    }

    /// How often the fault has happened by now.
    ///
    /// # Errors
    /// When the provider does not know it.
    pub async fn hits(&self, fault: &Armed) -> Outcome<u32> {
        let all: Vec<Armed> = self.http.get(["_control", "faults"]).send().await?.answer(200)?;
        all.iter()
            .find(|known| known.id == fault.id)
            .map(|known| known.hits)
            .ok_or_else(|| crate::Failure::new(format!("the provider does not know {}", fault.id)))
    }

    /// Every request about a booking, oldest first.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn requests(&self, about: &str) -> Outcome<Vec<Received>> {
        self.http.get(["_control", "requests"]).query("contains", about).send().await?.answer(200)
    }

    /// The money that a booking's payments moved in the end, all of them together.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn money(&self, about: &str) -> Outcome<Money> {
        let lines: Vec<Money> =
            self.http.get(["_control", "ledger"]).query("contains", about).send().await?.answer(200)?;
        let sum = |part: fn(&Money) -> u64| lines.iter().map(part).sum();
        Ok(Money { charged: sum(|line| line.charged), refunded: sum(|line| line.refunded) })
    }

    /// The header with which the provider would deliver this body.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn sign(&self, body: &str) -> Outcome<String> {
        #[derive(Deserialize)]
        struct Signed {
            signature: String,
        }
        let request = self.http.post(["_control", "webhook", "sign"]).json(&json!({ "body": body }));
        request.send().await?.answer(200).map(|signed: Signed| signed.signature)
    }

    /// Mishandles the provider's events about this booking from now on.
    ///
    /// # Errors
    /// When the provider does not understand.
    pub async fn mishandle(&self, about: &str, act: &str, delay_ms: u32) -> Outcome<()> {
        let order = json!({ "act": act, "bodyContains": about, "times": -1, "delayMs": delay_ms });
        self.http.post(["_control", "webhook", "mischief"]).json(&order).send().await?.with_status(201).map(|_| ())
    }

    /// The API's answers to the provider's events about this booking, oldest first.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn deliveries(&self, about: &str) -> Outcome<Vec<Delivery>> {
        self.http.get(["_control", "webhook", "deliveries"]).query("contains", about).send().await?.answer(200)
    }

    /// Posts an event that the provider's account never had, and says how it was answered.
    ///
    /// # Errors
    /// When it cannot be posted.
    pub async fn forge(&self, event: &serde_json::Value) -> Outcome<serde_json::Value> {
        #[derive(Deserialize)]
        struct Answered {
            status: serde_json::Value,
        }
        let request = self.http.post(["_control", "webhook", "forge"]).json(event);
        request.send().await?.answer(200).map(|answered: Answered| answered.status)
    }

    /// The name of the booking's last payment intent.
    ///
    /// # Errors
    /// When there is none.
    pub async fn intent(&self, about: &str) -> Outcome<String> {
        let intents: Vec<Intent> =
            self.http.get(["_control", "intents"]).query("contains", about).send().await?.answer(200)?;
        let last = intents.into_iter().next_back().map(|intent| intent.id);
        last.ok_or_else(|| crate::Failure::new(format!("{about} has no payment intent")))
    }

    /// Gives the last payment of this booking back in full, as somebody in the provider's dashboard does, and loses the events about it.
    ///
    /// # Errors
    /// When there is none, or the provider refuses.
    pub async fn refund_unheard(&self, about: &str) -> Outcome<()> {
        let intent = self.intent(about).await?;
        self.mishandle(&intent, "lose", 0).await?;
        let request = self.http.post(["v1", "refunds"]).bearer("sk_test_by_hand");
        let request = request.text("application/x-www-form-urlencoded", format!("payment_intent={intent}"));
        request.send().await?.with_status(200).map(|_| ())
    }

    /// The buyer of this booking is through with their bank's page.
    ///
    /// # Errors
    /// When nothing waits for them.
    pub async fn authenticate(&self, about: &str, succeeds: bool) -> Outcome<()> {
        let intents: Vec<Intent> =
            self.http.get(["_control", "intents"]).query("contains", about).send().await?.answer(200)?;
        let waits = intents.iter().find(|intent| intent.status == "requires_action");
        let waits = waits.ok_or_else(|| crate::Failure::new(format!("no payment of {about} waits for its buyer")))?;
        let path = ["_control", "intents", waits.id.as_str(), "authenticate"];
        self.http.post(path).json(&json!({ "succeeded": succeeds })).send().await?.with_status(204).map(|_| ())
    }

    /// How often a booking's money was really taken: payment intents that were charged. The provider charges none of them twice.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn charges(&self, about: &str) -> Outcome<usize> {
        let lines: Vec<Money> =
            self.http.get(["_control", "ledger"]).query("contains", about).send().await?.answer(200)?;
        Ok(lines.iter().filter(|line| line.charged > 0).count())
    }
}
