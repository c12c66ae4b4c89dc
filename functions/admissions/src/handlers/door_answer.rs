//! Lists, devices and scans as the API shows them, and the doors' refusals.

use crate::{
    door::{CheckInList, Device, DeviceState, DeviceToken, NotAllowed, Passage, Way},
    doors::{DeviceError, DoorStore, UndoError},
};
use boxoffice_kernel::{AdmissionId, CheckInListId, DeviceId, InventoryId, Text, Timestamp, whole};
use boxoffice_runtime::{Code, Problem};
use lambda_http::{Request, http::header::AUTHORIZATION};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, json};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// A check-in list, as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CheckInList)]
pub(crate) struct ListView {
    id: CheckInListId,
    inventory_id: InventoryId,
    name: Text<100>,
    /// Its gates; none: one gate, 0.
    gates: Vec<u16>,
    /// Whether exits are scanned.
    exits: bool,
    /// Whether somebody who left may come in again.
    reentry: bool,
    opens_at: Timestamp,
    closes_at: Timestamp,
    created_at: Timestamp,
}

impl From<CheckInList> for ListView {
    fn from(list: CheckInList) -> Self {
        Self {
            id: list.id,
            inventory_id: list.inventory_id,
            name: list.name,
            gates: list.gates,
            exits: list.exits,
            reentry: list.reentry,
            opens_at: list.opens_at,
            closes_at: list.closes_at,
            created_at: list.created_at,
        }
    }
}

/// A list, for the API's document.
pub(crate) fn list_example() -> Value {
    json!({
        "id": "lst_01970000000070008000000000000001",
        "inventoryId": "inv_01970000000070008000000000000001",
        "name": "Main entrance",
        "gates": [1, 2],
        "exits": true,
        "reentry": true,
        "opensAt": "2030-06-01T08:00:00.000Z",
        "closesAt": "2030-06-02T20:00:00.000Z",
        "createdAt": "2030-05-01T10:00:00.000Z"
    })
}

/// A device, as the API shows it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Device)]
pub(crate) struct DeviceView {
    id: DeviceId,
    list_id: CheckInListId,
    inventory_id: InventoryId,
    label: Text<60>,
    /// The gates that it may scan at; none: gate 0.
    gates: Vec<u16>,
    status: DeviceState,
    ends_at: Timestamp,
    created_at: Timestamp,
    /// Opens the scanner on the device. It holds the one-time token after the `#`, and is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolment: Option<Enrolment>,
}

/// The way to enrol a device.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Enrolment {
    /// The one-time token, for `POST /devices/enrol`.
    token: String,
    /// The scanner's address with the token, below the address of this API: show it as a QR code.
    path: String,
    expires_at: Timestamp,
}

impl DeviceView {
    pub(crate) fn new(device: Device, once: Option<&DeviceToken>) -> Self {
        let enrolment = once.map(|once| Enrolment {
            token: once.text(),
            path: format!("/scanner#{}", once.text()),
            expires_at: device.invited_until,
        });
        Self {
            id: device.id,
            list_id: device.list_id,
            inventory_id: device.inventory_id,
            label: device.label,
            gates: device.gates,
            status: device.state,
            ends_at: device.ends_at,
            created_at: device.created_at,
            enrolment,
        }
    }
}

/// The number of a gate, as a request gives it: `u16` alone would refuse `2.0`, and say nothing of its largest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gate(pub(crate) u16);

impl<'de> Deserialize<'de> for Gate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = whole::from_json(deserializer)?;
        let too_large = |_| D::Error::custom(format!("must be a whole number of at most {}", u16::MAX));
        u16::try_from(number).map(Self).map_err(too_large)
    }
}

impl utoipa::PartialSchema for Gate {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(u16::MAX)).into()
    }
}

impl utoipa::ToSchema for Gate {}

/// Text of at most so many characters that lets somebody in. A refusal of serde would repeat what was sent.
pub(crate) fn secret<'de, const MOST: usize, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) if text.chars().count() <= MOST => Ok(text),
        _ => Err(D::Error::custom(format!("must be a text of at most {MOST} characters"))),
    }
}

