//! A call of every route, about something real that is the owner's.

use crate::{table::Column, tokens::Forge};
use boxoffice_e2e::{
    Booking, BoxOffice, Card, Failure, Outcome, Person, Show,
    http::Request,
    mailbox::DEVICE_THAT_IS_GONE,
    model::Notification,
    story::{Body, fresh, in_days},
};
use boxoffice_runtime::routes::Route;
use reqwest::Method;
use serde_json::{Value, json};

/// A refund that no payment has.
const NO_REFUND: &str = "rfd_01970000000070008000000000000001";

/// The subjects of the calls, and their callers.
#[derive(Debug)]
pub(crate) struct Stage {
    house: BoxOffice,
    pub(crate) forge: Forge,
    /// The owner is the house's own buyer.
    other: Person,
    show: Show,
    booking: Booking,
    welcome: Notification,
    /// A message to somebody whose device is gone: sending it again fails again, and does no harm.
    failed: Notification,
}

/// A request, in nobody's name yet.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) request: Request,
    /// The caller, where it is not the usual one: the call's effect would be in the way of other calls.
    pub(crate) caller: Option<Person>,
}

impl From<Request> for Call {
    fn from(request: Request) -> Self {
        Self { request, caller: None }
    }
}

impl Stage {
    pub(crate) async fn set() -> Outcome<Self> {
        let house = BoxOffice::open().await?;
        let (forge, other, show) = (Forge::open(&house).await?, house.somebody().await?, house.show(1000).await?);
        let booking = show.order(1).paid_with(Card::Good).booked().await?;
        booking.until_confirmed().await?;
        house.verified(&house.buyer).await?;
        let welcome = house.until_notified(&house.buyer, 1).await?.pop();
        let welcome = welcome.ok_or_else(|| Failure::new("the owner was not welcomed"))?;
        let with_device = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
        let lost = Person::register_as(&house.api, &with_device).await?;
        house.verified(&lost).await?;
        let failed = house.until_notified(&lost, 1).await?.pop();
        let failed = failed.ok_or_else(|| Failure::new("nobody was told that their device is gone"))?;
        Ok(Self { house, forge, other, show, booking, welcome, failed })
    }

    /// The token of who calls.
    pub(crate) async fn token(&self, column: Column, caller: Option<&Person>) -> Outcome<String> {
        match caller {
            Some(caller) => caller.token().await,
            None => self.usual(column)?.token().await,
        }
    }

    fn usual(&self, column: Column) -> Outcome<&Person> {
        match column {
            Column::Theirs => Ok(&self.house.buyer),
            Column::Anothers => Ok(&self.other),
            Column::Manager => Ok(&self.house.manager),
            Column::Admin => Ok(&self.house.admin),
            Column::NoToken | Column::BadToken => Err(Failure::new("nobody has no token")),
        }
    }

    /// Somebody who may do what who is in this column may, and whose log-in is nobody else's.
    async fn newcomer(&self, column: Column) -> Outcome<Person> {
        let person = self.house.somebody().await?;
        match column {
            Column::Manager => person.made("MANAGER", &self.house.admin).await,
            Column::Admin => person.made("ADMIN", &self.house.admin).await,
            _ => Ok(person),
        }
    }

    async fn pending(&self) -> Outcome<Booking> {
        self.show.order(1).booked().await
    }

    async fn ended(&self) -> Outcome<Booking> {
        let booking = self.show.order(1).paid_with(Card::Declined).booked().await?;
        booking.declined_for_good().await?;
        Ok(booking)
    }

