//! Shows the user who has this mail address.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/lookup`, `GET /users/email/{email}` |
//! | reads | whose it is, who names it, then the user (AP-82, AP-481, AP-80) |

use super::answer::{UserView, not_found, user_example, visible};
use crate::UserStore;
use boxoffice_kernel::Email;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The mail address of the user to look up.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserLookup {
    /// In any case.
    email: Email,
}

/// Answers the route that was called.
///
/// # Errors
/// Those of [`look_up`] and [`by_path`].
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    match http::route(&request).as_str() {
        "/users/lookup" => look_up(users, request).await,
        _ => by_path(users, request).await,
    }
}

/// Look up the user who has this mail address
///
/// Whether a mail address is taken is an ADMIN's to know: anybody else gets 403 for every one but their own. Several accounts may have an address that none has
/// verified: the answer is the caller's own, or the newest.
///
/// # Errors
/// When there is none, or it is not the caller's to see.
#[utoipa::path(
    post,
    path = "/users/lookup",
    operation_id = "look-up-user",
    tag = "users",
    request_body(content = UserLookup, example = json!({ "email": "ada@example.org" })),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!(user_example())),
        (status = 404, description = "`USER_NOT_FOUND`: nobody has it"),
    )
)]
pub async fn look_up(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let UserLookup { email } = http::body(&request, |_| None)?;
    found(users, &request, vec![email]).await
}

/// Show the user who has this mail address
///
/// As `POST /users/lookup`, which keeps the address out of the URL: proxies and histories remember URLs. This call is for clients of before.
///
/// # Errors
/// When there is none, or it is not the caller's to see.
#[utoipa::path(
    get,
    path = "/users/email/{email}",
    operation_id = "get-user-by-email",
    tag = "users",
    params(("email" = Email, Path, description = "The mail address, in any case")),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!(user_example())),
        (status = 404, description = "`USER_NOT_FOUND`: nobody has it"),
    )
)]
pub async fn by_path(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let spellings = http::spellings(&request, "email", Code::ValidationError)?;
    found(users, &request, spellings).await
}

async fn found(users: &UserStore, request: &Request, spellings: Vec<Email>) -> Result<Answer, Problem> {
    let caller = http::caller(request)?;
    let mut found = Vec::new();
    for email in spellings {
        found.extend(users.whose_mail(&email).await?);
        found.extend(users.accounts_naming(&email).await?);
    }
    let own = found.iter().find(|id| **id == caller.user_id);
    let id = visible(&caller, own.or(found.first()).copied())?;
    let user = users.get(id).await?.ok_or_else(not_found)?;
    Answer::ok(&UserView::from(user))
}
