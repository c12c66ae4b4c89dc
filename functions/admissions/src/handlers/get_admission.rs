//! Shows an admission, and its code as a picture.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /admissions/{id}`, `GET /admissions/{id}/code.svg`, `GET /admissions/{id}/code.png` |
//! | reads | the ticket's admissions (AP-502), the event's terms (AP-281), the key of codes |

use super::answer::{AdmissionView, example, not_found};
use crate::{
    Office,
    domain::{Admission, Block},
    qr,
};
use boxoffice_admission::Code as TicketCode;
use boxoffice_aws::StoreError;
use boxoffice_kernel::AdmissionId;
use boxoffice_runtime::{Code, Problem, auth::Access, http, http::Answer};
use lambda_http::{Request, RequestExt as _};

/// Answers the route that was called: the admission, or a picture of its code.
///
/// # Errors
/// Those of [`show`], [`picture`] and [`pixels`].
pub async fn handle(office: &Office, request: Request) -> Result<Answer, Problem> {
    match request.raw_http_path().rsplit('/').next() {
        Some("code.svg") => picture(office, request).await,
        Some("code.png") => pixels(office, request).await,
        _ => show(office, request).await,
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
    let svg = qr::svg(&code(office, &request).await?).map_err(StoreError::from)?;
    Ok(Answer::content("image/svg+xml; charset=utf-8", svg))
}

/// Shows an admission's code as a QR code of 392 by 392 pixels.
///
/// Send `Accept: image/png`: API Gateway passes bytes on to those who ask for them, and hands anybody else their base64.
///
/// # Errors
/// When there is no such admission, it was revoked, or it is somebody else's.
#[utoipa::path(
    get,
    path = "/admissions/{id}/code.png",
    operation_id = "get-admission-code-png",
    tag = "admissions",
    params(("id" = inline(AdmissionId), Path, description = "The admission")),
    responses(
        (
            status = 200,
            description = "The QR code",
            body = String,
            content_type = "image/png",
            example = "The bytes of a PNG file"
        ),
        (status = 404, description = "`ADMISSION_NOT_FOUND`: there is none, or it was revoked"),
    )
)]
pub async fn pixels(office: &Office, request: Request) -> Result<Answer, Problem> {
    let png = qr::png(&code(office, &request).await?).map_err(StoreError::from)?;
    Ok(Answer::bytes("image/png", png))
}

/// The code of an admission, for its owner.
async fn code(office: &Office, request: &Request) -> Result<TicketCode, Problem> {
    let (block, admission) = find(office, request).await?;
    http::caller(request)?.may_act_for(block.user_id)?;
    let code = office.codes(&block, &[admission]).await?.pop().flatten();
    code.ok_or_else(|| Problem::new(Code::AdmissionNotFound, "The admission was revoked, and has no code any more."))
}

async fn find(office: &Office, request: &Request) -> Result<(Block, Admission), Problem> {
    let id: AdmissionId = http::path(request, "id", Code::InvalidId)?;
    let block = office.admissions.block(id.ticket()).await?.ok_or_else(not_found)?;
    let admission = block.at(id.place()).ok_or_else(not_found)?;
    Ok((block, admission))
}
