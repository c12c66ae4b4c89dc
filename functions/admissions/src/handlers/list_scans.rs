//! Lists the scans of a device, as CSV: passages and refusals.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /devices/{id}/scans.csv` |
//! | reads | the device (AP-514), its scans (AP-523) |

use crate::doors::{DeviceError, DoorStore, ScanRecord};
use boxoffice_kernel::DeviceId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use std::fmt::Write as _;

/// The most scans of an answer: a Lambda answers 6 MB at most.
const MOST: usize = 20_000;

/// Lists the scans of a device, oldest first, as CSV.
///
/// At most the first 20,000. A field holds ids, numbers, times and fixed words only, so none needs quotes.
///
/// # Errors
/// When there is no such device.
#[utoipa::path(
    get,
    path = "/devices/{id}/scans.csv",
    operation_id = "list-scans",
    tag = "admissions",
    params(("id" = inline(DeviceId), Path, description = "The device")),
    responses(
        (
            status = 200,
            description = "The scans",
            body = String,
            content_type = "text/csv",
            example = "at,list,device,gate,direction,verdict,reason,admission,serial\r\n"
        ),
        (status = 404, description = "`DEVICE_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(doors: &DoorStore, request: Request) -> Result<Answer, Problem> {
    let id: DeviceId = http::path(&request, "id", Code::InvalidId)?;
    doors.device(id).await?.ok_or(DeviceError::NotFound)?;
    Ok(Answer::content("text/csv; charset=utf-8", csv(id, &doors.scans(id, MOST).await?)))
}

fn csv(device: DeviceId, scans: &[ScanRecord]) -> String {
    let mut text = String::from("at,list,device,gate,direction,verdict,reason,admission,serial\r\n");
    for scan in scans {
        let reason = scan.reason.as_deref().unwrap_or_default();
        let admission = scan.admission_id.map(|id| id.to_string()).unwrap_or_default();
        let serial = scan.serial.map(|serial| serial.to_string()).unwrap_or_default();
        let ScanRecord { at, list_id, gate, way, verdict, .. } = scan;
        // A String takes everything.
        let _ =
            write!(text, "{at},{list_id},{device},{gate},{},{verdict},{reason},{admission},{serial}\r\n", way.name());
    }
    text
}
