//! Ends a device: it scans no more.
//!
//! | | |
//! |---|---|
//! | trigger | `DELETE /devices/{id}` |
//! | reads | the device (AP-514) |
//! | writes | the device (AP-517) |
//! | emits | `DeviceEnded` |
//! | safe to repeat | an ended device stays so |

use crate::doors::DoorStore;
use boxoffice_kernel::DeviceId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Ends a device.
///
/// # Errors
/// When there is none.
#[utoipa::path(
    delete,
    path = "/devices/{id}",
    operation_id = "end-device",
    tag = "admissions",
    params(("id" = inline(DeviceId), Path, description = "The device")),
    responses(
        (status = 204, description = "It scans no more"),
        (status = 404, description = "`DEVICE_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(doors: &DoorStore, request: Request) -> Result<Answer, Problem> {
    let id: DeviceId = http::path(&request, "id", Code::InvalidId)?;
    doors.end(id, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
