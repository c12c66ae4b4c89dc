//! Registers a user.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users`, `POST /users/register` |
//! | writes | the user, their name, mail address and access, in one transaction (AP-83, AP-90) |
//! | emits | `UserCreated` |
//! | safe to repeat | the name is taken then: a repeat is refused |

use super::answer::UserView;
use crate::{
    Registry,
    domain::{Profile, User, Username},
    password::NewPassword,
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, Text, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// Who registers.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    /// Unique, whatever its case.
    username: Username,
    /// Unique, whatever its case.
    email: Email,
    /// Not the username or the mail address again.
    password: NewPassword,
    first_name: Text<50>,
    last_name: Text<50>,
    /// EMAIL unless said.
    notification_channel: Option<Channel>,
    /// For SMS.
    phone: Option<PhoneNumber>,
    /// For PUSH.
    push_endpoint: Option<PushEndpoint>,
    /// Everybody registers as USER; an ADMIN changes it afterwards.
    role: Option<Role>,
}

impl NewUser {
    fn accept(self) -> Result<(Profile, NewPassword), Problem> {
        if self.role.is_some_and(|role| role != Role::User) {
            let detail = "Everybody registers as USER. An ADMIN grants other roles, with PUT /users/{id}.";
            return Err(Problem::new(Code::Forbidden, detail).at("role"));
        }
        if self.password.is_any_of(&[self.username.as_str(), self.email.as_str()]) {
            let detail = "The password must be neither the username nor the mail address.";
            return Err(Problem::new(Code::ValidationError, detail).at("password"));
        }
        let profile = Profile {
            username: self.username,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            channel: self.notification_channel.unwrap_or_default(),
            phone: self.phone,
            push_endpoint: self.push_endpoint,
        };
        Ok((profile, self.password))
    }
}

/// Register a user
///
/// Everybody may, and is a USER. Answers 201 with the user.
///
/// # Errors
/// When the body breaks a rule, or the name or the mail address is taken.
#[utoipa::path(
    post,
    path = "/users",
    operation_id = "create-user",
    tag = "users",
    request_body(content = NewUser, example = json!({
        "username": "ada.lovelace", "email": "ada@example.org", "password": "correct horse battery",
        "firstName": "Ada", "lastName": "Lovelace", "notificationChannel": "EMAIL"
    })),
    responses(
        (status = 201, description = "The user", body = UserView,
            headers(("Location" = String, description = "Where the user is")),
            example = json!({
                "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
                "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
                "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
            })),
        (status = 403, description = "`FORBIDDEN`: a role other than USER"),
        (status = 409, description = "`USERNAME_TAKEN`, `EMAIL_TAKEN`: another user has it"),
    )
)]
pub async fn handle(registry: &Registry, request: Request) -> Result<Answer, Problem> {
    let (profile, password) = http::body::<NewUser>(&request, |_| None)?.accept()?;
    let hash = registry.hasher.hash(&password).map_err(StoreError::from)?;
    let user = User::register(UserId::generate(), profile, Role::User, Timestamp::now());
    registry.users.register(&user, &hash, &http::trace(&request)).await?;
    let location = format!("/users/{}", user.id);
    Answer::created(&UserView::from(user), location)
}

/// Register a user, by the reference's other path
///
/// As `POST /users`.
///
/// # Errors
/// As [`handle`].
#[utoipa::path(
    post,
    path = "/users/register",
    operation_id = "create-user-by-registration",
    tag = "users",
    request_body(content = NewUser, example = json!({
        "username": "grace.hopper", "email": "grace@example.org", "password": "correct horse battery",
        "firstName": "Grace", "lastName": "Hopper", "notificationChannel": "SMS", "phone": "+14155550123"
    })),
    responses(
        (status = 201, description = "The user", body = UserView,
            headers(("Location" = String, description = "Where the user is")),
            example = json!({
                "id": "usr_01970000000070008000000000000002", "username": "grace.hopper", "email": "grace@example.org",
                "firstName": "Grace", "lastName": "Hopper", "role": "USER", "notificationChannel": "SMS",
                "phone": "+14155550123", "version": 1,
                "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
            })),
        (status = 403, description = "`FORBIDDEN`: a role other than USER"),
        (status = 409, description = "`USERNAME_TAKEN`, `EMAIL_TAKEN`: another user has it"),
    )
)]
pub async fn register(registry: &Registry, request: Request) -> Result<Answer, Problem> {
    handle(registry, request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(change: serde_json::Value) -> Option<(Code, Option<String>)> {
        let mut body = json!({
            "username": "ada.lovelace", "email": "ada@example.org", "password": "correct horse",
            "firstName": "Ada", "lastName": "Lovelace"
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let new: NewUser = serde_json::from_value(body).unwrap();
        new.accept().err().map(|problem| (problem.code, problem.field))
    }

    #[test]
    fn nobody_registers_as_more_than_a_user() {
        assert_eq!(refused(json!({})), None);
        assert_eq!(refused(json!({ "role": "USER" })), None);
        for role in ["MANAGER", "ADMIN"] {
            assert_eq!(refused(json!({ "role": role })), Some((Code::Forbidden, Some("role".into()))));
        }
    }

    #[test]
    fn a_password_is_not_the_name_it_goes_with() {
        for password in ["Ada.Lovelace", "ADA@example.org"] {
            let refusal = Some((Code::ValidationError, Some("password".into())));
            assert_eq!(refused(json!({ "password": password })), refusal);
        }
    }
}
