//! Makes tokens and sends them to the address of an account.
//!
//! | | |
//! |---|---|
//! | trigger | `request-password-reset`, `request-email-verification`, which do not wait |
//! | reads | whose address it is, who names it, the user, their access (AP-82, AP-481, AP-80, AP-03) |
//! | writes | the message, counted (AP-97); the token's hash (AP-330) |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | each is another message with another token, three an hour at most |

use crate::{
    Post,
    mail::{Issued, Wanted},
    proof::{Proof, ProofToken, Purpose},
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Email, Timestamp, UserId};
use boxoffice_runtime::StepFailure;
use serde::Serialize;

/// The most accounts that one mail has tokens for, of those that name an address which none has verified.
const MOST_ACCOUNTS: usize = 5;

/// Nothing: nobody waits for it.
#[derive(Debug, Serialize)]
pub struct Posted {}

/// Does nothing where there is no such account, it is suspended, nothing of it waits to be verified, or it got enough messages.
///
/// # Errors
/// See the table above.
pub async fn run(post: &Post, wanted: Wanted) -> Result<Posted, StepFailure> {
    match wanted {
        Wanted::PasswordReset { email } => reset(post, &email).await?,
        Wanted::EmailVerification { user_id } => {
            let user = post.users.get(user_id).await?;
            let address = user.as_ref().and_then(|user| user.unverified_email());
            if let Some(email) = address
                && let Some(issued) = issue(post, Purpose::EmailVerification, user_id, &email.canonical()).await?
            {
                post.mailer.send(Purpose::EmailVerification, email, &[issued]).await?;
            }
        }
        Wanted::PhoneVerification { user_id } => {
            let user = post.users.get(user_id).await?;
            let number = user.as_ref().and_then(|user| user.unverified_phone());
            if let Some(phone) = number
                && let Some(issued) = issue(post, Purpose::PhoneVerification, user_id, phone.as_str()).await?
            {
                post.mailer.text(phone, &issued).await?;
            }
        }
    }
    Ok(Posted {})
}

/// A token for the account that has verified the address. Where none has, one for each that names it: the mail says when each was registered, and its reader
/// knows which is theirs.
async fn reset(post: &Post, email: &Email) -> Result<(), StoreError> {
    let accounts = match post.users.whose_mail(email).await? {
        Some(owner) => vec![owner],
        None => post.users.accounts_naming(email).await?,
    };
    let mut issued = Vec::new();
    for id in accounts.into_iter().take(MOST_ACCOUNTS) {
        issued.extend(issue(post, Purpose::PasswordReset, id, &email.canonical()).await?);
    }
    if issued.is_empty() { Ok(()) } else { post.mailer.send(Purpose::PasswordReset, email, &issued).await }
}

/// A token of an account for this address, should it get one.
async fn issue(post: &Post, purpose: Purpose, id: UserId, address: &str) -> Result<Option<Issued>, StoreError> {
    let (Some(access), Some(user)) = (post.sessions.access(id).await?, post.users.get(id).await?) else {
        return Ok(None);
    };
    let now = Timestamp::now();
    if user.suspension.is_some() || !post.proofs.within_budget(id, purpose, address, now).await? {
        return Ok(None);
    }
    let token = ProofToken::issue(purpose)?;
    let expires_at = now.plus_seconds(purpose.lifetime_seconds()).unix_seconds();
    let address = address.to_owned();
    let proof = Proof { purpose, user_id: id, address, generation: access.generation, expires_at };
    post.proofs.keep(&token, &proof).await?;
    Ok(Some(Issued { token, registered_at: user.created_at }))
}
