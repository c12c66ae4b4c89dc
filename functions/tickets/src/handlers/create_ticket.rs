//! Books seats: holds them, and starts the saga that gets them paid.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /tickets`, with an `Idempotency-Key` |
//! | reads | the key (AP-51), the event's terms and some of its shards (AP-48, AP-11) |
//! | writes | the address's budget of orders (AP-373); seats, ticket, key, payment, what to charge it to and the buyer's pool, in one transaction (AP-54); of a refusal, a metric |
//! | emits | `TicketCreated`, `PaymentInitiated`, `InventoryReserved` |
//! | safe to repeat | the caller's key is written with the ticket: a repeat finds the ticket |

use super::answer::{TicketView, example, spend};
use crate::{
    domain::Status,
    store::{Desk, EventRef, Order, Outcome},
};
use boxoffice_aws::Budget;
use boxoffice_inventory::EventName;
use boxoffice_kernel::{Amount, Currency, Fingerprint, InventoryId, Money, Quantity, Timestamp, Trace, UserId};
use boxoffice_payments::{
    Instruction,
    domain::{Method, MethodToken},
};
use boxoffice_runtime::{
    Code, Metrics, Problem, address,
    auth::Caller,
    http,
    http::Answer,
    metrics::{About, Metric},
};
use lambda_http::Request;
use serde::Deserialize;
use std::borrow::Cow;
use utoipa::openapi::{
    RefOr,
    schema::{OneOfBuilder, Schema},
};

/// The event on sale.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewTicket {
    /// The owner of the ticket: the caller, unless an ADMIN books for another user.
    user_id: Option<UserId>,
    /// The event, by its name.
    #[schema(value_type = EventName)]
    event_name: Option<EventName>,
    /// The event, by its id.
    #[schema(value_type = InventoryId)]
    inventory_id: Option<InventoryId>,
    quantity: Quantity,
    /// The total that the buyer was shown. Should the seats cost something else by now, nothing is booked.
    #[schema(value_type = Amount, required = false)]
    expected_total: Option<Amount>,
    /// The currency of `expectedTotal`, and there with it.
    #[schema(value_type = Currency, required = false)]
    currency: Option<Currency>,
    /// How it will be paid.
    payment_method: Option<Method>,
    /// The payment provider's token of what to charge, at once. Without it, the buyer pays with
    /// `POST /payments/{id}/process` while the seats are held.
    payment_method_token: Option<MethodToken>,
}

/// A new ticket, for the API's document: its event goes by its id or by its name, one of them, which a list of fields
/// cannot say.
struct NewTicketByIdOrName;

impl utoipa::PartialSchema for NewTicketByIdOrName {
    fn schema() -> RefOr<Schema> {
        let named = |by: &str, other: &str| match NewTicket::schema() {
            RefOr::T(Schema::Object(mut order)) => {
                order.properties.remove(other);
                order.required.retain(|field| field != other && field != by);
                order.required.push(by.to_owned());
                RefOr::T(Schema::Object(order))
            }
            other => other,
        };
        OneOfBuilder::new().item(named("inventoryId", "eventName")).item(named("eventName", "inventoryId")).into()
    }
}

impl utoipa::ToSchema for NewTicketByIdOrName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewTicket")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewTicket::schemas(schemas);
    }
}

impl NewTicket {
    /// The order in canonical form, however its JSON was written.
    fn fingerprint(&self, buyer: UserId) -> Fingerprint {
        let token = self.payment_method_token.as_ref().map_or("", MethodToken::reveal);
        Fingerprint::of(&[
            &buyer.to_string(),
            &self.event_name.as_ref().map(ToString::to_string).unwrap_or_default(),
            &self.inventory_id.map(|id| id.to_string()).unwrap_or_default(),
            &self.quantity.to_string(),
            &format!("{:?}", self.payment_method.unwrap_or_default()),
            token,
            &self.expected_total.map(|total| total.to_string()).unwrap_or_default(),
            &self.currency.map(|currency| currency.to_string()).unwrap_or_default(),
        ])
    }

