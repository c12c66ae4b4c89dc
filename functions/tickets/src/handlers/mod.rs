//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga.

pub mod create_ticket;
pub mod get_ticket;
pub mod request_cancellation;

pub mod cancel_ticket;
pub mod confirm_ticket;

mod answer;

use boxoffice_kernel::TicketId;
use boxoffice_runtime::task::Booking;
use serde::Deserialize;

/// What this context's steps need to know of a booking.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedTicket {
    ticket_id: TicketId,
}

impl Booking for BookedTicket {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }
}
