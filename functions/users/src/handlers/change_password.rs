//! Changes the caller's password.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/me/password` |
//! | reads | the user's access, the user (AP-03, AP-80) |
//! | writes | the try and its forgiveness (AP-96 to AP-98); the hash, and the end of every session, in one transaction (AP-86, AP-91) |
//! | safe to repeat | the token does not stand any more: a repeat is refused |

use super::answer::address;
use crate::{
    Doorkeeper, UserStore,
    password::{NewPassword, Password},
};
use boxoffice_aws::{StoreError, transaction::Written};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// One password for another.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordChange {
    current_password: Password,
    /// Not the username or the mail address.
    new_password: NewPassword,
}

/// Change one's password
///
/// Every session of the user ends, the caller's too: log in with the new password.
///
/// # Errors
/// When the current password is another, or it is too early for another try.
#[utoipa::path(
    post,
    path = "/users/me/password",
    operation_id = "change-password",
    tag = "users",
    request_body(content = PasswordChange, example = json!({
        "currentPassword": "correct horse battery", "newPassword": "staple of another kind"
    })),
    responses(
        (status = 204, description = "Changed; every session has ended"),
        (status = 409, description = "`VERSION_CONFLICT`: it was changed at the same time"),
    )
)]
pub async fn handle(doorkeeper: &Doorkeeper, users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    let PasswordChange { current_password, new_password } = http::body(&request, |_| None)?;
    let account = doorkeeper.confirm(caller.user_id, &current_password, &address(&request)).await?.account;
    let profile = &account.user.profile;
    if new_password.is_any_of(&[profile.username.as_str(), profile.email.as_str()]) {
        let detail = "The password must be neither the username nor the mail address.";
        return Err(Problem::new(Code::ValidationError, detail).at("newPassword"));
    }
    let hash = doorkeeper.hasher().hash(&new_password).map_err(StoreError::from)?;
    match users.change_password(&account, &hash).await? {
        Written::Yes => Ok(Answer::no_content()),
        Written::Stale => Err(Problem::new(Code::VersionConflict, "The password was changed at the same time.")),
    }
}
