//! Asks for a mail with which a forgotten password is replaced.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/password-reset` |
//! | calls | `send-account-mail`, without waiting |
//! | safe to repeat | each is another mail, three an hour at most |

use crate::mail::{MailFunction, Wanted};
use boxoffice_kernel::Email;
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The account whose password is forgotten.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetRequest {
    /// The mail address of the account.
    email: Email,
}

/// Ask for a new password
///
/// Where there is an account of this address, a mail goes there with a token for `POST /users/password-reset/confirm`, good once and for 30 minutes; three an hour at
/// most. The answer is the same where there is none.
///
/// # Errors
/// When the mail cannot be asked for.
#[utoipa::path(
    post,
    path = "/users/password-reset",
    operation_id = "request-password-reset",
    tag = "users",
    request_body(content = ResetRequest, example = json!({ "email": "ada@example.org" })),
    responses((status = 204, description = "A mail is on its way, where there is such an account"))
)]
pub async fn handle(mail: &MailFunction, request: Request) -> Result<Answer, Problem> {
    let ResetRequest { email } = http::body(&request, |_| None)?;
    mail.ask(&Wanted::PasswordReset { email }).await?;
    Ok(Answer::no_content())
}
