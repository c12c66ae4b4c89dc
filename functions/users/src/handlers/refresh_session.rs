//! Exchanges a refresh token for new tokens.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/refresh` |
//! | reads | the user's access, the session, the user (AP-03, AP-93, AP-80) |
//! | writes | the session's next refresh token (AP-94); its end, when the token was used before (AP-95) |
//! | safe to repeat | no, on purpose: a second use of a refresh token ends its session |

use super::answer::{TokensView, refresh_token_invalid};
use crate::{Entrance, session::Presented};
use boxoffice_runtime::{Problem, auth::Caller, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// Whose session goes on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refresh {
    /// The last one this session was given.
    refresh_token: Presented,
}

/// Get new tokens for a refresh token
///
/// A refresh token is good once. The second use of one ends its session, for one of the two is not the user; so refresh one at a time.
///
/// # Errors
/// When the token does not stand.
#[utoipa::path(
    post,
    path = "/users/refresh",
    operation_id = "refresh-session",
    tag = "users",
    request_body(content = Refresh, example = json!({
        "refreshToken": "usr_01970000000070008000000000000001.ses_01970000000070008000000000000009.Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCBvbmU"
    })),
    responses(
        (status = 200, description = "New tokens, and the user", body = TokensView, example = json!({
            "accessToken": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl", "tokenType": "Bearer", "expiresIn": 300,
            "refreshToken": "usr_01970000000070008000000000000001.ses_01970000000070008000000000000009.YW5vdGhlciBvbmUsIGFuZCBub3QgYSByZWFsIG9uZSE",
            "refreshExpiresIn": 2_591_700,
            "user": {
                "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
                "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
                "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
            }
        })),
        (status = 401, description = "`REFRESH_TOKEN_INVALID`: not one, used before, or its session has ended"),
    )
)]
pub async fn handle(entrance: &Entrance, request: Request) -> Result<Answer, Problem> {
    let Refresh { refresh_token } = http::body(&request, |_| None)?;
    let presented = refresh_token.token().ok_or_else(refresh_token_invalid)?;
    let granted = entrance.sessions.renew(&presented).await?;
    let session = &granted.session;
    // Read after the session: a role that changes from here on ends this generation, and with it the token made of it.
    let user = entrance.users.get(session.user_id).await?.ok_or_else(refresh_token_invalid)?;
    let caller =
        Caller { user_id: user.id, role: user.role, session: session.session_id, generation: session.generation };
    let access_token = entrance.mint.access_token(&caller).await?;
    Answer::ok(&TokensView::new(access_token, entrance.mint.lifetime_seconds(), &granted, user))
}
