//! The API's calls. A method that names an answer fails on a refusal; to look at a refusal, send the [`Request`] yourself.

use crate::{
    Outcome,
    http::{Http, Request, Seen},
    model::{Health, Inventory, Notification, Page, Payment, Saga, Ticket, User},
    people::Session,
};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The HTTP API of the running stack, called by somebody or by nobody in particular.
#[derive(Debug, Clone)]
pub struct Api {
    http: Http,
    session: Option<Session>,
}

impl Api {
    /// The API below this URL.
    ///
    /// # Errors
    /// When it is not a URL.
    pub fn at(url: &str) -> Outcome<Self> {
        Ok(Self { http: Http::new(url)?, session: None })
    }

    pub(crate) fn by(&self, session: Session) -> Self {
        Self { http: self.http.clone(), session: Some(session) }
    }

    /// The same, called by nobody in particular.
    #[must_use]
    pub fn anyone(&self) -> Self {
        Self { http: self.http.clone(), session: None }
    }

    /// The same, which from now on remembers every reply here.
    #[must_use]
    pub fn noting(self, seen: &Seen) -> Self {
        Self { http: self.http.noting(seen), ..self }
    }

    /// The caller.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The connections beneath.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// A call of any kind: `"/tickets/tkt_…/cancel"`. Each segment is encoded, so a segment may be any text.
    pub fn call(&self, method: Method, path: &str) -> Request {
        self.segments(method, path.split('/').filter(|segment| !segment.is_empty()))
    }

