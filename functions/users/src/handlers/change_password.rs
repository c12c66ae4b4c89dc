//! Changes the caller's password.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/me/password` |
//! | reads | the user's access, the user (AP-03, AP-80) |
//! | writes | the try and its forgiveness (AP-96 to AP-98); the hash, and the end of every session, in one transaction (AP-86, AP-91) |
//! | emits | `UserPasswordChanged` |
//! | safe to repeat | the token is no longer valid: a repeat is refused |

use super::answer::weak;
use crate::{
    Doorkeeper, UserStore,
    password::{NewPassword, Password},
    security::Origin,
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
    /// Neither a common one nor hardly more than the username, the mail address or this product's name.
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
        (status = 400, description = "`WEAK_PASSWORD`: a password that is guessed first"),
        (status = 409, description = "`VERSION_CONFLICT`: it was changed at the same time"),
    )
)]
pub async fn handle(doorkeeper: &Doorkeeper, users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    let PasswordChange { current_password, new_password } = http::body(&request, |_| None)?;
    let account =
        doorkeeper.confirm(caller.user_id, caller.session, &current_password, &Origin::of(&request)).await?.account;
    let profile = &account.user.profile;
    new_password.accept(&profile.username, &profile.email).map_err(|weakness| weak(weakness).at("newPassword"))?;
    let kept = doorkeeper.hasher().keep(&new_password, &account.user).map_err(StoreError::from)?;
    match users.change_password(&account, &kept, &http::trace(&request)).await? {
        Written::Yes => Ok(Answer::no_content()),
        Written::Stale => Err(Problem::new(Code::VersionConflict, "The password was changed at the same time.")),
    }
}
