//! One file a function. The first group answers HTTP, the second other functions: of `draw_ticket_codes` the caller is `send-notification`, of `revoke_admissions` the booking saga.

pub mod create_check_in;
pub mod create_check_in_list;
pub mod end_device;
pub mod enrol_device;
pub mod get_admission;
pub mod get_check_in_list;
pub mod get_scanner;
pub mod get_ticket_keys;
pub mod invite_device;
pub mod list_admissions;
pub mod list_check_in_lists;
pub mod list_scans;
pub mod undo_check_in;

pub mod draw_ticket_codes;
pub mod revoke_admissions;

mod answer;
mod door_answer;

use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::task::OfTicket;
use serde::Deserialize;

/// The facts of a booking that this context's step needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedAdmissions {
    ticket_id: TicketId,
}

impl OfTicket for BookedAdmissions {
    fn ticket_id(&self) -> TicketId {
        self.ticket_id
    }

    fn hold_expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    create_check_in::handle,
    create_check_in_list::handle,
    end_device::handle,
    enrol_device::handle,
    get_admission::show,
    get_admission::picture,
    get_admission::pixels,
    get_check_in_list::show,
    get_check_in_list::numbers,
    get_check_in_list::devices,
    get_scanner::page,
    get_scanner::file,
    get_ticket_keys::handle,
    invite_device::handle,
    list_admissions::handle,
    list_check_in_lists::handle,
    list_scans::handle,
    undo_check_in::handle,
))]
pub struct ApiDoc;
