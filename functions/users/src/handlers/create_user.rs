//! Registers a user.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users`, `POST /users/register` |
//! | writes | the user, their name, mail address and access, in one transaction (AP-83, AP-90) |
//! | emits | `UserCreated` |
//! | safe to repeat | the name is taken then: a repeat is refused |

use super::answer::{UserView, link_in_name, push_endpoint_unknown, user_example, weak};
use crate::{
    Registration,
    domain::{Profile, User, Username, reads_as_link},
    password::NewPassword,
    push::PushApplication,
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, Text, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The new user.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    /// Unique, whatever its case.
    username: Username,
    /// It counts once it is verified: log in and call `POST /users/me/email-verification`. Until then it brings nobody any message but about orders that are
    /// paid, and others may name it too.
    email: Email,
    /// Neither a common one nor hardly more than the username, the mail address or this product's name.
    password: NewPassword,
    first_name: Text<50>,
    last_name: Text<50>,
    /// EMAIL unless said.
    notification_channel: Option<Channel>,
    /// For SMS, once it is verified: `POST /users/me/phone-verification`.
    phone: Option<PhoneNumber>,
    /// For PUSH.
    push_endpoint: Option<PushEndpoint>,
    /// Everybody registers as USER; an ADMIN changes it afterwards.
    role: Option<Role>,
}

impl NewUser {
    fn accept(self, push: &PushApplication) -> Result<(Profile, NewPassword), Problem> {
        if self.role.is_some_and(|role| role != Role::User) {
            let detail = "Registration always creates a USER. An ADMIN grants other roles with PUT /users/{id}.";
            return Err(Problem::new(Code::Forbidden, detail).at("role"));
        }
        if self.push_endpoint.as_ref().is_some_and(|endpoint| !push.has(endpoint)) {
            return Err(push_endpoint_unknown());
        }
        for (field, name) in [("firstName", &self.first_name), ("lastName", &self.last_name)] {
            if reads_as_link(name) {
                return Err(link_in_name(field));
            }
        }
        self.password.accept(&self.username, &self.email).map_err(|weakness| weak(weakness).at("password"))?;
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
/// Everybody may, and is a USER. Answers 201 with the user. Whether another account has the mail address is not said.
///
/// # Errors
/// When the body breaks a rule, or the name is taken.
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
            example = json!(user_example())),
        (status = 400, description = "`WEAK_PASSWORD`: a password that is guessed first; `PUSH_ENDPOINT_UNKNOWN`: a device of another application"),
        (status = 403, description = "`FORBIDDEN`: a role other than USER"),
        (status = 409, description = "`USERNAME_TAKEN`: another user has it"),
    )
)]
pub async fn handle(registration: &Registration, push: &PushApplication, request: Request) -> Result<Answer, Problem> {
    let (profile, password) = http::body::<NewUser>(&request, |_| None)?.accept(push)?;
    let user = User::register(UserId::generate(), profile, Role::User, Timestamp::now());
    let kept = registration.hasher.keep(&password, &user).map_err(StoreError::from)?;
    registration.users.register(&user, &kept, &http::trace(&request)).await?;
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
        (status = 400, description = "`WEAK_PASSWORD`: a password that is guessed first; `PUSH_ENDPOINT_UNKNOWN`: a device of another application"),
        (status = 403, description = "`FORBIDDEN`: a role other than USER"),
        (status = 409, description = "`USERNAME_TAKEN`: another user has it"),
    )
)]
pub async fn register(
    registration: &Registration,
    push: &PushApplication,
    request: Request,
) -> Result<Answer, Problem> {
    handle(registration, push, request).await
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
        new.accept(&PushApplication::default()).err().map(|problem| (problem.code, problem.field))
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
    fn a_device_of_another_application_is_refused() {
        let other = json!({ "pushEndpoint": "arn:aws:sns:us-east-1:999999999999:endpoint/GCM/another/1" });
        assert_eq!(refused(other), Some((Code::PushEndpointUnknown, Some("pushEndpoint".into()))));
    }

    #[test]
    fn a_name_that_is_mailed_has_no_link() {
        let refusal = |field: &str| Some((Code::ValidationError, Some(field.to_owned())));
        assert_eq!(refused(json!({ "firstName": "Win at evil.example" })), refusal("firstName"));
        assert_eq!(refused(json!({ "lastName": "http://x" })), refusal("lastName"));
    }

    #[test]
    fn a_password_is_not_the_name_it_goes_with() {
        for password in ["Ada.Lovelace", "ADA@example.org", "password1"] {
            let refusal = Some((Code::WeakPassword, Some("password".into())));
            assert_eq!(refused(json!({ "password": password })), refusal);
        }
    }
}