    /// A call of this path, of which a segment may have a slash in it.
    pub fn segments<'a>(&self, method: Method, path: impl IntoIterator<Item = &'a str>) -> Request {
        let request = self.http.request(method, path);
        match &self.session {
            Some(session) => request.by(session),
            None => request,
        }
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Request {
        self.call(Method::GET, path)
    }

    /// A POST without a body, unless one is added.
    pub fn post(&self, path: &str) -> Request {
        self.call(Method::POST, path)
    }

    /// `POST /inventory`
    pub fn post_inventory(&self, body: &Value) -> Request {
        self.post("/inventory").json(body)
    }

    /// `PUT /inventory/{id}`
    pub fn put_inventory(&self, id: &str, body: &Value) -> Request {
        self.call(Method::PUT, &format!("/inventory/{id}")).json(body)
    }

    /// `DELETE /inventory/{id}`
    pub fn delete_inventory(&self, id: &str) -> Request {
        self.call(Method::DELETE, &format!("/inventory/{id}"))
    }

    /// `POST /inventory/{id}/reserve` or `…/release`
    pub fn move_by_hand(&self, id: &str, verb: &str, quantity: &str) -> Request {
        self.post(&format!("/inventory/{id}/{verb}")).query("quantity", quantity)
    }

    /// `POST /inventory/event/{eventName}/reserve` or `…/release`
    pub fn move_by_name(&self, event_name: &str, verb: &str, quantity: &str) -> Request {
        self.segments(Method::POST, ["inventory", "event", event_name, verb]).query("quantity", quantity)
    }

    /// `GET /inventory/event/{eventName}`
    pub fn get_by_name(&self, event_name: &str) -> Request {
        self.segments(Method::GET, ["inventory", "event", event_name])
    }

    /// `GET /inventory/{id}`
    ///
    /// # Errors
    /// When it is refused.
    pub async fn inventory(&self, id: &str) -> Outcome<Inventory> {
        self.get(&format!("/inventory/{id}")).send().await?.answer(200)
    }

    /// Every item of a list, however many pages it takes.
    ///
    /// # Errors
    /// When a page is refused, or the list has no end.
    pub async fn whole_list<T: DeserializeOwned>(&self, first_page: Request) -> Outcome<Vec<T>> {
        let mut items = Vec::new();
        let mut page: Page<T> = first_page.clone().send().await?.answer(200)?;
        for _ in 0..1000 {
            items.append(&mut page.items);
            let Some(next) = page.next else { return Ok(items) };
            page = first_page.clone().query("next", &next).send().await?.answer(200)?;
        }
        Err(crate::Failure::new("a list of more than 1000 pages: its cursor leads in a circle"))
    }

    /// `POST /tickets`
    pub fn post_ticket(&self, key: &str, body: &Value) -> Request {
        self.post("/tickets").header("Idempotency-Key", key).json(body)
    }

    /// `GET /tickets/{id}`
    ///
    /// # Errors
    /// When it is refused.
    pub async fn ticket(&self, id: &str) -> Outcome<Ticket> {
        self.get(&format!("/tickets/{id}")).send().await?.answer(200)
    }

    /// `PATCH /tickets/{id}/cancel`
    pub fn cancel(&self, id: &str) -> Request {
        self.call(Method::PATCH, &format!("/tickets/{id}/cancel"))
    }

    /// `GET /payments/{id}`
    ///
    /// # Errors
    /// When it is refused.
    pub async fn payment(&self, id: &str) -> Outcome<Payment> {
        self.get(&format!("/payments/{id}")).send().await?.answer(200)
    }

    /// `POST /payments/{id}/process`
    pub fn process(&self, id: &str, token: &str) -> Request {
        self.post(&format!("/payments/{id}/process")).json(&json!({ "paymentMethodToken": token }))
    }

    /// `POST /payments/{id}/refund`
    pub fn refund(&self, id: &str, reason: &str) -> Request {
        self.post(&format!("/payments/{id}/refund")).json(&json!({ "reason": reason }))
    }

    /// `POST /payments`
    pub fn post_payment(&self, body: &Value) -> Request {
        self.post("/payments").json(body)
    }

    /// `POST /users/login`
    pub fn log_in(&self, username: &str, password: &str) -> Request {
        self.post("/users/login").json(&json!({ "username": username, "password": password }))
    }

    /// `POST /users/refresh`
    pub fn refresh(&self, refresh_token: &str) -> Request {
        self.post("/users/refresh").json(&json!({ "refreshToken": refresh_token }))
    }

    /// `POST /users/me/password`
    pub fn change_password(&self, current: &str, new: &str) -> Request {
        self.post("/users/me/password").json(&json!({ "currentPassword": current, "newPassword": new }))
    }

    /// `GET /users/{id}`
    ///
    /// # Errors
    /// When it is refused.
    pub async fn user(&self, id: &str) -> Outcome<User> {
        self.get(&format!("/users/{id}")).send().await?.answer(200)
    }

    /// `PUT /users/{id}`
    pub fn put_user(&self, id: &str, body: &Value) -> Request {
        self.call(Method::PUT, &format!("/users/{id}")).json(body)
    }

    /// `DELETE /…`
    pub fn delete(&self, path: &str) -> Request {
        self.call(Method::DELETE, path)
    }

    /// `PATCH /tickets/{id}/status?status=`
    pub fn patch_status(&self, id: &str, status: &str) -> Request {
        self.call(Method::PATCH, &format!("/tickets/{id}/status")).query("status", status)
    }

    /// Every notification of this user, newest first.
    ///
    /// # Errors
    /// When the list is refused.
    pub async fn notifications_of(&self, user_id: &str) -> Outcome<Vec<Notification>> {
        self.whole_list(self.get(&format!("/notifications/user/{user_id}")).query("limit", "100")).await
    }

    /// `GET /sagas/{ticketId}`
    ///
    /// # Errors
    /// When it is refused.
    pub async fn saga(&self, ticket_id: &str) -> Outcome<Saga> {
        self.get(&format!("/sagas/{ticket_id}")).send().await?.answer(200)
    }

    /// `GET /health`
    ///
    /// # Errors
    /// When the stack is not healthy.
    pub async fn health(&self) -> Outcome<Health> {
        self.get("/health").send().await?.answer(200)
    }
}
