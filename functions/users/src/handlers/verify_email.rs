//! Verifies a user's mail address or telephone number.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/email-verification`, `POST /users/phone-verification` |
//! | reads | the token, the user (AP-332, AP-80) |
//! | writes | the user, the claim of the address, and the token's end, in one transaction (AP-334, AP-482, AP-331) |
//! | emits | `UserEmailVerified`; `UserUpdated` for a telephone number |
//! | safe to repeat | the token is used then: a repeat is refused |

use super::answer::proof_invalid;
use crate::{
    UserStore,
    proof::{Proof, ProofToken, Purpose},
    proofs::ProofStore,
    session::{Presented, TokenHash},
    store::Account,
};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{Actor, Email, Timestamp, UserId};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// A token from a mail or a text message.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    token: Presented,
}

/// Answers the route that was called.
///
/// # Errors
/// Those of [`by_email`] and [`by_phone`].
pub async fn handle(users: &UserStore, proofs: &ProofStore, request: Request) -> Result<Answer, Problem> {
    match http::route(&request).as_str() {
        "/users/phone-verification" => by_phone(users, proofs, request).await,
        _ => by_email(users, proofs, request).await,
    }
}

/// Verify a mail address with a token from a mail
///
/// The token proves that its bearer has read the mail, so it needs no log-in. From then on the address is this account's alone, and the one before it is free.
///
/// # Errors
/// When the token is not one, was used, or is too old.
#[utoipa::path(
    post,
    path = "/users/email-verification",
    operation_id = "verify-email",
    tag = "users",
    request_body(content = Verification, example = json!({ "token": "Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCBvbmU" })),
    responses(
        (status = 204, description = "Verified"),
        (status = 400, description = "`PROOF_INVALID`: not a token of ours, used, too old, or of another address than the account has by now"),
        (status = 409, description = "`EMAIL_TAKEN`: another account has verified this address"),
    )
)]
pub async fn by_email(users: &UserStore, proofs: &ProofStore, request: Request) -> Result<Answer, Problem> {
    verify_by_email(None, users, proofs, request).await
}

/// Verify the address of this user: a token of another account is refused. Two accounts may name one address, and whoever is logged in means their own.
///
/// # Errors
/// Those of [`by_email`].
pub async fn by_email_of(
    owner: UserId,
    users: &UserStore,
    proofs: &ProofStore,
    request: Request,
) -> Result<Answer, Problem> {
    verify_by_email(Some(owner), users, proofs, request).await
}

async fn verify_by_email(
    owner: Option<UserId>,
    users: &UserStore,
    proofs: &ProofStore,
    request: Request,
) -> Result<Answer, Problem> {
    let (token, proof, account) = presented(users, proofs, &request).await?;
    let user = &account.user;
    if owner.is_some_and(|owner| owner != user.id) {
        return Err(proof_invalid());
    }
    proves(&proof, Purpose::EmailVerification, user.unverified_email().map(Email::canonical))?;
    let trace = http::trace(&request).by(Actor::User(user.id));
    verified(users.verify_email(&account, &token, &trace).await?)
}

/// Verify a telephone number with a token from a text message
///
/// The token proves that its bearer has read the message, so it needs no log-in.
///
/// # Errors
/// When the token is not one, was used, or is too old.
#[utoipa::path(
    post,
    path = "/users/phone-verification",
    operation_id = "verify-phone",
    tag = "users",
    request_body(content = Verification, example = json!({ "token": "7K2M9QXW4ABC" })),
    responses(
        (status = 204, description = "Verified"),
        (status = 400, description = "`PROOF_INVALID`: not a token of ours, used, too old, or of another number than the account has by now"),
    )
)]
pub async fn by_phone(users: &UserStore, proofs: &ProofStore, request: Request) -> Result<Answer, Problem> {
    let (token, proof, account) = presented(users, proofs, &request).await?;
    let user = &account.user;
    proves(&proof, Purpose::PhoneVerification, user.unverified_phone().map(ToString::to_string))?;
    let trace = http::trace(&request).by(Actor::User(user.id));
    verified(users.verify_phone(user, &token, &trace).await?)
}

/// The token in the request, what it was issued for, and the account it belongs to.
async fn presented(
    users: &UserStore,
    proofs: &ProofStore,
    request: &Request,
) -> Result<(TokenHash, Proof, Account), Problem> {
    let Verification { token } = http::body(request, |_| None)?;
    let token = ProofToken::from(&token).hash();
    let proof = proofs.get(&token).await?.ok_or_else(proof_invalid)?;
    let account = users.account(proof.user_id).await?.ok_or_else(proof_invalid)?;
    Ok((token, proof, account))
}

/// That the token was issued for this, and for the address that waits.
fn proves(proof: &Proof, purpose: Purpose, address: Option<String>) -> Result<(), Problem> {
    let is_good = address.is_some_and(|address| proof.is_good_for(purpose, &address, Timestamp::now()));
    if is_good { Ok(()) } else { Err(proof_invalid()) }
}

fn verified(written: Written) -> Result<Answer, Problem> {
    match written {
        Written::Yes => Ok(Answer::no_content()),
        Written::Stale => Err(proof_invalid()),
    }
}
