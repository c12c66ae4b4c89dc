//! Enrols a device: takes its one-time token, and gives it its bearer token.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /devices/enrol` |
//! | reads | the device and its list (AP-514, AP-511) |
//! | writes | the device (AP-516) |
//! | emits | `DeviceEnrolled` |
//! | safe to repeat | no: the one-time token is good once. After a lost answer staff invite the device anew |

use super::door_answer::{DeviceView, ListView, device_example, list_example, no_list, secret};
use crate::{
    door::DeviceToken,
    doors::{DeviceError, DoorStore},
};
use boxoffice_aws::StoreError;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Serialize};

/// A device to enrol.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolDevice {
    /// The one-time token, which `POST /check-in-lists/{id}/devices` answered.
    #[schema(max_length = 200)]
    #[serde(deserialize_with = "secret::<200, _>")]
    token: String,
}

/// An enrolled device.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrolledDevice {
    /// The token to scan with: `Authorization: Bearer …`. It is shown once.
    token: String,
    device: DeviceView,
    list: ListView,
}

/// Enrols a device.
///
/// # Errors
/// When the one-time token is not good any more.
#[utoipa::path(
    post,
    path = "/devices/enrol",
    operation_id = "enrol-device",
    tag = "admissions",
    request_body(
        content = EnrolDevice,
        example = json!({"token": "dev_01970000000070008000000000000001.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"})
    ),
    responses(
        (
            status = 200,
            description = "The device, with its token",
            body = EnrolledDevice,
            example = json!({
                "token": "dev_01970000000070008000000000000001.fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210",
                "device": device_example("ENROLLED"),
                "list": list_example()
            })
        ),
        (status = 400, description = "`ENROLMENT_INVALID`: the one-time token is not one, was used, or is too old")
    )
)]
pub async fn handle(doors: &DoorStore, request: Request) -> Result<Answer, Problem> {
    let given: EnrolDevice = http::body(&request, |_| None)?;
    let once: DeviceToken = given.token.parse().map_err(|_| invalid())?;
    let bearer = DeviceToken::generate(once.device);
    let bearer = bearer.ok_or_else(|| StoreError::Unavailable("this machine has no randomness to give".into()))?;
    let enrolled = doors.enrol(once.device, once.secret(), bearer.secret(), &http::trace(&request)).await;
    let device = enrolled.map_err(|error| match error {
        DeviceError::NotFound | DeviceError::NotAllowed(_) => invalid(),
        DeviceError::Store(error) => error.into(),
    })?;
    let list = doors.list(device.list_id).await?.ok_or_else(no_list)?;
    let enrolled =
        EnrolledDevice { token: bearer.text(), device: DeviceView::new(device, None), list: ListView::from(list) };
    Answer::ok(&enrolled)
}

fn invalid() -> Problem {
    let detail =
        "The one-time token is not valid any more. Ask staff for a new one: POST /check-in-lists/{id}/devices.";
    Problem::new(Code::EnrolmentInvalid, detail).at("token")
}
