//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga.

pub mod create_inventory;
pub mod delete_inventory;
pub mod get_inventory;
pub mod get_inventory_by_name;
pub mod list_available_inventory;
pub mod list_inventory;
pub mod list_inventory_by_date;
pub mod release_seats;
pub mod reserve_seats;
pub mod update_inventory;

pub mod release_hold;
pub mod renew_hold;
pub mod verify_hold;

mod answer;

use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::task::Booking;
use serde::Deserialize;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    create_inventory::handle,
    list_inventory::handle,
    list_available_inventory::handle,
    list_inventory_by_date::handle,
    get_inventory::handle,
    get_inventory_by_name::handle,
    update_inventory::handle,
    delete_inventory::handle,
    reserve_seats::by_id,
    reserve_seats::by_name,
    release_seats::by_id,
    release_seats::by_name,
))]
pub struct ApiDoc;

/// What this context's steps need to know of a booking.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedSeats {
    ticket_id: TicketId,
    hold_expires_at: Timestamp,
}

impl Booking for BookedSeats {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }
}
