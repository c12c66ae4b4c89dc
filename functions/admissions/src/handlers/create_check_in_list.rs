//! Makes a check-in list of an event.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /inventory/{id}/check-in-lists` |
//! | reads | the event's terms (AP-281) |
//! | writes | the list (AP-510) |
//! | emits | `CheckInListCreated` |
//! | safe to repeat | no: each call makes a list |

use super::door_answer::{Gate, ListView, list_example, no_event};
use crate::{
    Doors,
    door::{CLOSES_AFTER_SECONDS, CheckInList, MOST_GATES, OPENS_BEFORE_SECONDS},
};
use boxoffice_kernel::{CheckInListId, InventoryId, Text, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// A new check-in list.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewCheckInList {
    /// Its name, for staff.
    name: Text<100>,
    /// The numbers of its gates; none: one gate, 0.
    #[serde(default)]
    #[schema(inline, max_items = 100)]
    gates: Vec<Gate>,
    /// Whether exits are scanned.
    #[serde(default)]
    exits: bool,
    /// Whether somebody who left may come in again.
    #[serde(default)]
    reentry: bool,
    /// When it begins to admit; 12 hours before the event unless given.
    opens_at: Option<Timestamp>,
    /// When it admits no more; 24 hours after the event's beginning unless given.
    closes_at: Option<Timestamp>,
}

/// Makes a check-in list of an event.
///
/// # Errors
/// When a field breaks a rule, or there is no such event.
#[utoipa::path(
    post,
    path = "/inventory/{id}/check-in-lists",
    operation_id = "create-check-in-list",
    tag = "admissions",
    params(("id" = inline(InventoryId), Path, description = "The event")),
    request_body(
        content = NewCheckInList,
        example = json!({"name": "Main entrance", "gates": [1, 2], "exits": true, "reentry": true})
    ),
    responses(
        (
            status = 201,
            description = "The list",
            body = ListView,
            headers(("Location" = String, description = "Where the list is")),
            example = json!(list_example())
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no event on sale has this id"),
    )
)]
pub async fn handle(doors: &Doors, request: Request) -> Result<Answer, Problem> {
    let event: InventoryId = http::path(&request, "id", Code::InvalidId)?;
    let new: NewCheckInList = http::body(&request, |_| None)?;
    let terms = doors.inventory.terms(&[event]).await?.remove(&event).ok_or_else(no_event)?.terms;
    let list = CheckInList {
        id: CheckInListId::generate(),
        inventory_id: event,
        name: new.name,
        gates: gates(new.gates)?,
        exits: new.exits,
        reentry: new.reentry,
        opens_at: new.opens_at.unwrap_or_else(|| terms.event_date.minus_seconds(OPENS_BEFORE_SECONDS)),
        closes_at: new.closes_at.unwrap_or_else(|| terms.event_date.plus_seconds(CLOSES_AFTER_SECONDS)),
        created_at: Timestamp::now(),
    };
    if list.closes_at <= list.opens_at {
        return Err(Problem::new(Code::ValidationError, "closesAt must be after opensAt.").at("closesAt"));
    }
    doors.store.create_list(&list, &http::trace(&request)).await?;
    let location = format!("/check-in-lists/{}", list.id);
    Answer::created(&ListView::from(list), location)
}

/// Gates in order, each once.
///
/// # Errors
/// When there are too many.
pub(super) fn gates(gates: Vec<Gate>) -> Result<Vec<u16>, Problem> {
    let mut gates: Vec<_> = gates.into_iter().map(|Gate(number)| number).collect();
    gates.sort_unstable();
    gates.dedup();
    if gates.len() > MOST_GATES {
        let detail = format!("gates: at most {MOST_GATES} gates.");
        return Err(Problem::new(Code::ValidationError, detail).at("gates"));
    }
    Ok(gates)
}
