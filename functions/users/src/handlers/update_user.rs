//! Changes a user's profile; for an ADMIN, also their role.
//!
//! | | |
//! |---|---|
//! | trigger | `PUT /users/{id}` |
//! | reads | the user (AP-80) |
//! | writes | the user and what is unique in them (AP-84); with another role, the end of every session (AP-91) and the count of ADMINs; the condition that the token of who changes it stands (AP-326) |
//! | emits | `UserUpdated`, unless nothing is different |
//! | safe to repeat | a user who is like that already stays so |

use super::answer::{UserView, link_in_name, push_endpoint_unknown, requester};
use crate::{
    UserStore,
    domain::{Change, Username, reads_as_link},
    push::PushApplication,
    security::{Incident, Origin, SecurityLog},
};
use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, Text, UserId, whole};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Deserializer};

/// Absent fields keep their values.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absence leaves, null takes away")]
pub struct UserChange {
    username: Option<Username>,
    /// It takes the place of the one before once it is verified (`POST /users/me/email-verification`); until then it is the `pendingEmail`.
    email: Option<Email>,
    first_name: Option<Text<50>>,
    last_name: Option<Text<50>>,
    notification_channel: Option<Channel>,
    /// `null` takes it away. Another in place of a verified one is the `pendingPhone` until it is verified (`POST /users/me/phone-verification`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PhoneNumber>)]
    phone: Option<Option<PhoneNumber>>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PushEndpoint>)]
    push_endpoint: Option<Option<PushEndpoint>>,
    /// An ADMIN's to change, and not their own.
    role: Option<Role>,
    /// The version that was read: with it, a change that somebody else made since is not overwritten.
    #[schema(minimum = 0)]
    #[serde(default, deserialize_with = "whole::optional")]
    version: Option<u64>,
}

/// Any JSON value, `null` among them.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<UserChange> for Change {
    fn from(change: UserChange) -> Self {
        Self {
            username: change.username,
            email: change.email,
            first_name: change.first_name,
            last_name: change.last_name,
            channel: change.notification_channel,
            phone: change.phone,
            push_endpoint: change.push_endpoint,
            role: change.role,
            version: change.version,
        }
    }
}

/// Change a user
///
/// Absent fields keep their values. A changed role ends every session of the user. Names, mail address, telephone, device and role need a log-in of the last 300 s.
///
/// # Errors
/// When there is no such user, it is not the caller's to change, a name is taken, or somebody else was first.
#[utoipa::path(
    put,
    path = "/users/{id}",
    operation_id = "update-user",
    tag = "users",
    params(("id" = UserId, Path, description = "The user")),
    request_body(content = UserChange, example = json!({ "notificationChannel": "SMS", "phone": "+14155550123" })),
    responses(
        (status = 200, description = "The user", body = UserView, example = json!({
            "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
            "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "SMS",
            "phone": "+14155550123", "version": 2,
            "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:05:00.000Z"
        })),
        (status = 400, description = "`PUSH_ENDPOINT_UNKNOWN`: a device of another application"),
        (status = 404, description = "`USER_NOT_FOUND`: there is none"),
        (status = 409, description = "`USERNAME_TAKEN`: another user has it; `VERSION_CONFLICT`: somebody else was first; \
            `ILLEGAL_TRANSITION`: an ADMIN's own role, or the last ADMIN's"),
    )
)]
pub async fn handle(
    users: &UserStore,
    push: &PushApplication,
    log: &SecurityLog,
    request: Request,
) -> Result<Answer, Problem> {
    let id: UserId = http::path(&request, "id", Code::InvalidId)?;
    let caller = http::caller(&request)?;
    caller.may_act_for(id)?;
    let change: UserChange = http::body(&request, |_| None)?;
    for (field, name) in [("firstName", &change.first_name), ("lastName", &change.last_name)] {
        if name.as_ref().is_some_and(reads_as_link) {
            return Err(link_in_name(field));
        }
    }
    if change.push_endpoint.iter().flatten().any(|endpoint| !push.has(endpoint)) {
        return Err(push_endpoint_unknown());
    }
    // Clients of the reference send the role back as it is.
    let role_before = match change.role {
        Some(_) => users.get(id).await?.map(|user| user.role),
        None => None,
    };
    let user = users.change(id, &change.into(), requester(&caller), &http::trace(&request)).await?;
    if role_before.is_some_and(|before| before != user.role) {
        log.note(Incident::RoleChanged, Some(id), &Origin::of(&request));
    }
    Answer::ok(&UserView::from(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absence_are_told_apart_where_it_matters() {
        let read = |body: &str| -> Change { serde_json::from_str::<UserChange>(body).unwrap().into() };
        assert_eq!(read("{}").phone, None);
        assert_eq!(read(r#"{"phone":null}"#).phone, Some(None));
        assert!(matches!(read(r#"{"phone":"+14155550123"}"#).phone, Some(Some(_))));
        assert_eq!(read(r#"{"pushEndpoint":null}"#).push_endpoint, Some(None));
        assert!(serde_json::from_str::<UserChange>(r#"{"password":"new"}"#).is_err());
    }
}
