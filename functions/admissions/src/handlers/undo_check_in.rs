//! Undoes the last passage of an admission, by a supervisor.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /check-in-lists/{id}/undo` |
//! | reads | the passage and the admission (AP-521, AP-502) |
//! | writes | the passage (AP-520) |
//! | emits | `PassageUndone` |
//! | safe to repeat | the second call answers 409: one passage is undone once |

use super::door_answer::{PassageView, passage_example};
use crate::doors::DoorStore;
use boxoffice_kernel::{AdmissionId, CheckInListId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// A passage to undo.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoPassage {
    /// The admission.
    admission_id: AdmissionId,
}

/// Undoes the last passage of an admission through a list.
///
/// # Errors
/// When there is none.
#[utoipa::path(
    post,
    path = "/check-in-lists/{id}/undo",
    operation_id = "undo-check-in",
    tag = "admissions",
    params(("id" = inline(CheckInListId), Path, description = "The list")),
    request_body(content = UndoPassage, example = json!({"admissionId": "adm_01970000000070008000000000000001000001"})),
    responses(
        (status = 200, description = "The passage, undone", body = PassageView, example = json!(passage_example())),
        (status = 409, description = "`NOTHING_TO_UNDO`: the admission has not passed, or its last passage was undone"),
    )
)]
pub async fn handle(doors: &DoorStore, request: Request) -> Result<Answer, Problem> {
    let list: CheckInListId = http::path(&request, "id", Code::InvalidId)?;
    let undo: UndoPassage = http::body(&request, |_| None)?;
    let passage = doors.undo(list, undo.admission_id, &http::trace(&request)).await?;
    Answer::ok(&PassageView::from(passage))
}
