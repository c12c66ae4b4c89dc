//! The local payment server, as a test asks it what really happened. Its control API is described in `localstack/payments/payment_server.py`.

use boxoffice_payments::domain::IntentId;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use std::fmt::Display;

/// Says where it is.
const VARIABLE: &str = "BOXOFFICE_PAYMENTS_URL";

/// The server.
#[derive(Debug)]
pub(crate) struct PaymentServer {
    http: Client,
    url: String,
}

impl PaymentServer {
    /// The one that `make test-unit` starts.
    pub(crate) fn local() -> Self {
        let url = std::env::var(VARIABLE);
        let url = url.unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: `make test-unit` starts the payment server and sets it")
        });
        // The first call chooses for the process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: Client::new(), url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    async fn about(&self, what: &str, about: impl Display) -> Vec<Value> {
        let answer = self.request(Method::GET, &format!("/_control/{what}?contains={about}")).send().await.unwrap();
        serde_json::from_slice(&answer.error_for_status().unwrap().bytes().await.unwrap()).unwrap()
    }

    /// How many cents were taken and given back for what this id is in.
    pub(crate) async fn money(&self, about: impl Display) -> (u64, u64) {
        let ledger = self.about("ledger", about).await;
        let sum = |part: &str| ledger.iter().map(|line| line[part].as_u64().unwrap()).sum();
        (sum("charged"), sum("refunded"))
    }

    /// How many requests there were about it.
    pub(crate) async fn requests(&self, about: impl Display) -> usize {
        self.about("requests", about).await.len()
    }

    /// Orders a fault, once, of the requests about it whose path fits.
    pub(crate) async fn arm(&self, fault: &str, path: &str, about: impl Display) {
        let which = json!({ "pathRegex": path, "bodyContains": about.to_string() });
        let order = json!({ "match": which, "fault": fault, "times": 1 });
        let request = self.request(Method::POST, "/_control/faults").header("content-type", "application/json");
        request.body(order.to_string()).send().await.unwrap().error_for_status().unwrap();
    }

    /// Has the server do something on its own, as its control API says it.
    pub(crate) async fn order(&self, path: &str, order: Value) -> Value {
        let request =
            self.request(Method::POST, &format!("/_control/{path}")).header("content-type", "application/json");
        let answer = request.body(order.to_string()).send().await.unwrap().error_for_status().unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
    }

    /// Brings all refunds of an intent to this end.
    pub(crate) async fn settle_refunds(&self, intent: &IntentId, status: &str) {
        let request = self.request(Method::GET, &format!("/v1/refunds?payment_intent={intent}"));
        let answer = request.bearer_auth("sk_test_by_hand").send().await.unwrap().bytes().await.unwrap();
        let refunds: Value = serde_json::from_slice(&answer).unwrap();
        for refund in refunds["data"].as_array().unwrap() {
            let id = refund["id"].as_str().unwrap();
            self.order(&format!("refunds/{id}/settle"), json!({ "status": status })).await;
        }
    }

    /// Pays an intent with another card, as somebody with its secret might, and is answered with this status.
    pub(crate) async fn confirm_by_hand(&self, intent: &IntentId, status: u16) {
        let request = self.request(Method::POST, &format!("/v1/payment_intents/{intent}/confirm"));
        let request = request.bearer_auth("sk_test_by_hand").form(&[("payment_method", "pm_card_visa")]);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }

    /// Gives a payment back in full, as somebody with a browser does.
    pub(crate) async fn refund_by_hand(&self, intent: &IntentId) {
        let request = self.request(Method::POST, "/v1/refunds").bearer_auth("sk_test_by_hand");
        request.form(&[("payment_intent", intent.to_string())]).send().await.unwrap().error_for_status().unwrap();
    }
}
