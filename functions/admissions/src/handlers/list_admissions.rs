//! Lists the admissions of a ticket, with their codes.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /tickets/{id}/admissions?limit=&next=` |
//! | reads | the ticket's admissions (AP-502), the event's terms (AP-281), the key of codes |

use super::answer::{AdmissionView, example, not_found};
use crate::Office;
use boxoffice_aws::{Cursor, Page, page::InvalidCursor};
use boxoffice_kernel::{AdmissionId, TicketId};
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::Request;

/// Lists the admissions of a ticket, with the codes to show at the door.
///
/// # Errors
/// When the ticket has none, or is somebody else's.
#[utoipa::path(
    get,
    path = "/tickets/{id}/admissions",
    operation_id = "list-admissions",
    tag = "admissions",
    params(("id" = inline(TicketId), Path, description = "The ticket"), Paging),
    responses(
        (
            status = 200,
            description = "A page of admissions, by serial",
            body = inline(Page<AdmissionView>),
            example = json!({ "items": [example()] })
        ),
        (status = 404, description = "`ADMISSION_NOT_FOUND`: the ticket has no admissions; it has them once it is CONFIRMED"),
    )
)]
pub async fn handle(office: &Office, request: Request) -> Result<Answer, Problem> {
    let ticket: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let block = office.admissions.block(ticket).await?.ok_or_else(not_found)?;
    http::caller(&request)?.may_act_for(block.user_id)?;
    let (limit, cursor) = http::paging(&request)?;
    let list = ticket.to_string();
    let after = cursor.map(|cursor| position(cursor, ticket)).transpose()?.map_or(0, AdmissionId::place);
    let places = (after + 1..).take(limit.get()).map_while(|place| block.at(place));
    let admissions: Vec<_> = places.collect();
    let codes = office.codes(&block, &admissions).await?;
    let more = admissions.last().filter(|admission| admission.id.place() < block.quantity.get());
    let next = more.map(|admission| Cursor::after(&list, &admission.id.to_string()));
    let items = admissions.into_iter().zip(codes);
    let items = items.map(|(admission, code)| AdmissionView::new(&block, admission, code)).collect();
    Answer::ok(&Page { items, next })
}

/// The admission to go on after.
fn position(cursor: Cursor, ticket: TicketId) -> Result<AdmissionId, Problem> {
    let refused = |error: InvalidCursor| Problem::new(Code::InvalidCursor, format!("next {error}.")).at("next");
    let after: Option<AdmissionId> = cursor.position(&ticket.to_string()).map_err(refused)?.parse().ok();
    after.filter(|after| after.ticket() == ticket).ok_or_else(|| refused(InvalidCursor))
}
