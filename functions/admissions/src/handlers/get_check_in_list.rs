//! Shows a check-in list, its live numbers, and its devices.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /check-in-lists/{id}`, `…/numbers`, `…/devices?limit=&next=` |
//! | reads | the list (AP-511); the numbers also AP-522 and the event's seats (AP-10); the devices AP-515 |

use super::door_answer::{DeviceView, ListView, device_example, list_example, no_list};
use crate::{Doors, door::CheckInList};
use boxoffice_aws::Page;
use boxoffice_kernel::CheckInListId;
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::{Request, RequestExt as _};
use serde::Serialize;

/// How many are inside.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveNumbers {
    /// Admissions that are inside: entries less exits.
    inside: u64,
    /// Admissions of the event that are good.
    expected: u32,
    /// Entries in all.
    entries: u64,
    /// Exits in all.
    exits: u64,
    /// Each gate where somebody passed.
    gates: Vec<GateNumbers>,
}

/// How many passed a gate.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateNumbers {
    /// Its number.
    gate: u16,
    /// Entries.
    entries: u64,
    /// Exits.
    exits: u64,
}

/// Answers the route that was called: the list, its numbers, or its devices.
///
/// # Errors
/// Those of [`show`], [`numbers`] and [`devices`].
pub async fn handle(doors: &Doors, request: Request) -> Result<Answer, Problem> {
    let path = request.raw_http_path();
    if path.ends_with("/numbers") {
        numbers(doors, request).await
    } else if path.ends_with("/devices") {
        devices(doors, request).await
    } else {
        show(doors, request).await
    }
}

async fn list(doors: &Doors, request: &Request) -> Result<CheckInList, Problem> {
    let id: CheckInListId = http::path(request, "id", Code::InvalidId)?;
    doors.store.list(id).await?.ok_or_else(no_list)
}

/// Shows a check-in list.
///
/// # Errors
/// When there is none.
#[utoipa::path(
    get,
    path = "/check-in-lists/{id}",
    operation_id = "get-check-in-list",
    tag = "admissions",
    params(("id" = inline(CheckInListId), Path, description = "The list")),
    responses(
        (status = 200, description = "The list", body = ListView, example = json!(list_example())),
        (status = 404, description = "`CHECK_IN_LIST_NOT_FOUND`: there is none"),
    )
)]
pub async fn show(doors: &Doors, request: Request) -> Result<Answer, Problem> {
    Answer::ok(&ListView::from(list(doors, &request).await?))
}

/// Shows how many are inside, and how many are expected.
///
/// Exact at the moment of the answer.
///
/// # Errors
/// When there is no such list.
#[utoipa::path(
    get,
    path = "/check-in-lists/{id}/numbers",
    operation_id = "get-live-numbers",
    tag = "admissions",
    params(("id" = inline(CheckInListId), Path, description = "The list")),
    responses(
        (
            status = 200,
            description = "The numbers",
            body = LiveNumbers,
            example = json!({
                "inside": 40, "expected": 100, "entries": 42, "exits": 2,
                "gates": [{ "gate": 1, "entries": 42, "exits": 2 }]
            })
        ),
        (status = 404, description = "`CHECK_IN_LIST_NOT_FOUND`: there is none"),
    )
)]
pub async fn numbers(doors: &Doors, request: Request) -> Result<Answer, Problem> {
    let list = list(doors, &request).await?;
    let counts = doors.store.numbers(list.id).await?;
    let expected = doors.inventory.get(list.inventory_id).await?.map_or(0, |inventory| inventory.sold());
    let entries: u64 = counts.values().map(|count| count.entries).sum();
    let exits: u64 = counts.values().map(|count| count.exits).sum();
    let gates = counts.into_iter();
    let gates = gates.map(|(gate, count)| GateNumbers { gate, entries: count.entries, exits: count.exits }).collect();
    Answer::ok(&LiveNumbers { inside: entries.saturating_sub(exits), expected, entries, exits, gates })
}

/// Lists the devices of a check-in list, newest first.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/check-in-lists/{id}/devices",
    operation_id = "list-devices",
    tag = "admissions",
    params(("id" = inline(CheckInListId), Path, description = "The list"), Paging),
    responses((
        status = 200,
        description = "A page of devices",
        body = inline(Page<DeviceView>),
        example = json!({ "items": [device_example("ENROLLED")] })
    ))
)]
pub async fn devices(doors: &Doors, request: Request) -> Result<Answer, Problem> {
    let id: CheckInListId = http::path(&request, "id", Code::InvalidId)?;
    let (limit, cursor) = http::paging(&request)?;
    let page = doors.store.devices(id, limit, cursor).await?;
    Answer::ok(&page.map(|device| DeviceView::new(device, None)))
}
