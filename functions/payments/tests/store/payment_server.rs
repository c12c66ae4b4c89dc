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
        // Whoever asks first chooses for the process.
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

    /// Gives a payment back in full, as somebody with a browser does.
    pub(crate) async fn refund_by_hand(&self, intent: &IntentId) {
        let request = self.request(Method::POST, "/v1/refunds").bearer_auth("sk_test_by_hand");
        request.form(&[("payment_intent", intent.to_string())]).send().await.unwrap().error_for_status().unwrap();
    }
}
