//! Takes the buyer's wish to cancel, any time before the event. A saga then refunds, releases and cancels.
//!
//! | | |
//! |---|---|
//! | trigger | `PATCH /tickets/{id}/cancel` |
//! | reads | the ticket (AP-50) |
//! | writes | the wish (AP-52) |
//! | emits | `TicketCancellationRequested`, which starts the saga |
//! | safe to repeat | a second wish changes nothing and gets the same answer |

use super::answer::TicketView;
use crate::{TicketStore, domain::Unchanged, store::ChangeError};
use boxoffice_kernel::TicketId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Answers 202 with the ticket: the wish is recorded, and a failure from here on is ours to repair.
///
/// # Errors
/// When there is no such ticket, it is cancelled already, or the event has begun.
pub async fn handle(store: &TicketStore, request: Request) -> Result<Answer, Problem> {
    let id: TicketId = http::path(&request, "id", Code::InvalidId)?;
    let ticket = match store.request_cancellation(id, &http::trace(&request)).await {
        Err(ChangeError::Unchanged(Unchanged::CancellationRequested(_))) => {
            store.get(id).await?.ok_or(ChangeError::NotFound)?
        }
        outcome => outcome?,
    };
    Answer::accepted(&TicketView::from(ticket))
}
