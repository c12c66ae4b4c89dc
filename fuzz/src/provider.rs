//! Stripe's answers: what the provider sends is input too, and money follows from it.
//!
//! - Money is ours only when a success says so plainly; a failure of the provider's is never a decline.
//! - An intent's id goes into the paths of later calls, so it is one that leads nowhere else.
//! - The provider's words go into events, tables and logs, so they are short and harmless.

use crate::input_for;
use boxoffice_payments::{
    gateway::{Charge, GatewayError, Opened, Returned},
    refund,
    stripe::Answer,
};
use lambda_http::http::StatusCode;
use serde_json::{Value, json};

/// The longest name of a reason that is passed on, in bytes.
const REASON: usize = 64;
/// The longest description of a failure.
const DESCRIPTION: usize = 1000;

/// Statuses that say something here. Any other number is as good as these.
const STATUSES: [u16; 16] = [200, 201, 204, 301, 400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 599];

/// See the module. The first byte is the status, the rest the body.
pub fn check(input: &[u8]) {
    let Some((choice, body)) = input.split_first() else { return };
    let number = STATUSES.get(usize::from(*choice)).copied().unwrap_or(u16::from(*choice) * 4 + 100);
    let status = StatusCode::from_u16(number.min(999)).expect("a status has three digits");
    // A field that nobody reads may be neither text nor number.
    let json = serde_json::from_str::<Value>(&String::from_utf8_lossy(body)).ok();
    let is = |pointer: &str, text: &str| match &json {
        Some(json) => json.pointer(pointer).and_then(Value::as_str) == Some(text),
        None => true,
    };
    let read = || Answer::read(status, body.to_vec());

    if let Err(error) = read() {
        assert!(!status.is_success(), "a success is no failure: {error}");
        assert!(!status.is_server_error() || matches!(error, GatewayError::Unavailable(_)), "{status}: {error}");
        harmless(&error);
        return;
    }
    assert!(!status.is_server_error(), "{status} is no answer");

    match read().and_then(Answer::confirmed) {
        Ok(Some(Charge::Succeeded)) => {
            assert!(status.is_success() && is("/status", "succeeded"), "{status} is no success: {json:?}");
        }
        Ok(Some(Charge::Declined { reason })) => {
            let left_behind = is("/status", "canceled") && is("/cancellation_reason", "abandoned");
            let declined = left_behind || is("/status", "requires_payment_method");
            assert!(status == StatusCode::PAYMENT_REQUIRED || (status.is_success() && declined), "{status}: {json:?}");
            short(&reason);
        }
        Ok(Some(Charge::Cancelled)) => assert!(status.is_success() && is("/status", "canceled"), "{json:?}"),
        Ok(Some(Charge::NeedsAction(_))) => {
            assert!(status.is_success() && is("/status", "requires_action"), "{json:?}");
        }
        Ok(Some(Charge::UnderWay | Charge::Unconfirmed)) => {
            assert!(status.is_success() && (json.is_none() || !is("/status", "succeeded")), "{status}: {json:?}");
        }
        Ok(None) => assert!(!status.is_success(), "{status}: {json:?}"),
        Err(error) => harmless(&error),
    }
    match read().and_then(Answer::opened) {
        Ok(Opened::Intent(id)) => {
            let id = id.to_string();
            assert!(status.is_success() && is("/id", &id), "{id} is not in {json:?}");
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{id:?}");
        }
        Ok(Opened::Declined { reason }) => {
            assert_eq!(status, StatusCode::PAYMENT_REQUIRED, "{json:?}");
            short(&reason);
        }
        Ok(Opened::NoSuchMethod) => {
            assert!(is("/error/code", "resource_missing") && is("/error/param", "payment_method"));
        }
        Ok(Opened::MethodUnavailable) => assert!(is("/error/param", "payment_method_types"), "{json:?}"),
        Err(error) => harmless(&error),
    }
    match read().and_then(Answer::refunded) {
        Ok(Some(Returned::Refund(seen))) => {
            assert!(status.is_success(), "{json:?}");
            assert!(seen.state != refund::State::Succeeded || is("/status", "succeeded"), "{json:?}");
            if let Some(reason) = &seen.failure_reason {
                short(reason);
            }
        }
        Ok(Some(Returned::TooMuch)) => {
            assert!(!status.is_success(), "{json:?}");
            assert!(is("/error/code", "charge_already_refunded") || is("/error/param", "amount"), "{json:?}");
        }
        Ok(Some(Returned::Refused { reason })) => {
            assert!(is("/error/code", "charge_disputed"), "{json:?}");
            short(&reason);
        }
        Ok(None) => panic!("no answer here is an echo: {json:?}"),
        Err(error) => harmless(&error),
    }
}

/// The name of a reason, as buyers and consumers get it.
fn short(reason: &str) {
    assert!((1..=REASON).contains(&reason.len()), "a reason of {} bytes: {reason:?}", reason.len());
    assert!(reason.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{reason:?}");
}

/// A failure, as the journal and the log get it.
fn harmless(error: &GatewayError) {
    let text = error.to_string();
    assert!(text.len() <= DESCRIPTION, "a description of {} bytes", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// Answers as Stripe's documentation shows them, and some that were read for what they are not.
pub fn seeds() -> Vec<Vec<u8>> {
    let intent =
        |status: &str| json!({ "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "status": status });
    let error = json!({ "error": {
        "code": "card_declined", "decline_code": "insufficient_funds", "type": "card_error", "message": "Your card was declined."
    } });
    let mut declined = intent("requires_payment_method");
    declined["last_payment_error"] = error["error"].clone();
    let refunded = json!({ "error": { "code": "charge_already_refunded", "type": "invalid_request_error" } });
    let reused = json!({ "error": { "type": "idempotency_error", "message": "Keys for idempotent requests…" } });
    let successes = ["succeeded", "canceled", "processing", "requires_action", "requires_confirmation"].map(intent);
    let with = |status: u16, body: &Value| {
        let choice = STATUSES.iter().position(|known| *known == status).expect("a status above");
        input_for(choice, body.to_string())
    };
    let mut wordless = reused.clone();
    wordless["error"]["message"] = json!(5);
    let mut wordy = error.clone();
    wordy["error"]["decline_code"] = json!("a sentence\nor two");
    let failures = [
        (402, &error),
        (400, &refunded),
        (400, &reused),
        (400, &wordless),
        (402, &wordy),
        (429, &error),
        (409, &error),
        (503, &error),
    ];
    let failures = failures.map(|(status, body)| with(status, body));
    successes.iter().chain([&declined]).map(|body| with(200, body)).chain(failures).collect()
}
