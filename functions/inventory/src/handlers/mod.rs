//! One file a function. The first group answers HTTP, the second runs as steps of the booking saga, the third reads the table's stream.

pub mod cancel_inventory;
pub mod create_inventory;
pub mod delete_inventory;
pub mod get_cancellation;
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

pub mod summarise_inventory;

mod answer;

use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::task::OfTicket;
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
    cancel_inventory::handle,
    get_cancellation::handle,
    reserve_seats::by_id,
    reserve_seats::by_name,
    release_seats::by_id,
    release_seats::by_name,
))]
pub struct ApiDoc;

/// The facts of a booking that this context's steps need.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedSeats {
    ticket_id: TicketId,
    hold_expires_at: Timestamp,
}

impl OfTicket for BookedSeats {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }

    fn hold_expires_at(&self) -> Option<Timestamp> {
        Some(self.hold_expires_at)
    }
}
