//! Shows an admission, and its code as a picture.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /admissions/{id}`, `GET /admissions/{id}/code.svg` |
//! | reads | the ticket's admissions (AP-502), the event's terms (AP-281), the key of codes |

use super::answer::{AdmissionView, example, not_found};
use crate::{
    Office,
    domain::{Admission, Block},
    qr,
};
use boxoffice_kernel::AdmissionId;
use boxoffice_runtime::{Code, Problem, auth::Access, http, http::Answer};
use lambda_http::{Request, RequestExt as _};

/// Answers the route that was called: the admission, or the picture of its code.
///
/// # Errors
/// Those of [`show`] and [`picture`].
pub async fn handle(office: &Office, request: Request) -> Result<Answer, Problem> {
    if request.raw_http_path().ends_with("/code.svg") {
        picture(office, request).await
    } else {
        show(office, request).await
    }
}

/// Shows an admission.
///
/// A MANAGER sees it without its code.
///
/// # Errors
/// When there is none, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/admissions/{id}",
    operation_id = "get-admission",
    tag = "admissions",
    params(("id" = inline(AdmissionId), Path, description = "The admission")),
    responses(
        (status = 200, description = "The admission", body = AdmissionView, example = json!(example())),
        (status = 404, description = "`ADMISSION_NOT_FOUND`: there is none"),
    )
)]
pub async fn show(office: &Office, request: Request) -> Result<Answer, Problem> {
    let (block, admission) = find(office, &request).await?;
    let caller = http::caller(&request)?;
    let code = match caller.may_act_for(block.user_id) {
        Ok(()) => office.codes(&block, &[admission]).await?.pop().flatten(),
        Err(_) => {
            caller.must_be(Access::Manager)?;
            None
        }
    };
    Answer::ok(&AdmissionView::new(&block, admission, code))
}

/// Shows an admission's code as a QR code.
///
/// # Errors
/// When there is no such admission, it was revoked, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/admissions/{id}/code.svg",
    operation_id = "get-admission-code",
    tag = "admissions",
    params(("id" = inline(AdmissionId), Path, description = "The admission")),
    responses(
        (
            status = 200,
            description = "The QR code",
            body = String,
            content_type = "image/svg+xml",
            example = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"
        ),
        (status = 404, description = "`ADMISSION_NOT_FOUND`: there is none, or it was revoked"),
    )
)]
pub async fn picture(office: &Office, request: Request) -> Result<Answer, Problem> {
    let (block, admission) = find(office, &request).await?;
    http::caller(&request)?.may_act_for(block.user_id)?;
    let code = office.codes(&block, &[admission]).await?.pop().flatten();
    let code = code
        .ok_or_else(|| Problem::new(Code::AdmissionNotFound, "The admission was revoked, and has no code any more."))?;
    let svg = qr::svg(&code).map_err(|error| boxoffice_aws::StoreError::Broken(error.to_string()))?;
    Ok(Answer::content("image/svg+xml; charset=utf-8", svg))
}

async fn find(office: &Office, request: &Request) -> Result<(Block, Admission), Problem> {
    let id: AdmissionId = http::path(request, "id", Code::InvalidId)?;
    let block = office.admissions.block(id.ticket()).await?.ok_or_else(not_found)?;
    let admission = block.at(id.place()).ok_or_else(not_found)?;
    Ok((block, admission))
}
