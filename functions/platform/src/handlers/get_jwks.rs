//! Shows the public keys that access tokens are signed with, for whoever wants to check one.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /.well-known/jwks.json` |
//! | reads | nothing: the keys are the function's configuration |

use boxoffice_runtime::{Problem, auth::PublicKeys, http::Answer};

/// For how long the keys may be kept: a new key is shown this long before a token is signed with it.
const CACHED_SECONDS: u32 = 300;

/// Shows the public keys of access tokens.
///
/// A JSON Web Key Set (RFC 7517). There is more than one key while keys are being changed.
///
/// # Errors
/// When the answer does not serialize.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "get-jwks",
    tag = "platform",
    responses((
        status = 200,
        description = "The keys",
        body = PublicKeys,
        content_type = "application/json",
        example = json!({"keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "2026-11-23T19-46-00-000Z",
            "alg": "EdDSA",
            "use": "sig"
        }]})
    ))
)]
pub fn handle(keys: &PublicKeys) -> Result<Answer, Problem> {
    Ok(Answer::ok(keys)?.cached(CACHED_SECONDS))
}
