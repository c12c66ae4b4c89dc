//! Decides a scan, and lets one person pass.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /check-ins`, by an enrolled device |
//! | reads | the device and its list (AP-514, AP-511), the public keys in SSM once a minute, the admission (AP-505, AP-502) and its last passage (AP-521) |
//! | writes | the passage (AP-518), or the refusal (AP-519) |
//! | emits | `AdmissionEntered` or `AdmissionLeft` when somebody passed |
//! | safe to repeat | a scan with the same nonce is the same passage |

use super::door_answer::{Gate, PassageView, device, no_list, passage_example, secret};
use crate::{
    door::{ScanNonce, Way},
    doors::{Answered, DoorStore, Presented, words},
    keys::VerifyingKeys,
};
use boxoffice_admission::{Look, Stop, Verdict};
use boxoffice_kernel::{AdmissionId, CheckInListId};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Serialize};

/// A scan.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewCheckIn {
    /// The text that was read, whatever it is.
    #[schema(max_length = 4096)]
    #[serde(deserialize_with = "secret::<4096, _>")]
    code: String,
    /// The device's list.
    list: CheckInListId,
    /// Where the device stands; 0 where the list has no gates.
    #[serde(default)]
    #[schema(value_type = u16, maximum = 65535)]
    gate: Gate,
    /// The device's name for this scan.
    nonce: ScanNonce,
    direction: Way,
    /// A person has looked at the proof that the ticket type asks for.
    #[serde(default)]
    vouched: bool,
}

/// The decision.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckInVerdict {
    /// Come in.
    In,
    /// Gone out.
    Out,
    /// Stay outside.
    Stop,
    /// Nobody passes until a person has looked.
    Look,
}

/// The answer to a scan.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckIn {
    verdict: CheckInVerdict,
    /// Why nobody passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// A sentence to say to the person.
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    admission_id: Option<AdmissionId>,
    /// The admission's number within the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u32>,
    /// The last passage: the one that this scan made, or the one that stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    passage: Option<PassageView>,
}

impl From<Answered> for CheckIn {
    fn from(answered: Answered) -> Self {
        let message = message(&answered);
        let (_, reason) = words(answered.verdict);
        let verdict = match answered.verdict {
            Verdict::In => CheckInVerdict::In,
            Verdict::Out => CheckInVerdict::Out,
            Verdict::Stop(_) => CheckInVerdict::Stop,
            Verdict::Look(_) => CheckInVerdict::Look,
        };
        Self {
            verdict,
            reason,
            message,
            admission_id: answered.admission.map(|admission| admission.id),
            serial: answered.admission.map(|admission| admission.serial.0),
            passage: answered.passage.map(PassageView::from),
        }
    }
}

fn message(answered: &Answered) -> String {
    let before = answered.passage.as_ref();
    let before = before.map(|passage| format!(" at {} by {}", passage.at, passage.device_label)).unwrap_or_default();
    let sentence = match answered.verdict {
        Verdict::In => "Come in",
        Verdict::Out => "Goodbye",
        Verdict::Stop(stop) => match stop {
            Stop::NotATicket => "This is not a ticket of ours",
            Stop::OtherFormat => "This ticket needs a newer scanner: reload the page",
            Stop::UnknownKey => "This ticket was signed with a key that is not in use: ask for a new code",
            Stop::Forged => "This ticket was not made by us",
            Stop::OtherEvent => "This ticket is for another event",
            Stop::NotYetValid => "This ticket is not valid yet",
            Stop::Expired => "This ticket is not valid any more",
            Stop::ListClosed => "This door is closed now",
            Stop::WrongType => "This door is for other tickets",
            Stop::WrongGate => "This ticket is for another gate",
            Stop::Revoked => "This ticket was cancelled or refunded",
            Stop::AlreadyIn => return format!("This ticket came in{before}."),
            Stop::NoReentry => return format!("This ticket went out{before}, and nobody may come back."),
            Stop::NoExits => "Exits are not scanned here",
            Stop::NotInside => "This ticket is not inside",
        },
        Verdict::Look(Look::Unrecorded) => "This ticket is genuine and not known yet: scan again in a moment",
        Verdict::Look(Look::Entitlement) => "Look at the proof for this kind of ticket",
    };
    format!("{sentence}.")
}

/// Decides a scan.
///
/// Every scan that is decided answers 200, whoever may pass. Send a scan again with the same nonce when the answer is lost: it is one entry.
///
/// # Errors
/// When the device is not enrolled, or not for this list and gate.
#[utoipa::path(
    post,
    path = "/check-ins",
    operation_id = "create-check-in",
    tag = "admissions",
    request_body(
        content = NewCheckIn,
        example = json!({
            "code": "BO1:…",
            "list": "lst_01970000000070008000000000000001",
            "gate": 1,
            "nonce": "0123456789abcdef0123456789abcdef",
            "direction": "ENTRY"
        })
    ),
    responses((
        status = 200,
        description = "The decision",
        body = CheckIn,
        example = json!({
            "verdict": "STOP",
            "reason": "ALREADY_IN",
            "message": "This ticket came in at 2030-06-01T19:00:00.000Z by North 1.",
            "admissionId": "adm_01970000000070008000000000000001000001",
            "serial": 4711,
            "passage": passage_example()
        })
    ))
)]
pub async fn handle(doors: &DoorStore, keys: &VerifyingKeys, request: Request) -> Result<Answer, Problem> {
    let device = device(doors, &request).await?;
    let new: NewCheckIn = http::body(&request, |_| None)?;
    device.stands_at(new.list, new.gate.0)?;
    let list = doors.list(new.list).await?.ok_or_else(no_list)?;
    let presented =
        Presented { code: &new.code, gate: new.gate.0, way: new.direction, nonce: new.nonce, vouched: new.vouched };
    let keys = keys.current().await?;
    let answered = doors.pass(&list, &device, &presented, &keys, &http::trace(&request)).await?;
    Answer::ok(&CheckIn::from(answered))
}
