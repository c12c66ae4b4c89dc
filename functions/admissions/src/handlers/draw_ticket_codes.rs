//! Draws the codes of a ticket, for the mail to its owner.
//!
//! | | |
//! |---|---|
//! | trigger | invoked by `send-notification`, with `{"ticketId"}` |
//! | reads | the ticket's admissions (AP-502), the event's terms (AP-281), the key of codes |
//! | answers | `{"admissions", "codes"}`: how many admissions there are, and the first [`MOST`] codes as PNG; none of admissions that are revoked |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | it only reads, and the same code is the same picture |
//!
//! So the key of codes stays here: what sends mail can have codes drawn of tickets that exist, and can make none of its own (`docs/adr/0056-the-ticket-mail.md`).

use crate::{Office, qr};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{AdmissionId, TicketId};
use boxoffice_runtime::StepFailure;
use serde::{Deserialize, Serialize};

/// The most codes that one mail has: a booking of more is a group's, and its codes are with the order.
pub const MOST: u32 = 60;

/// The ticket.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    ticket_id: TicketId,
}

/// The codes of its admissions.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Drawn {
    admissions: u32,
    codes: Vec<DrawnCode>,
}

/// A code as a picture.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrawnCode {
    admission_id: AdmissionId,
    serial: u32,
    /// In base64.
    png: String,
}

/// Succeeds with the codes. A ticket that has no admissions, as one that is not confirmed, has none.
///
/// # Errors
/// See the table above.
pub async fn run(office: &Office, Question { ticket_id }: Question) -> Result<Drawn, StepFailure> {
    let Some(block) = office.admissions.block(ticket_id).await? else {
        return Ok(Drawn { admissions: 0, codes: Vec::new() });
    };
    let admissions: Vec<_> = (1..=block.quantity.get().min(MOST)).map_while(|place| block.at(place)).collect();
    let codes = office.codes(&block, &admissions).await?;
    let drawn = admissions.iter().zip(codes).filter_map(|(admission, code)| {
        let png = qr::png(&code?).map(|png| BASE64_STANDARD.encode(png));
        Some(png.map(|png| DrawnCode { admission_id: admission.id, serial: admission.serial.0, png }))
    });
    let codes = drawn.collect::<Result<_, _>>().map_err(StoreError::from)?;
    Ok(Drawn { admissions: block.quantity.get(), codes })
}
