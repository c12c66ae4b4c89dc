//! Lists a user's sessions.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /users/{id}/sessions` |
//! | reads | the user, their access, their sessions (AP-80, AP-03, AP-322) |

use super::answer::not_found;
use crate::{SessionStore, UserStore, session::Session};
use boxoffice_aws::Page;
use boxoffice_kernel::{SessionId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem, auth::Caller, http, http::Answer};
use lambda_http::Request;
use serde::Serialize;

/// A log-in that goes on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(crate) struct SessionView {
    id: SessionId,
    /// When its user logged in.
    created_at: Timestamp,
    /// When it was refreshed last.
    last_used_at: Timestamp,
    /// When it ends, however often it is refreshed.
    expires_at: Timestamp,
    /// Whether it is the one that this call is made in.
    current: bool,
}

impl SessionView {
    fn of(session: &Session, caller: &Caller) -> Option<Self> {
        let at = |seconds: u64| Timestamp::from_unix_millis(i64::try_from(seconds).ok()?.checked_mul(1000)?);
        Some(Self {
            id: session.session_id,
            created_at: at(session.logged_in_at)?,
            last_used_at: at(session.used_at)?,
            expires_at: at(session.expires_at)?,
            current: session.session_id == caller.session,
        })
    }
}

/// List a user's sessions
///
/// Those that go on, the newest first; of more than 100 the newest 100.
///
/// # Errors
/// When there is no such user, or they are not the caller's to see.
#[utoipa::path(
    get,
    path = "/users/{id}/sessions",
    operation_id = "list-sessions",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    responses(
        (status = 200, description = "The sessions", body = inline(Page<SessionView>), example = json!({
            "items": [{
                "id": "ses_01970000000070008000000000000009", "createdAt": "2026-11-23T10:00:00.000Z",
                "lastUsedAt": "2026-11-23T10:05:00.000Z", "expiresAt": "2026-12-23T10:00:00.000Z", "current": true
            }]
        })),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
    )
)]
pub async fn handle(users: &UserStore, sessions: &SessionStore, request: Request) -> Result<Answer, Problem> {
    let user: UserId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    caller.may_act_for(user)?;
    users.get(user).await?.ok_or_else(not_found)?;
    let access = sessions.access(user).await?.ok_or_else(not_found)?;
    let standing = sessions.list(user, &access, Timestamp::now()).await?;
    let items = standing.iter().filter_map(|session| SessionView::of(session, &caller)).collect();
    Answer::ok(&Page { items, next: None })
}
