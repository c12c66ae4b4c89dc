//! Logs a user in.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/login` |
//! | reads | whose name it is, whether the device is known, failures of the account, the user's access, the user, their second factor (AP-81, AP-82, AP-320, AP-321, AP-03, AP-80, AP-530) |
//! | writes | the try, before the password is looked at, and its forgiveness (AP-96 to AP-98); the code of the second factor, used up (AP-533, AP-534); the session and its device (AP-92); the end of the session that it replaces (AP-93, AP-95); the hash, when its parameters are old (AP-87) |
//! | safe to repeat | each right try is a session of its own |

use super::answer::{tokens, user_example};
use crate::{Doorkeeper, LoginStores, doorkeeper::Knock, password::Password, security::Origin, session::Presented};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Deserialize, Deserializer, de};

/// A username or a mail address, as it was typed. Any other text belongs to nobody.
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

/// The user who logs in.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The username, or the mail address.
    username: LoginName,
    password: Password,
    /// The code of the account's second factor, where it has one: the six digits that its app shows, or a recovery code. Each works once.
    code: Option<Presented>,
    /// The `deviceToken` of the last log-in from this device. A device that sends it does not wait because of others' failed log-ins.
    device_token: Option<Presented>,
    /// The `refreshToken` of the session that this log-in replaces: that session ends.
    refresh_token: Option<Presented>,
}

/// Log in
///
/// Answers 200 with an access token, which is good for minutes, and a refresh token, which is good for one `POST /users/refresh`. After some failed
/// log-ins from an address, or of an account from anywhere, 429 `TOO_MANY_ATTEMPTS` says in `Retry-After` how long to wait. Others' failures make an address
/// wait for `LoginDelaySeconds` (30) at most, and a device that shows its `deviceToken` not at all.
///
/// An account with a second factor needs its `code` too. An ADMIN or MANAGER without one has the rights of a USER where `RequireSecondFactor` says so, until they
/// enrol with `POST /users/me/second-factor`; `withheldRole` says which role waits.
///
/// # Errors
/// When wrong username or password, or it is too early for another try.
#[utoipa::path(
    post,
    path = "/users/login",
    operation_id = "login",
    tag = "users",
    request_body(content = Credentials, example = json!({ "username": "ada.lovelace", "password": "correct horse battery" })),
    responses(
        (status = 200, description = "Tokens, and the user", body = super::answer::TokensView, example = json!({
            "accessToken": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl", "tokenType": "Bearer", "expiresIn": 300,
            "refreshToken": "usr_01970000000070008000000000000001.ses_01970000000070008000000000000009.Zm9yIGV4YW1wbGUgb25seSwgYW5kIG5vdCBhIHJlYWwgb25lOyBub3IgaXMgdGhlIGhhbGYgYWZ0ZXIgdGhpcw",
            "refreshExpiresIn": 2_592_000,
            "deviceToken": "YSBkZXZpY2UgdG9rZW4gZm9yIGV4YW1wbGUgb25seSE",
            "user": user_example()
        })),
        (status = 401, description = "`INVALID_CREDENTIALS`: no such user, or another password. `SECOND_FACTOR_REQUIRED`: the password is right, and \
            `code` is missing. `SECOND_FACTOR_INVALID`: it is wrong, or was used"),
        (status = 403, description = "`ACCOUNT_SUSPENDED`: an ADMIN has suspended the account"),
    )
)]
pub async fn handle(doorkeeper: &Doorkeeper, stores: &LoginStores, request: Request) -> Result<Answer, Problem> {
    let Credentials { username, password, code, device_token, refresh_token } = http::body(&request, |_| None)?;
    let origin = Origin::of(&request);
    let (code, device) = (code.as_ref(), device_token.as_ref());
    let knock = Knock { name: &username.0, password: &password, code, device, origin: &origin };
    let (admitted, device) = doorkeeper.admit(knock, &stores.mint.name_key().await?).await?;
    let user = admitted.account.user;
    let granted = stores.sessions.open(user.id, admitted.generation, admitted.strength, &device).await?;
    if let Some(before) = refresh_token.as_ref().and_then(Presented::token) {
        stores.sessions.replace(&before).await?;
    }
    Answer::ok(&tokens(&stores.mint, &granted, user).await?.with_device(&device))
}
