//! Takes a user's second factor away, because they lost it.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/{id}/second-factor/reset` |
//! | reads | the user (AP-80) |
//! | writes | the user, the end of their second factor and of every session (AP-535, AP-91) |
//! | emits | `UserSecondFactorChanged` |
//! | safe to repeat | a repeat finds none, and is refused |

use super::answer::{StandingChange, requester};
use crate::{
    UserStore,
    domain::Refusal,
    security::{Incident, Origin, SecurityLog},
    store::ChangeError,
};
use boxoffice_kernel::UserId;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Reset a user's second factor
///
/// For somebody who lost their app and their recovery codes: see that it is them first. They log in with their password alone from then on, every session of
/// theirs has ended, and they are told by mail. It needs a log-in of the last five minutes.
///
/// # Errors
/// When there is no such user, they have none, it is the caller's own, or the log-in is too long ago.
#[utoipa::path(
    post,
    path = "/users/{id}/second-factor/reset",
    operation_id = "reset-second-factor",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    request_body(content = StandingChange, example = json!({ "reason": "Lost the telephone; seen in person" })),
    responses(
        (status = 204, description = "Reset; every session of theirs has ended"),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
        (status = 409, description = "`ILLEGAL_TRANSITION`: they have no second factor, or it is the caller's own"),
    )
)]
pub async fn handle(users: &UserStore, log: &SecurityLog, request: Request) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    let StandingChange { reason } = http::body(&request, |_| None)?;
    if id == caller.user_id {
        return Err(ChangeError::from(Refusal::OwnFactor).into());
    }
    users.remove_factor(id, requester(&caller), Some(&reason), &http::trace(&request)).await?;
    log.note(Incident::SecondFactorReset, Some(id), &Origin::of(&request));
    Ok(Answer::no_content())
}