    /// A check-in list of the show.
    async fn list(&self) -> Outcome<String> {
        let path = format!("/inventory/{}/check-in-lists", self.show.id());
        let list =
            self.house.api.post(&path).json(&json!({ "name": "Door" })).bearer(&self.house.manager.token().await?);
        let list: Value = list.send().await?.answer(201)?;
        Ok(list.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// A device of a list of the show.
    async fn device(&self) -> Outcome<String> {
        let path = format!("/check-in-lists/{}/devices", self.list().await?);
        let device = self.house.api.post(&path).json(&json!({ "label": "North" }));
        let device: Value = device.bearer(&self.house.manager.token().await?).send().await?.answer(201)?;
        Ok(device.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// The call of this route that its owner could make; who it is for says only who else will make it.
    #[expect(clippy::too_many_lines, reason = "one arm a route")]
    pub(crate) async fn call(&self, route: &Route, column: Column) -> Outcome<Call> {
        let Self { house, show, booking, .. } = self;
        let (api, owner) = (&house.api, &house.buyer);
        let user = &owner.account.user;
        let get = |path: String| Ok(Call::from(api.get(&path)));
        let seats = |path: [&str; 4]| api.segments(Method::POST, path).query("quantity", "1");
        match (route.method, route.path) {
            ("POST", path @ ("/users" | "/users/register")) => Ok(api.post(path).json(&Body::user().json()).into()),
            ("POST", "/users/login") => Ok(api.log_in(&user.username, &owner.account.password).into()),
            ("POST", "/users/refresh") => Ok(api.refresh(&owner.log_in().await?.refresh_token).into()),
            ("POST", path @ "/users/logout") => {
                Ok(Call { request: api.post(path), caller: Some(self.newcomer(column).await?) })
            }
            ("POST", "/users/me/password") => {
                let caller = self.newcomer(column).await?;
                let request = api.change_password(&caller.account.password, &fresh("another secret"));
                Ok(Call { request, caller: Some(caller) })
            }
            ("POST", path @ "/users/password-reset") => {
                Ok(api.post(path).json(&json!({ "email": format!("{}@example.org", fresh("nobody")) })).into())
            }
            // Refused for a reason of its own: none was begun, or there is none.
            ("POST", path @ "/users/me/second-factor/confirm") => {
                Ok(api.post(path).json(&json!({ "code": "287082" })).into())
            }
            ("DELETE", path @ "/users/me/second-factor") => {
                Ok(Call { request: api.delete(path), caller: Some(self.newcomer(column).await?) })
            }
            ("POST", path @ "/users/me/second-factor") => {
                Ok(Call { request: api.post(path), caller: Some(self.newcomer(column).await?) })
            }
            ("POST", path @ "/users/{id}/second-factor/reset") => {
                let path = path.replace("{id}", house.somebody().await?.id());
                Ok(api.post(&path).json(&json!({ "reason": "A try." })).into())
            }
            ("POST", path @ ("/users/me/email-verification" | "/users/me/phone-verification")) => {
                Ok(api.post(path).into())
            }
            // Refused for a reason of its own: the token was never sent.
            ("POST", path @ "/users/password-reset/confirm") => {
                Ok(api.post(path).json(&json!({ "token": "made up", "newPassword": fresh("a secret") })).into())
            }
            ("POST", path @ ("/users/email-verification" | "/users/phone-verification")) => {
                Ok(api.post(path).json(&json!({ "token": "made up" })).into())
            }
            ("POST", "/inventory/{id}/check-in-lists") => Ok(api
                .post(&format!("/inventory/{}/check-in-lists", show.id()))
                .json(&json!({ "name": "Door" }))
                .into()),
            ("GET", "/inventory/{id}/check-in-lists") => get(format!("/inventory/{}/check-in-lists", show.id())),
            ("GET", path) if path.starts_with("/check-in-lists/{id}") => get(path.replace("{id}", &self.list().await?)),
            ("POST", path @ "/check-in-lists/{id}/devices") => {
                Ok(api.post(&path.replace("{id}", &self.list().await?)).json(&json!({ "label": "North" })).into())
            }
            // Refused for a reason of its own: nobody has passed.
            ("POST", path @ "/check-in-lists/{id}/undo") => {
                let undo = json!({ "admissionId": format!("adm_{}000001", booking.id().trim_start_matches("tkt_")) });
                Ok(api.post(&path.replace("{id}", &self.list().await?)).json(&undo).into())
            }
            ("GET", path @ "/devices/{id}/scans.csv") => get(path.replace("{id}", &self.device().await?)),
            ("DELETE", path @ "/devices/{id}") => Ok(api.delete(&path.replace("{id}", &self.device().await?)).into()),
            ("POST", path @ "/devices/enrol") => Ok(api.post(path).json(&json!({ "token": "made up" })).into()),
            ("POST", path @ "/check-ins") => Ok(api.post(path).json(&json!({})).into()),
            ("GET", "/scanner/{file}") => get("/scanner/scanner.js".into()),
            ("GET", "/tickets/{id}/admissions") => get(format!("/tickets/{}/admissions", booking.id())),
            ("GET", path @ ("/admissions/{id}" | "/admissions/{id}/code.svg" | "/admissions/{id}/code.png")) => {
                get(path.replace("{id}", &format!("adm_{}000001", booking.id().trim_start_matches("tkt_"))))
            }
            ("GET", "/users/role/{role}") => get("/users/role/USER".into()),
            ("GET", "/users/username/{username}") => get(format!("/users/username/{}", user.username)),
            ("POST", path @ "/users/lookup") => Ok(api.post(path).json(&json!({ "email": user.email })).into()),
            ("GET", "/users/email/{email}") => get(format!("/users/email/{}", user.email)),
            ("GET", "/users/{id}") => get(format!("/users/{}", user.id)),
            ("PUT", "/users/{id}") => Ok(api.put_user(&user.id, &json!({ "firstName": "Kim" })).into()),
            ("DELETE", "/users/{id}") => {
                let leaving = house.somebody().await?;
                let request = api.delete(&format!("/users/{}", leaving.id()));
                Ok(Call { request, caller: (column == Column::Theirs).then_some(leaving) })
            }
            ("POST", path @ ("/users/{id}/suspend" | "/users/{id}/reinstate")) => {
                let path = path.replace("{id}", house.somebody().await?.id());
                Ok(api.post(&path).json(&json!({ "reason": "A try." })).into())
            }
            ("GET", "/users/{id}/sessions") => get(format!("/users/{}/sessions", user.id)),
            ("DELETE", "/users/{id}/sessions") => {
                let leaving = house.somebody().await?;
                let request = api.delete(&format!("/users/{}/sessions", leaving.id()));
                Ok(Call { request, caller: (column == Column::Theirs).then_some(leaving) })
            }
            ("DELETE", "/users/{id}/sessions/{sessionId}") => {
                let leaving = house.somebody().await?;
                leaving.log_in().await?;
                let request =
                    api.delete(&format!("/users/{}/sessions/{}", leaving.id(), leaving.newest_session().await?));
                Ok(Call { request, caller: (column == Column::Theirs).then_some(leaving) })
            }
            ("GET", "/users/{id}/bookings") => get(format!("/users/{}/bookings", user.id)),
            ("POST", "/inventory") => Ok(api.post_inventory(&Body::show(1).json()).into()),
            ("GET", path @ "/inventory/date-range") => {
                Ok(api.get(path).query("start", &in_days(29)).query("end", &in_days(31)).into())
            }
            ("GET", "/inventory/{id}") => get(format!("/inventory/{}", show.id())),
            ("PUT", "/inventory/{id}") => Ok(api.put_inventory(show.id(), &json!({ "location": "Hall 2" })).into()),
            ("DELETE", "/inventory/{id}") => Ok(api.delete_inventory(house.show(1).await?.id()).into()),
            ("POST", "/inventory/{id}/reserve") => Ok(api.move_by_hand(show.id(), "reserve", "1").into()),
            ("POST", "/inventory/{id}/release") => {
                house.manager.move_by_hand(show.id(), "reserve", "1").send().await?.with_status(200)?;
                Ok(api.move_by_hand(show.id(), "release", "1").into())
            }
            ("POST", "/inventory/{id}/cancellation") => {
                let path = format!("/inventory/{}/cancellation", house.show(1).await?.id());
                Ok(api.post(&path).json(&json!({ "reason": "A try." })).into())
            }
            ("GET", "/inventory/{id}/cancellation") => {
                let path = format!("/inventory/{}/cancellation", house.show(1).await?.id());
                house.manager.post(&path).json(&json!({ "reason": "A try." })).send().await?.with_status(202)?;
                get(path)
            }
            ("GET", "/inventory/{id}/sales") => get(format!("/inventory/{}/sales", show.id())),
            ("GET", path @ ("/reports/settlement" | "/reports/ledger")) => {
                Ok(api.get(path).query("from", &in_days(-1)).query("to", &in_days(1)).into())
            }
            ("GET", "/inventory/event/{eventName}") => Ok(api.get_by_name(show.name()).into()),
            ("POST", "/inventory/event/{eventName}/reserve") => {
                Ok(seats(["inventory", "event", show.name(), "reserve"]).into())
            }
            ("POST", "/inventory/event/{eventName}/release") => {
                house.manager.move_by_hand(show.id(), "reserve", "1").send().await?.with_status(200)?;
                Ok(seats(["inventory", "event", show.name(), "release"]).into())
            }
            ("POST", "/tickets") => {
                Ok(api.post_ticket(&fresh("order"), &json!({ "inventoryId": show.id(), "quantity": 1 })).into())
            }
            ("GET", "/tickets/user/{userId}") => get(format!("/tickets/user/{}", user.id)),
            ("GET", "/tickets/status/{status}") => get("/tickets/status/CONFIRMED".into()),
            ("GET", "/tickets/event/{eventName}") => {
                Ok(api.segments(Method::GET, ["tickets", "event", show.name()]).into())
            }
            ("GET", "/tickets/inventory/{inventoryId}") => get(format!("/tickets/inventory/{}", show.id())),
            ("GET", "/tickets/{id}") => get(format!("/tickets/{}", booking.id())),
            // A MANAGER may use it to end the event.
            ("PATCH", "/tickets/{id}/status") if column == Column::Manager => {
                Ok(api.patch_status(booking.id(), "COMPLETED").into())
            }
            ("PATCH", "/tickets/{id}/status") => Ok(api.patch_status(self.pending().await?.id(), "CANCELLED").into()),
            ("PATCH", "/tickets/{id}/cancel") => Ok(api.cancel(self.pending().await?.id()).into()),
            ("POST", "/tickets/{id}/mail") => Ok(api.post(&format!("/tickets/{}/mail", booking.id())).into()),
            ("DELETE", "/tickets/{id}") => Ok(api.delete(&format!("/tickets/{}", self.ended().await?.id())).into()),
            ("POST", "/payments") => Ok(api.post_payment(&json!({ "ticketId": booking.id() })).into()),
            ("GET", "/payments/user/{userId}") => get(format!("/payments/user/{}", user.id)),
            ("GET", path @ "/payments/cases") => get(path.into()),
            ("GET", "/payments/status/{status}") => get("/payments/status/SUCCESS".into()),
            ("GET", "/payments/transaction/{transactionId}") => {
                get(format!("/payments/transaction/{}", booking.payment_id().replacen("pay_", "txn_", 1)))
            }
            ("GET", "/payments/ticket/{ticketId}") => get(format!("/payments/ticket/{}", booking.id())),
            ("GET", "/payments/{id}") => get(format!("/payments/{}", booking.payment_id())),
            ("POST", "/payments/{id}/process") => {
                let booking = self.pending().await?;
                Ok(api.process(booking.payment_id(), Card::Good.token()).into())
            }
            ("POST", path @ "/payments/stripe/events") => {
                let event = json!({ "data": { "object": { "object": "payment_intent", "id": "pi_nobodys" } } });
                let signature = house.provider()?.sign(&event.to_string()).await?;
                Ok(api.post(path).header("Stripe-Signature", &signature).json(&event).into())
            }
            ("POST", "/payments/{id}/refund") => {
                let booking = self.show.order(1).paid_with(Card::Good).booked().await?;
                booking.until_confirmed().await?;
                Ok(api.refund(booking.payment_id(), "The singer is ill.").into())
            }
            // Refused for a reason of its own: there is no such refund.
            ("POST", "/payments/{id}/refunds/{refundId}/retry") => {
                let path = format!("/payments/{}/refunds/{NO_REFUND}/retry", booking.payment_id());
                Ok(api.post(&path).into())
            }
            ("POST", "/payments/{id}/refunds/{refundId}/settle") => {
                let path = format!("/payments/{}/refunds/{NO_REFUND}/settle", booking.payment_id());
                Ok(api.post(&path).json(&json!({ "reason": "A try." })).into())
            }
            ("DELETE", "/payments/{id}") => {
                Ok(api.delete(&format!("/payments/{}", self.ended().await?.payment_id())).into())
            }
            ("POST", path @ "/notifications") => {
                Ok(api.post(path).json(&json!({ "userId": user.id, "message": "Hello." })).into())
            }
            ("GET", "/notifications/user/{userId}") => get(format!("/notifications/user/{}", user.id)),
            ("GET", "/notifications/status/{status}") => get("/notifications/status/SENT".into()),
            ("GET", "/notifications/type/{type}") => get("/notifications/type/EMAIL".into()),
            ("GET", "/notifications/{id}") => get(format!("/notifications/{}", self.welcome.id)),
            ("DELETE", "/notifications/{id}") => {
                let body = json!({ "userId": user.id, "message": "To be deleted." });
                let message: Notification = house.admin.post("/notifications").json(&body).send().await?.answer(201)?;
                Ok(api.delete(&format!("/notifications/{}", message.id)).into())
            }
            ("GET", "/sagas/{ticketId}") => get(format!("/sagas/{}", booking.id())),
            ("GET", path @ "/operations/sagas") => Ok(api.get(path).query("status", "RUNNING").into()),
            // Refused for a reason of its own: it is not stuck.
            ("POST", "/operations/sagas/{ticketId}/redrive") => {
                let path = format!("/operations/sagas/{}/redrive", booking.id());
                Ok(api.post(&path).json(&json!({ "reason": "A try." })).into())
            }
            ("POST", "/operations/sagas/{ticketId}/compensate") => {
                let booking = self.show.order(1).paid_with(Card::Good).booked().await?;
                booking.until_confirmed().await?;
                let path = format!("/operations/sagas/{}/compensate", booking.id());
                Ok(api.post(&path).json(&json!({ "reason": "The singer is ill." })).into())
            }
            ("POST", "/operations/queues/{queue}/redrive") => {
                Ok(api.post("/operations/queues/projection-dead-letters/redrive").into())
            }
            ("POST", "/operations/notifications/{id}/resend") => {
                let path = format!("/operations/notifications/{}/resend", self.failed.id);
                Ok(api.post(&path).json(&json!({ "reason": "The authorization table" })).into())
            }
            ("POST", path @ "/operations/replays") => {
                Ok(api.post(path).json(&json!({ "aggregateId": booking.id(), "dryRun": true })).into())
            }
            ("POST", path @ "/operations/reconcile") => Ok(api.post(path).into()),
            ("GET", "/docs/{file}") => get("/docs/start.js".into()),
            (
                "GET",
                path @ ("/users/me"
                | "/users"
                | "/inventory"
                | "/inventory/available"
                | "/tickets"
                | "/payments"
                | "/notifications"
                | "/operations/queues"
                | "/health"
                | "/openapi.json"
                | "/docs"
                | "/scanner"
                | "/.well-known/jwks.json"
                | "/.well-known/ticket-keys.json"),
            ) => get(path.to_owned()),
            (method, path) => Err(Failure::new(format!(
                "nobody calls {method} {path} here: say in tests/tests/authorization/calls.rs what it is called about"
            ))),
        }
    }
}
