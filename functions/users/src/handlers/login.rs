//! Logs a user in.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/login` |
//! | reads | whose name it is, their access, the user (AP-81, AP-82, AP-03, AP-80) |
//! | writes | the try, before the password is looked at, and its forgiveness (AP-96 to AP-98); the session (AP-92); the hash, when its parameters are old (AP-87) |
//! | safe to repeat | each right try is a session of its own |

use super::answer::{TokensView, address};
use crate::{Doorkeeper, Entrance, password::Password};
use boxoffice_runtime::{Problem, auth::Caller, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Deserializer, de};

/// A username or a mail address, as it was typed. What is neither is nobody's.
#[derive(Clone)]
pub(crate) struct LoginName(String);

impl LoginName {
    const MAX_LENGTH: usize = 254;
}

/// Not the name: it is personal, and may be a password typed into the wrong field.
impl std::fmt::Debug for LoginName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginName(…)")
    }
}

impl<'de> Deserialize<'de> for LoginName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::password::secret_text(deserializer)?;
        let valid = (1..=Self::MAX_LENGTH).contains(&text.chars().take(Self::MAX_LENGTH + 1).count());
        valid.then_some(Self(text)).ok_or_else(|| de::Error::custom("must be text of 1 to 254 characters"))
    }
}

boxoffice_kernel::schema::string_schema!(LoginName, { min: 1, max: LoginName::MAX_LENGTH, example: "ada.lovelace" });

/// Who logs in.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The username, or the mail address.
    username: LoginName,
    password: Password,
}

/// Log in
///
/// Answers 200 with an access token, which is good for minutes, and a refresh token, which is good for one `POST /users/refresh`. After some failed
/// log-ins of an account or from an address, 429 `TOO_MANY_ATTEMPTS` says in `Retry-After` how long to wait.
///
/// # Errors
/// When name and password do not go together, or it is too early for another try.
#[utoipa::path(
    post,
    path = "/users/login",
    operation_id = "login",
    tag = "users",
    request_body(content = Credentials, example = json!({ "username": "ada.lovelace", "password": "correct horse battery" })),
    responses(
        (status = 200, description = "Tokens, and the user", body = TokensView, example = json!({
            "accessToken": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl", "tokenType": "Bearer", "expiresIn": 300,
            "refreshToken": "usr_01970000000070008000000000000001.ses_01970000000070008000000000000009.Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCBvbmU",
            "refreshExpiresIn": 2_592_000,
            "user": {
                "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
                "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
                "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
            }
        })),
        (status = 401, description = "`INVALID_CREDENTIALS`: no such user, or another password"),
    )
)]
pub async fn handle(doorkeeper: &Doorkeeper, entrance: &Entrance, request: Request) -> Result<Answer, Problem> {
    let Credentials { username, password } = http::body(&request, |_| None)?;
    let admitted = doorkeeper.admit(&username.0, &password, &address(&request)).await?;
    let user = admitted.account.user;
    let granted = entrance.sessions.open(user.id, admitted.generation).await?;
    let session = &granted.session;
    let caller =
        Caller { user_id: user.id, role: user.role, session: session.session_id, generation: session.generation };
    let access_token = entrance.mint.access_token(&caller).await?;
    Answer::ok(&TokensView::new(access_token, entrance.mint.lifetime_seconds(), &granted, user))
}
