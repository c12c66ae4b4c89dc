//! Exchanges a refresh token for new tokens.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/refresh` |
//! | reads | the user's access, the session, the user (AP-03, AP-93, AP-80) |
//! | writes | the session's next refresh token (AP-94); its end, when the token was used before (AP-95) |
//! | safe to repeat | for a minute: the same refresh token is given again. Later the second use of a refresh token ends its session, on purpose |

use super::answer::{refresh_token_invalid, tokens, user_example};
use crate::{
    LoginStores,
    security::{Incident, Origin},
    session::{Presented, RefreshToken, Refusal},
    sessions::{Granted, RenewError},
};
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The user of the session.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refresh {
    /// The last one this session was given.
    refresh_token: Presented,
}

/// Get new tokens for a refresh token
///
/// A refresh token is good once. Sent again within a minute, because two tabs refresh at once or the answer was lost, it gives the same refresh token again. The use of an older
/// one ends its session, for it was copied. A session ends when it is not refreshed for `SessionIdleSeconds` (7 days).
///
/// # Errors
/// When the token is not valid.
#[utoipa::path(
    post,
    path = "/users/refresh",
    operation_id = "refresh-session",
    tag = "users",
    request_body(content = Refresh, example = json!({
        "refreshToken": "usr_01970000000070008000000000000001.ses_01970000000070008000000000000009.Zm9yIGV4YW1wbGUgb25seSwgYW5kIG5vdCBhIHJlYWwgb25lOyBub3IgaXMgdGhlIGhhbGYgYWZ0ZXIgdGhpcw"
    })),
    responses(
        (status = 200, description = "New tokens, and the user", body = super::answer::TokensView, example = json!({
            "accessToken": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl", "tokenType": "Bearer", "expiresIn": 300,
            "refreshToken": "usr_01970000000070008000000000000001.ses_01970000000070008000000000000009.YW5vdGhlciBmb3IgZXhhbXBsZSBvbmx5LCBhbmQgYWdhaW4gbm90IGEgcmVhbCBvbmUsIG5vciBpdHMgaGFsZg",
            "refreshExpiresIn": 2_591_700,
            "user": user_example()
        })),
        (status = 401, description = "`REFRESH_TOKEN_INVALID`: not one, used before, or its session has ended"),
    )
)]
pub async fn handle(stores: &LoginStores, request: Request) -> Result<Answer, Problem> {
    let Refresh { refresh_token } = http::body(&request, |_| None)?;
    let presented = refresh_token.token().ok_or_else(refresh_token_invalid)?;
    let granted = renew(stores, &presented, &Origin::of(&request)).await?;
    // Read after the session: a role that changes from here on ends this generation, and with it the token made of it.
    let user = stores.users.get(granted.session.user_id).await?.ok_or_else(refresh_token_invalid)?;
    Answer::ok(&tokens(&stores.mint, &granted, user).await?)
}

/// The session goes on, or the security log tells why not where a token was copied.
async fn renew(stores: &LoginStores, presented: &RefreshToken, origin: &Origin) -> Result<Granted, RenewError> {
    let renewed = stores.sessions.renew(presented, Timestamp::now()).await;
    if let Err(RenewError::Refused(Refusal::Reused)) = &renewed {
        stores.security.note(Incident::RefreshTokenReused, Some(presented.user()), origin);
    }
    renewed
}
