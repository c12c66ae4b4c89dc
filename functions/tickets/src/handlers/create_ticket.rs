//! Books seats: holds them, and starts the saga that gets them paid.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /tickets`, with an `Idempotency-Key` |
//! | reads | the key (AP-51), the event's terms and shards (AP-10, AP-11) |
//! | writes | seats, ticket, key and payment instruction, in one transaction (AP-54) |
//! | emits | `TicketCreated`, `InventoryReserved` |
//! | safe to repeat | the key is written with the ticket: a repeat finds the ticket |

use super::answer::TicketView;
use crate::store::{Booked, Desk, EventRef, Order};
use boxoffice_inventory::EventName;
use boxoffice_kernel::{Fingerprint, InventoryId, Quantity, UserId};
use boxoffice_payments::{
    Instruction,
    domain::{Method, MethodToken},
};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTicket {
    user_id: UserId,
    event_name: Option<EventName>,
    inventory_id: Option<InventoryId>,
    quantity: Quantity,
    payment_method: Option<Method>,
    payment_method_token: Option<MethodToken>,
}

impl NewTicket {
    /// What this order says, whichever way its JSON was written.
    fn fingerprint(&self) -> Fingerprint {
        let token = self.payment_method_token.as_ref().map_or("", MethodToken::reveal);
        Fingerprint::of(&[
            &self.event_name.as_ref().map(ToString::to_string).unwrap_or_default(),
            &self.inventory_id.map(|id| id.to_string()).unwrap_or_default(),
            &self.quantity.to_string(),
            &format!("{:?}", self.payment_method.unwrap_or_default()),
            token,
        ])
    }

    fn order(self) -> Result<Order, Problem> {
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
        Ok(Order { user_id: self.user_id, event, quantity: self.quantity, instruction })
    }
}

fn refine(field: &str) -> Option<Code> {
    (field == "quantity").then_some(Code::InvalidQuantity)
}

/// Answers 201 with the ticket, its seats held.
///
/// # Errors
/// When the body breaks a rule, there are too few seats, or the key was used for another booking.
pub async fn handle(desk: &Desk, request: Request) -> Result<Answer, Problem> {
    let new: NewTicket = http::body(&request, refine)?;
    let key = http::idempotency_key(&request)?;
    let fingerprint = new.fingerprint();
    let booked = desk.book(&new.order()?, &key, &fingerprint, &http::trace(&request)).await?;
    let (ticket, replayed) = match booked {
        Booked::New(ticket) => (ticket, false),
        Booked::Replayed(ticket) => (ticket, true),
    };
    let location = format!("/tickets/{}", ticket.id);
    let answer = Answer::created(&TicketView::from(ticket), location)?;
    Ok(if replayed { answer.with_header("idempotent-replayed", "true".into()) } else { answer })
}
