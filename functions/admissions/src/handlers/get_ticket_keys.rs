//! Shows the public keys that ticket codes are signed with, so that anybody can verify a code without a network.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /.well-known/ticket-keys.json` |
//! | reads | the public keys in SSM, at most once a minute |

use crate::keys::{TicketKeys, VerifyingKeys};
use boxoffice_runtime::{Problem, http::Answer};

/// For how long the keys may be kept.
const CACHED_SECONDS: u32 = 300;

/// Shows the public keys of ticket codes.
///
/// Every key that has signed a code which may still be shown. `docs/ticket-codes.md` says how a code is verified.
///
/// # Errors
/// When the keys cannot be read.
#[utoipa::path(
    get,
    path = "/.well-known/ticket-keys.json",
    operation_id = "get-ticket-keys",
    tag = "admissions",
    responses((
        status = 200,
        description = "The keys, the newest first",
        body = TicketKeys,
        content_type = "application/json",
        example = json!({"keys": [{
            "id": 1,
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "alg": "EdDSA",
            "use": "sig"
        }]})
    ))
)]
pub async fn handle(keys: &VerifyingKeys) -> Result<Answer, Problem> {
    Ok(Answer::ok(keys.current().await?.as_ref())?.cached(CACHED_SECONDS))
}
