//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga, the third
//! listens on the bus, the fourth is invoked by another context.

pub mod create_ticket;
pub mod delete_ticket;
pub mod get_ticket;
pub mod list_tickets;
pub mod list_tickets_by_event;
pub mod list_tickets_by_status;
pub mod list_tickets_by_user;
pub mod request_cancellation;
pub mod request_ticket_mail;
pub mod update_ticket_status;
pub mod walk_cancellation;

pub mod cancel_ticket;
pub mod confirm_ticket;

pub mod announce_event_change;

pub mod find_upcoming_tickets;

mod answer;

use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::task::OfTicket;
use serde::Deserialize;

/// The facts of a booking that this context's steps need.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedTicket {
    ticket_id: TicketId,
    hold_expires_at: Timestamp,
}

impl OfTicket for BookedTicket {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }

    fn hold_expires_at(&self) -> Option<Timestamp> {
        Some(self.hold_expires_at)
    }
}

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    create_ticket::handle,
    delete_ticket::handle,
    get_ticket::handle,
    list_tickets::handle,
    list_tickets_by_event::by_id,
    list_tickets_by_event::by_name,
    list_tickets_by_status::handle,
    list_tickets_by_user::handle,
    request_cancellation::handle,
    request_ticket_mail::handle,
    update_ticket_status::handle,
))]
pub struct ApiDoc;
