//! Invites a device to scan for a check-in list.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /check-in-lists/{id}/devices` |
//! | reads | the list (AP-511) |
//! | writes | the device (AP-513) |
//! | emits | `DeviceInvited` |
//! | safe to repeat | no: each call invites a device |

use super::{
    create_check_in_list::gates,
    door_answer::{DeviceView, Gate, device_example, no_list},
};
use crate::{
    door::{Device, DeviceState, DeviceToken, INVITATION_SECONDS, TokenHash},
    doors::DoorStore,
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{CheckInListId, DeviceId, Text, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;
use serde_json::{Value, json};

/// A device to invite.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewDevice {
    /// Its name, for staff.
    label: Text<60>,
    /// The gates of the list that it may scan at; all of them unless given.
    #[schema(inline, max_items = 100)]
    gates: Option<Vec<Gate>>,
    /// When it ends by itself; when the list closes, unless given.
    ends_at: Option<Timestamp>,
}

fn invited() -> Value {
    let mut example = device_example("INVITED");
    if let Some(example) = example.as_object_mut() {
        let token =
            "dev_01970000000070008000000000000001.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let enrolment =
            json!({ "token": token, "path": format!("/scanner#{token}"), "expiresAt": "2030-05-02T10:00:00.000Z" });
        example.insert("enrolment".into(), enrolment);
    }
    example
}

/// Invites a device to scan for a check-in list.
///
/// The answer holds its one-time token, once. Show its path as a QR code to the device.
///
/// # Errors
/// When a field breaks a rule, or there is no such list.
#[utoipa::path(
    post,
    path = "/check-in-lists/{id}/devices",
    operation_id = "invite-device",
    tag = "admissions",
    params(("id" = inline(CheckInListId), Path, description = "The list")),
    request_body(content = NewDevice, example = json!({"label": "North 1", "gates": [1]})),
    responses(
        (
            status = 201,
            description = "The device, with its one-time token",
            body = DeviceView,
            headers(("Location" = String, description = "Where the device is")),
            example = json!(invited())
        ),
        (status = 404, description = "`CHECK_IN_LIST_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(doors: &DoorStore, request: Request) -> Result<Answer, Problem> {
    let id: CheckInListId = http::path(&request, "id", Code::InvalidId)?;
    let new: NewDevice = http::body(&request, |_| None)?;
    let list = doors.list(id).await?.ok_or_else(no_list)?;
    let gates = new.gates.map_or_else(|| Ok(list.gates.clone()), gates)?;
    if gates.iter().any(|gate| !list.gates.contains(gate)) {
        return Err(Problem::new(Code::ValidationError, "gates: choose gates of the list.").at("gates"));
    }
    let once = DeviceToken::generate(DeviceId::generate());
    let once = once.ok_or_else(|| StoreError::Unavailable("this machine has no randomness to give".into()))?;
    let now = Timestamp::now();
    let device = Device {
        id: once.device,
        list_id: list.id,
        inventory_id: list.inventory_id,
        label: new.label,
        gates,
        state: DeviceState::Invited,
        token_hash: TokenHash::of(once.secret()),
        invited_until: now.plus_seconds(INVITATION_SECONDS),
        ends_at: new.ends_at.unwrap_or(list.closes_at),
        version: 1,
        created_at: now,
    };
    doors.invite(&device, &http::trace(&request)).await?;
    let location = format!("/devices/{}", device.id);
    Answer::created(&DeviceView::new(device, Some(&once)), location)
}
