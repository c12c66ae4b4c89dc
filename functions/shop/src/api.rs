//! Calls of the API's own handlers, in process and under their own access rules.
//!
//! A page is a client: it asks what a client would ask with its reader's token, and reads the JSON that a client would read. So whatever a handler refuses, a
//! page cannot do, and a rule that changes there changes here.

use boxoffice_kernel::{Amount, Currency, InventoryId, PaymentId, Quantity, SessionId, TicketId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem, auth::Caller, http::Answer, routes};
use lambda_http::{
    Body, Request, RequestExt as _,
    http::{
        HeaderValue, Method,
        header::{CONTENT_TYPE, IF_NONE_MATCH},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::HashMap;

/// A call of the API for a page's reader.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    page: &'a Request,
    method: Method,
    route: &'static str,
    caller: Option<Caller>,
    path: HashMap<String, Vec<String>>,
    query: HashMap<String, Vec<String>>,
    body: Option<Value>,
    key: Option<String>,
}

impl<'a> Call<'a> {
    /// A call of this route, while this page is made.
    pub fn new(page: &'a Request, method: Method, route: &'static str, caller: Option<Caller>) -> Self {
        let (path, query) = (HashMap::new(), HashMap::new());
        Self { page, method, route, caller, path, query, body: None, key: None }
    }

    /// The same with a path parameter.
    #[must_use]
    pub fn path(mut self, name: &str, value: impl ToString) -> Self {
        self.path.insert(name.to_owned(), vec![value.to_string()]);
        self
    }

    /// The same with a query parameter, where there is one to send.
    #[must_use]
    pub fn query(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.query.insert(name.to_owned(), vec![value.to_string()]);
        }
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The same under this idempotency key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The request that the route's handler takes, should its access rule admit the caller.
    ///
    /// # Errors
    /// 401 and 403, as the API answers them.
    pub fn request(self) -> Result<Request, Problem> {
        let route = routes::matched(self.method.as_str(), self.route)
            .ok_or_else(|| Problem::new(Code::InternalError, "The page calls a route that is not there."))?;
        if route.access != boxoffice_runtime::auth::Access::Public {
            let stranger = || Problem::new(Code::AuthenticationRequired, "Log in first.");
            self.caller.ok_or_else(stranger)?.must_be(route.access)?;
        }
        let body = self.body.map_or(Body::Empty, |body| Body::Text(body.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        // The address and the request's id are those of the reader's request: throttles and logs go by them.
        *request.extensions_mut() = self.page.extensions().clone();
        *request.headers_mut() = self.page.headers().clone();
        let headers = request.headers_mut();
        headers.remove(IF_NONE_MATCH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.remove("idempotency-key");
        if let Some(key) = self.key {
            let invalid = |_| Problem::new(Code::ValidationError, "The form has no key of its own.").at("key");
            headers.insert("idempotency-key", HeaderValue::from_str(&key).map_err(invalid)?);
        }
        let mut request = request.with_path_parameters(self.path).with_query_string_parameters(self.query);
        if let Some(caller) = self.caller {
            request.extensions_mut().insert(caller);
        }
        Ok(request)
    }
}

/// The answer of a handler, as this type.
///
/// # Errors
/// When it is not that: a bug.
pub fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Problem> {
    serde_json::from_str(answer.body().unwrap_or("null")).map_err(|error| {
        tracing::error!(%error, "the answer of a handler is not what a page reads");
        Problem::new(Code::InternalError, "Something went wrong on our side. Quote `instance` when you report it.")
    })
}

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// An event on sale, as the API shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The event.
    pub id: InventoryId,
    /// Its name.
    pub event_name: String,
    /// When it begins.
    pub event_date: Timestamp,
    /// Where it is.
    pub location: String,
    /// The price of one ticket.
    pub price: Amount,
    /// The currency of the price.
    pub currency: Currency,
    /// How many tickets can be bought.
    pub available_seats: u32,
    /// Whether it can be bought at all.
    pub on_sale: bool,
    /// How many one order may have, where the organiser limits that.
    #[serde(default)]
    pub max_per_order: Option<u32>,
}

/// Orders of more tickets than these are for the organiser's office: a number field is no place for them.
const LONGEST_ORDER: u32 = 50;

impl Event {
    /// The most tickets that one order may ask for.
    pub fn most(&self) -> u32 {
        self.available_seats.min(self.max_per_order.unwrap_or(LONGEST_ORDER)).min(LONGEST_ORDER)
    }

    /// Whether somebody can buy a ticket.
    pub fn is_bookable(&self) -> bool {
        self.on_sale && self.available_seats > 0
    }
}

/// The state of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TicketStatus {
    /// Held until it is paid.
    Pending,
    /// Paid.
    Confirmed,
    /// Cancelled.
    Cancelled,
    /// Used.
    Completed,
}

/// A ticket: an order, as its buyer says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The order.
    pub id: TicketId,
    /// The event.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: String,
    /// When it begins.
    pub event_date: Timestamp,
    /// How many tickets.
    pub quantity: Quantity,
    /// The price of all.
    pub total_amount: Amount,
    /// The currency of the price.
    pub currency: Currency,
    /// The state.
    pub status: TicketStatus,
    /// The payment.
    pub payment_id: PaymentId,
    /// Until when the tickets are held.
    pub hold_expires_at: Timestamp,
    /// Whether its buyer has asked to cancel it.
    #[serde(default)]
    pub cancellation_requested_at: Option<Timestamp>,
    /// Why it is cancelled.
    #[serde(default)]
    pub cancellation_reason: Option<String>,
    /// How often it has been written.
    pub version: u64,
}

/// The state of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// Waiting for the buyer.
    Pending,
    /// Waiting for the provider, or for the buyer at their bank.
    Processing,
    /// Charged.
    Success,
    /// Declined as often as it may be.
    Failed,
    /// Given back.
    Refunded,
    /// Never charged.
    Expired,
    /// In a state that these pages do not know: money that was charged.
    #[serde(other)]
    Other,
}