    fn order(self, caller: Caller, buyer: UserId) -> Result<Order, Problem> {
        let event = match (self.inventory_id, self.event_name) {
            (Some(id), None) => EventRef::Id(id),
            (None, Some(name)) => EventRef::Name(name),
            (Some(_), Some(_)) => {
                let detail = "Name the event by inventoryId or by eventName, not both.";
                return Err(Problem::new(Code::ValidationError, detail).at("inventoryId"));
            }
            (None, None) => {
                let detail = "Name the event by inventoryId or by eventName.";
                return Err(Problem::new(Code::ValidationError, detail).at("eventName"));
            }
        };
        let instruction = match (self.payment_method, self.payment_method_token) {
            (None, None) => None,
            (method, token) => Some(Instruction { method: method.unwrap_or_default(), token }),
        };
        let expected_total = match (self.expected_total, self.currency) {
            (Some(amount), Some(currency)) => Some(Money { amount, currency }),
            (None, None) => None,
            (Some(_), None) => {
                let detail = "currency says what expectedTotal is in: send both, or neither.";
                return Err(Problem::new(Code::ValidationError, detail).at("currency"));
            }
            (None, Some(_)) => {
                let detail = "currency is that of expectedTotal: send both, or neither.";
                return Err(Problem::new(Code::ValidationError, detail).at("expectedTotal"));
            }
        };
        let (caller, quantity) = (caller.user_id, self.quantity);
        Ok(Order { caller, user_id: buyer, event, quantity, instruction, expected_total })
    }
}

fn refine(field: &str) -> Option<Code> {
    match field {
        "quantity" => Some(Code::InvalidQuantity),
        "expectedTotal" => Some(Code::InvalidAmount),
        _ => None,
    }
}

/// Books seats.
///
/// They are held at once, and the ticket is PENDING until it is paid. The price is the event's.
///
/// # Errors
/// When the body breaks a rule, the caller may not book for that user, there are too few seats, or the key was used for
/// another booking.
#[utoipa::path(
    post,
    path = "/tickets",
    operation_id = "create-ticket",
    tag = "tickets",
    params((
        "Idempotency-Key" = String, Header,
        description = "The caller's own name for this booking: fresh and random, and the same when it is tried again",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$",
        example = "7d2e0c1a-4f6b-4a57-9a0e-1c5a4b7f3e21"
    )),
    request_body(
        content = NewTicketByIdOrName,
        example = json!({
            "eventName": "Late Show at the Ferris Wheel",
            "quantity": 2,
            "paymentMethod": "CREDIT_CARD"
        })
    ),
    responses(
        (
            status = 201,
            description = "The ticket, its seats held",
            body = TicketView,
            headers(
                ("Location" = String, description = "Where the ticket is"),
                ("Idempotent-Replayed" = String, description = "`true` when an earlier call made the booking")
            ),
            example = json!(example(Status::Pending))
        ),
        (
            status = 404,
            description = "`INVENTORY_NOT_FOUND`: no such event on sale; `TICKET_NOT_FOUND`: the ticket that this key \
                           made has been deleted; `USER_NOT_FOUND`: `userId` is nobody's"
        ),
        (
            status = 409,
            description = "`INVENTORY_UNAVAILABLE`: not that many seats are left; `SALES_CLOSED`: the event has begun; \
                           `EVENT_CANCELLED`: its organiser cancelled it; \
                           `PRICE_CHANGED`: the seats cost something else than `expectedTotal`; `PURCHASE_LIMIT_EXCEEDED`: \
                           the buyer would have more than the event's terms allow; \
                           `PAYMENT_METHOD_UNAVAILABLE`: the money would arrive after the hold"
        ),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the caller used this key for another booking"),
    )
)]
pub async fn handle(desk: &Desk, orders: &Budget, metrics: &Metrics, request: Request) -> Result<Answer, Problem> {
    let trace = http::trace(&request);
    let outcome = book(desk, orders, request, &trace).await;
    if let Err(problem) = &outcome
        && problem.code.status().is_client_error()
    {
        // No event says so: what was refused did not happen.
        metrics.write_about(
            &[Metric::count("BookingsRefused", 1)],
            About {
                by: Some(("Code", &problem.code.name())),
                found_by: Some(("correlation_id", &trace.correlation_id.to_string())),
            },
        );
    }
    outcome
}

async fn book(desk: &Desk, orders: &Budget, request: Request, trace: &Trace) -> Result<Answer, Problem> {
    let new: NewTicket = http::body(&request, refine)?;
    let key = http::idempotency_key(&request)?;
    let caller = http::caller(&request)?;
    let buyer = new.user_id.unwrap_or(caller.user_id);
    caller.may_act_for(buyer)?;
    let fingerprint = new.fingerprint(buyer);
    let order = new.order(caller, buyer)?;
    // A purchase limit that is spread over many accounts costs addresses.
    let name = format!("orders#{}", address::of(&request));
    spend(orders, &name, Timestamp::now(), "This address has sent too many orders.").await?;
    let booked = desk.book(&order, &key, &fingerprint, trace).await?;
    let (ticket, replayed) = match booked {
        Outcome::Created(ticket) => (ticket, false),
        Outcome::Replayed(ticket) => (ticket, true),
    };
    let location = format!("/tickets/{}", ticket.id);
    let answer = Answer::created(&TicketView::from(ticket), location)?;
    Ok(if replayed { answer.with_header("idempotent-replayed", "true".into()) } else { answer })
}
