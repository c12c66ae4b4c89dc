//! Replaces a forgotten password.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /users/password-reset/confirm` |
//! | reads | the token, the user (AP-332, AP-80) |
//! | writes | the hash, the address as verified, the end of every session, and the token's, in one transaction (AP-333, AP-331, AP-91) |
//! | emits | `UserPasswordChanged`; `UserEmailVerified`, where the address was not verified |
//! | safe to repeat | the token is used then: a repeat is refused |

use super::answer::{proof_invalid, weak};
use crate::{
    Registration,
    password::NewPassword,
    proof::{ProofToken, Purpose},
    proofs::ProofStore,
    session::Presented,
};
use boxoffice_aws::{StoreError, transaction::Written};
use boxoffice_kernel::{Actor, Timestamp};
use boxoffice_runtime::{Problem, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// A token from a mail, and the password to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reset {
    token: Presented,
    /// Neither a common one nor hardly more than the username, the mail address or this product's name.
    new_password: NewPassword,
}

/// Choose a new password with a token from a mail
///
/// Every session of the user ends: log in with the new password. The address of the account is verified by it; where it was not before, telephone number and
/// device are forgotten, which somebody else may have given.
///
/// # Errors
/// When the token is not one, was used, or is too old.
#[utoipa::path(
    post,
    path = "/users/password-reset/confirm",
    operation_id = "reset-password",
    tag = "users",
    request_body(content = Reset, example = json!({
        "token": "Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCBvbmU", "newPassword": "staple of another kind"
    })),
    responses(
        (status = 204, description = "Changed; every session has ended"),
        (status = 400, description = "`PROOF_INVALID`: not a token of ours, used, or too old; `WEAK_PASSWORD`: a password that is guessed first"),
    )
)]
pub async fn handle(registration: &Registration, proofs: &ProofStore, request: Request) -> Result<Answer, Problem> {
    let Reset { token, new_password } = http::body(&request, |_| None)?;
    let token = ProofToken::from(&token).hash();
    let proof = proofs.get(&token).await?.ok_or_else(proof_invalid)?;
    let account = registration.users.account(proof.user_id).await?.ok_or_else(proof_invalid)?;
    let profile = &account.user.profile;
    if !proof.is_good_for(Purpose::PasswordReset, &profile.email.canonical(), Timestamp::now()) {
        return Err(proof_invalid());
    }
    new_password.accept(&profile.username, &profile.email).map_err(|weakness| weak(weakness).at("newPassword"))?;
    let hash = registration.hasher.hash(&new_password).map_err(StoreError::from)?;
    let trace = http::trace(&request).by(Actor::User(proof.user_id));
    match registration.users.reset_password(&account, &token, proof.generation, &hash, &trace).await? {
        Written::Yes => Ok(Answer::no_content()),
        Written::Stale => Err(proof_invalid()),
    }
}
