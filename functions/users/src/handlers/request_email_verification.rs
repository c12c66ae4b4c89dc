//! Asks for a message by which the caller shows that they read the mail of their address, or the text messages to their telephone.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/me/email-verification`, `POST /users/me/phone-verification` |
//! | calls | `send-account-mail`, without waiting |
//! | safe to repeat | each is another message, three an hour at most |

use crate::mail::{MailFunction, Wanted};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;

/// Ask for a mail that verifies one's address
///
/// It has a token for `POST /users/email-verification`, good once and for a day; three an hour at most. It goes to the `pendingEmail`, or to the `email` that is
/// not verified.
///
/// # Errors
/// When the mail cannot be asked for.
#[utoipa::path(
    post,
    path = "/users/me/email-verification",
    operation_id = "request-email-verification",
    tag = "users",
    responses((status = 204, description = "A mail is on its way"))
)]
pub async fn handle(mail: &MailFunction, request: Request) -> Result<Answer, Problem> {
    let user_id = http::caller(&request)?.user_id;
    let wanted = match http::route(&request).as_str() {
        "/users/me/phone-verification" => Wanted::PhoneVerification { user_id },
        _ => Wanted::EmailVerification { user_id },
    };
    mail.ask(&wanted).await?;
    Ok(Answer::no_content())
}

/// Ask for a text message that verifies one's telephone number
///
/// It has a token for `POST /users/phone-verification`, good once and for 15 minutes; three an hour at most. It goes to the `pendingPhone`, or to the `phone` that
/// is not verified.
///
/// # Errors
/// When the message cannot be asked for.
#[utoipa::path(
    post,
    path = "/users/me/phone-verification",
    operation_id = "request-phone-verification",
    tag = "users",
    responses((status = 204, description = "A text message is on its way"))
)]
pub async fn by_phone(mail: &MailFunction, request: Request) -> Result<Answer, Problem> {
    handle(mail, request).await
}