/// A device, for the API's document.
pub(crate) fn device_example(status: &str) -> Value {
    json!({
        "id": "dev_01970000000070008000000000000001",
        "listId": "lst_01970000000070008000000000000001",
        "inventoryId": "inv_01970000000070008000000000000001",
        "label": "North 1",
        "gates": [1],
        "status": status,
        "endsAt": "2030-06-02T20:00:00.000Z",
        "createdAt": "2030-05-01T10:00:00.000Z"
    })
}

/// A passage, as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Passage)]
pub(crate) struct PassageView {
    list_id: CheckInListId,
    admission_id: AdmissionId,
    /// In or out; absent once the only passage was undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Way>,
    gate: u16,
    /// The name of the device.
    device: Text<60>,
    at: Timestamp,
}

impl From<Passage> for PassageView {
    fn from(passage: Passage) -> Self {
        Self {
            list_id: passage.list_id,
            admission_id: passage.admission_id,
            direction: passage.way,
            gate: passage.gate,
            device: passage.device_label,
            at: passage.at,
        }
    }
}

/// A passage, for the API's document.
pub(crate) fn passage_example() -> Value {
    json!({
        "listId": "lst_01970000000070008000000000000001",
        "admissionId": "adm_01970000000070008000000000000001000001",
        "direction": "ENTRY",
        "gate": 1,
        "device": "North 1",
        "at": "2030-06-01T19:00:00.000Z"
    })
}

pub(crate) fn no_list() -> Problem {
    Problem::new(
        Code::CheckInListNotFound,
        "There is no check-in list with this id. GET /inventory/{id}/check-in-lists lists those of an event.",
    )
}

pub(crate) fn no_event() -> Problem {
    Problem::new(Code::InventoryNotFound, "No event on sale has this id.")
}

/// 401 to whatever is not the token of an enrolled device.
fn not_enrolled(code: Code) -> Problem {
    Problem::new(code, "Send the token of an enrolled device: Authorization: Bearer dev_…. Staff enrol a device with POST /check-in-lists/{id}/devices.")
        .with_header("www-authenticate", r#"Bearer realm="boxoffice-door""#.to_owned())
}

impl From<NotAllowed> for Problem {
    fn from(error: NotAllowed) -> Self {
        match error {
            NotAllowed::Token => not_enrolled(Code::TokenInvalid),
            NotAllowed::Ended => Self::new(Code::TokenRevoked, "The device has ended. Ask staff to enrol it anew.")
                .with_header("www-authenticate", r#"Bearer realm="boxoffice-door", error="invalid_token""#.to_owned()),
            NotAllowed::Scope => {
                Self::new(Code::Forbidden, "The device is enrolled for another list or gate. Choose one of its own.")
            }
        }
    }
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::NotFound => Self::new(Code::DeviceNotFound, "There is no device with this id."),
            DeviceError::NotAllowed(error) => error.into(),
            DeviceError::Store(error) => error.into(),
        }
    }
}

impl From<UndoError> for Problem {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::Nothing => Self::new(Code::NothingToUndo, format!("{error}.")),
            UndoError::Store(error) => error.into(),
        }
    }
}

/// The device that makes this request.
///
/// # Errors
/// 401 unless it is enrolled and has not ended.
pub(crate) async fn device(doors: &DoorStore, request: &Request) -> Result<Device, Problem> {
    let header = request.headers().get(AUTHORIZATION).ok_or_else(|| not_enrolled(Code::AuthenticationRequired))?;
    let unknown = || not_enrolled(Code::TokenInvalid);
    let token = header.to_str().ok().and_then(|header| header.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let token: DeviceToken = token.and_then(|token| token.parse().ok()).ok_or_else(unknown)?;
    let device = doors.device(token.device).await?.ok_or_else(unknown)?;
    device.scans(token.secret(), Timestamp::now())?;
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_a_whole_number_however_it_is_spelled() {
        let gates = |text: &str| serde_json::from_str::<Vec<Gate>>(text);
        assert_eq!(gates("[4582.0, 276, 0]").unwrap(), [Gate(4582), Gate(276), Gate(0)]);
        for text in ["[65536]", "[1.5]", "[-1]", "[\"1\"]"] {
            assert!(gates(text).is_err(), "{text}");
        }
    }
}
