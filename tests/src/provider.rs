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

/// What goes wrong.
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
}

/// Which requests it happens to: those of one booking, found by what its payment's creation says.
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
    /// What was answered, or would have been.
    pub status: Option<u16>,
    /// Whether the answer was an earlier one given again under the same idempotency key.
    pub replayed: Option<bool>,
    /// What became of the payment, or the error's code.
    pub outcome: Option<String>,
    /// The fault that happened to it.
    pub fault: Option<String>,
}

/// What one payment moved in the end.
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

    /// What a booking's payments moved in the end, all of them together.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn money(&self, about: &str) -> Outcome<Money> {
        let lines: Vec<Money> =
            self.http.get(["_control", "ledger"]).query("contains", about).send().await?.answer(200)?;
        let sum = |part: fn(&Money) -> u64| lines.iter().map(part).sum();
        Ok(Money { charged: sum(|line| line.charged), refunded: sum(|line| line.refunded) })
    }

    /// How often a booking's money was really taken: confirmations carried out, not answered again.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn charges(&self, about: &str) -> Outcome<usize> {
        let requests = self.requests(about).await?;
        let charged = |request: &&Received| {
            request.path.ends_with("/confirm")
                && request.replayed == Some(false)
                && request.outcome.as_deref() == Some("succeeded")
        };
        Ok(requests.iter().filter(charged).count())
    }
}
