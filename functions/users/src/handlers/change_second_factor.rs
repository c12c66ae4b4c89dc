//! Adds the caller's second factor, and removes it.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/me/second-factor`, `POST /users/me/second-factor/confirm`, `DELETE /users/me/second-factor` |
//! | reads | the user, their second factor (AP-80, AP-530) |
//! | writes | a second factor that begins (AP-531); its confirmation (AP-532) or its end (AP-535), each with the end of every session (AP-91) |
//! | emits | `UserSecondFactorChanged` |
//! | safe to repeat | one that begins takes the place of the one before; afterwards the token is no longer valid, and a repeat is refused |

use super::answer::{not_found, requester};
use crate::{
    UserStore,
    second_factor::{PresentedCode, RecoveryCode, SecondFactor},
    session::Presented,
};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::Timestamp;
use boxoffice_runtime::{Code, Problem, auth::log_in_again, http, http::Answer};
use lambda_http::{Request, http::Method};
use serde::{Deserialize, Serialize};

/// The first code of an app.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FactorConfirmation {
    /// The six digits that the app shows.
    code: Presented,
}

/// The secret for an app. It is shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecondFactor)]
pub(crate) struct FactorView {
    /// To be typed into an authenticator app: Base32, for codes of six digits every 30 seconds.
    secret: String,
    /// The same for a QR code.
    uri: String,
}

/// The codes for the day the app is lost. They are shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecoveryCodes)]
pub(crate) struct RecoveryCodesView {
    /// Each works once, in place of an app's code.
    recovery_codes: Vec<String>,
}

/// Answers the route that was called.
///
/// # Errors
/// Those of [`begin`], [`confirm`] and [`remove`].
pub async fn handle(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    match (request.method(), http::route(&request).as_str()) {
        (&Method::DELETE, _) => remove(users, request).await,
        (_, "/users/me/second-factor/confirm") => confirm(users, request).await,
        _ => begin(users, request).await,
    }
}

/// Begin a second factor
///
/// Answers with the secret for an authenticator app. It counts once a code of the app has confirmed it, with `POST /users/me/second-factor/confirm`; until then
/// another call begins anew. It needs a log-in of the last five minutes.
///
/// # Errors
/// When the log-in is too long ago, or there is a second factor already.
#[utoipa::path(
    post,
    path = "/users/me/second-factor",
    operation_id = "begin-second-factor",
    tag = "users",
    responses(
        (status = 200, description = "The secret", body = FactorView, example = json!({
            "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "uri": "otpauth://totp/Box%20Office:ada.lovelace?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Box%20Office"
        })),
        (status = 409, description = "`ILLEGAL_TRANSITION`: there is one; remove it first"),
    )
)]
pub async fn begin(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    if !caller.logged_in_lately(Timestamp::now()) {
        return Err(log_in_again());
    }
    let user = users.get(caller.user_id).await?.ok_or_else(not_found)?;
    let factor = SecondFactor::begin()?;
    if users.begin_factor(user.id, &factor).await? == Written::Stale {
        let detail = "There is a second factor. Remove it with DELETE /users/me/second-factor first.";
        return Err(Problem::new(Code::IllegalTransition, detail));
    }
    let uri = factor.secret.uri(&user.profile.username.to_string());
    Answer::ok(&FactorView { secret: factor.secret.typed().to_string(), uri: uri.to_string() })
}

/// Confirm a second factor with a code of the app
///
/// Answers with recovery codes, which are not shown again. From then on a log-in needs a code, and every session has ended, the caller's too: log in again.
///
/// # Errors
/// When none was begun, the code is not of its secret, or the log-in is too long ago.
#[utoipa::path(
    post,
    path = "/users/me/second-factor/confirm",
    operation_id = "confirm-second-factor",
    tag = "users",
    request_body(content = FactorConfirmation, example = json!({ "code": "287082" })),
    responses(
        (status = 200, description = "The recovery codes; every session has ended", body = RecoveryCodesView, example = json!({
            "recoveryCodes": ["7K2M-9QXW-4ABC-0D1E", "Z3RT-8VNP-6HGJ-5S2Y"]
        })),
        (status = 409, description = "`ILLEGAL_TRANSITION`: none was begun, or it is confirmed"),
    )
)]
pub async fn confirm(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    let FactorConfirmation { code } = http::body(&request, |_| None)?;
    let factor = users.factor(caller.user_id).await?.filter(|factor| factor.confirmed_at.is_none());
    let factor = factor.ok_or_else(|| {
        let detail = "No second factor waits to be confirmed. Begin one with POST /users/me/second-factor.";
        Problem::new(Code::IllegalTransition, detail)
    })?;
    let step = match PresentedCode::from(&code) {
        PresentedCode::App(code) => factor.fresh_step(code, Timestamp::now()),
        PresentedCode::Recovery(_) => None,
    };
    let step = step.ok_or_else(|| {
        let detail = "This is not the code of the secret at this time. Look at the app's clock, and send the code that it shows.";
        Problem::new(Code::ValidationError, detail).at("code")
    })?;
    let codes = RecoveryCode::issue_all()?;
    users.confirm_factor(requester(&caller), &factor.secret, step, &codes, &http::trace(&request)).await?;
    Answer::ok(&RecoveryCodesView { recovery_codes: codes.iter().map(RecoveryCode::reveal).collect() })
}

/// Remove one's second factor
///
/// It needs a log-in of the last five minutes, which needed a code. Every session ends, the caller's too.
///
/// # Errors
/// When there is none, or the log-in is too long ago.
#[utoipa::path(
    delete,
    path = "/users/me/second-factor",
    operation_id = "remove-second-factor",
    tag = "users",
    responses(
        (status = 204, description = "Removed; every session has ended"),
        (status = 409, description = "`ILLEGAL_TRANSITION`: there is none"),
    )
)]
pub async fn remove(users: &UserStore, request: Request) -> Result<Answer, Problem> {
    let caller = http::caller(&request)?;
    users.remove_factor(caller.user_id, requester(&caller), None, &http::trace(&request)).await?;
    Ok(Answer::no_content())
}