/// The buyer's next step at their bank.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextAction {
    /// The bank's page.
    #[serde(default)]
    pub redirect_url: Option<String>,
}

/// A payment.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The state.
    pub status: PaymentStatus,
    /// The buyer's next step, while there is one.
    #[serde(default)]
    pub next_action: Option<NextAction>,
    /// That the last card was declined.
    #[serde(default)]
    pub last_error: Option<String>,
    /// How many more cards may be declined.
    #[serde(default)]
    pub tries_left: u32,
}

/// The tokens of a log-in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// How long the session lasts.
    pub refresh_expires_in: u64,
    /// The device's token, after a log-in.
    #[serde(default)]
    pub device_token: Option<String>,
    /// The user.
    pub user: User,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user.
    pub id: UserId,
    /// The name to log in with.
    pub username: String,
    /// The mail address.
    pub email: String,
    /// The given name.
    pub first_name: String,
    /// When the mail address was verified.
    #[serde(default)]
    pub email_verified_at: Option<Timestamp>,
    /// The mail address that takes its place once it is verified.
    #[serde(default)]
    pub pending_email: Option<String>,
}

impl User {
    /// The mail address that waits to be verified.
    pub fn unverified(&self) -> Option<&str> {
        let own = Some(self.email.as_str()).filter(|_| self.email_verified_at.is_none());
        self.pending_email.as_deref().or(own)
    }
}

/// The secret of a second factor that begins.
#[derive(Deserialize)]
pub struct NewFactor {
    /// The secret, in the address that an authenticator app reads.
    pub uri: String,
}

/// The recovery codes of a second factor.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodes {
    /// Each works once.
    pub recovery_codes: Vec<String>,
}

/// The session of a caller, which binds their forms.
pub fn session_of(caller: Option<&Caller>) -> Option<SessionId> {
    caller.map(|caller| caller.session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::Role;
    use boxoffice_runtime::http;
    use serde_json::json;

    fn caller(role: Role) -> Caller {
        Caller { user_id: UserId::generate(), role, session: SessionId::generate(), generation: 1, logged_in_at: 0 }
    }

    #[test]
    fn a_page_calls_nothing_that_its_reader_may_not() {
        let page = Request::new(Body::Empty);
        let refused = |route, caller| Call::new(&page, Method::GET, route, caller).request().err().map(|it| it.code);
        assert_eq!(refused("/inventory/available", None), None);
        assert_eq!(refused("/tickets/{id}", None), Some(Code::AuthenticationRequired));
        assert_eq!(refused("/tickets/{id}", Some(caller(Role::User))), None);
        assert_eq!(refused("/tickets", Some(caller(Role::User))), Some(Code::Forbidden));
        assert_eq!(refused("/nowhere", Some(caller(Role::Admin))), Some(Code::InternalError));
    }

    #[test]
    fn a_call_is_made_for_the_reader_and_for_nobody_else() {
        let mut page = Request::new(Body::Text("form_token=x".into()))
            .with_path_parameters(HashMap::from([("id".to_owned(), vec!["page".to_owned()])]))
            .with_query_string_parameters(HashMap::from([("limit".to_owned(), vec!["7".to_owned()])]));
        page.headers_mut().insert("idempotency-key", "strangers".parse().unwrap());
        let me = caller(Role::User);
        let call = Call::new(&page, Method::POST, "/tickets", Some(me)).body(json!({ "quantity": 2 })).key("k-1");
        let request = call.query("next", Some("abc")).request().unwrap();
        assert_eq!(http::caller(&request).unwrap(), me);
        assert_eq!(request.body().as_ref(), br#"{"quantity":2}"#);
        assert_eq!(request.headers()["idempotency-key"], "k-1");
        assert_eq!(request.path_parameters().first("id"), None);
        let query = request.query_string_parameters();
        assert_eq!((query.first("next"), query.first("limit")), (Some("abc"), None));
    }

    #[test]
    fn an_address_waits_to_be_verified_until_it_is_or_another_does() {
        let user = |more: Value| {
            let mut user = json!({
                "id": "usr_01970000000070008000000000000001", "username": "ada", "email": "ada@example.org", "firstName": "Ada"
            });
            user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<User>(user).unwrap().unverified().map(ToOwned::to_owned)
        };
        let verified = "2030-01-01T00:00:00.000Z";
        assert_eq!(user(json!({})).as_deref(), Some("ada@example.org"));
        assert_eq!(user(json!({ "emailVerifiedAt": verified })), None);
        let pending = json!({ "emailVerifiedAt": verified, "pendingEmail": "new@example.org" });
        assert_eq!(user(pending).as_deref(), Some("new@example.org"));
    }

    #[test]
    fn an_order_asks_for_no_more_than_there_is_or_the_organiser_allows() {
        let event = |available: u32, limit: Option<u32>| Event {
            id: InventoryId::generate(),
            event_name: "Late Show".into(),
            event_date: Timestamp::now(),
            location: "Vienna".into(),
            price: Amount::from_minor(100).unwrap(),
            currency: Currency::Eur,
            available_seats: available,
            on_sale: true,
            max_per_order: limit,
        };
        assert_eq!(event(500, None).most(), LONGEST_ORDER);
        assert_eq!(event(3, None).most(), 3);
        assert_eq!(event(500, Some(6)).most(), 6);
        assert!(!event(0, None).is_bookable());
    }
}
