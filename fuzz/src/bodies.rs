//! The body of every call, read as the call reads it.
//!
//! - What is accepted, the API's document allows, and reading it again after it was written out makes the same of it.
//! - What the document allows is refused only for a rule that a schema cannot say.
//! - A refusal is the client's fault, names a field or the body itself, and never repeats a secret.

use crate::{
    addressed, input_for,
    material::{example_bodies, schema_of_api, validator},
};
use boxoffice_admissions::handlers::{
    create_check_in::NewCheckIn, create_check_in_list::NewCheckInList, enrol_device::EnrolDevice,
    invite_device::NewDevice, undo_check_in::UndoPassage,
};
use boxoffice_inventory::{
    domain::Revision,
    handlers::{cancel_inventory::EventCancellation, create_inventory::NewInventory},
};
use boxoffice_notifications::handlers::{create_notification::NewNotification, resend_notification::ResendWish};
use boxoffice_operations::handlers::{answer::Wish, replay_events::Replay};
use boxoffice_payments::handlers::{
    create_payment::NewPayment, process_payment::Charge, receive_stripe_event, refund_payment::Refund,
    settle_refund::Settlement,
};
use boxoffice_runtime::{Code, Problem, http};
use boxoffice_tickets::handlers::create_ticket::NewTicket;
use boxoffice_users::handlers::{
    answer::StandingChange, change_password::PasswordChange, change_second_factor::FactorConfirmation,
    create_user::NewUser, get_user_by_email::UserLookup, login::Credentials, refresh_session::Refresh,
    request_password_reset::ResetRequest, reset_password::Reset, update_user::UserChange, verify_email::Verification,
};
use jsonschema::Validator;
use lambda_http::{
    Body, Request,
    http::header::{CONTENT_TYPE, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{fmt::Debug, sync::LazyLock};

/// A body that some call reads.
struct Call {
    /// Its schema in the API's document.
    schema: &'static str,
    /// Reads it, and shows what was understood.
    read: fn(&Request) -> Result<String, Problem>,
}

const CALLS: [Call; 29] = [
    Call { schema: "NewInventory", read: understood::<NewInventory> },
    Call { schema: "InventoryRevision", read: understood::<Revision> },
    Call { schema: "EventCancellation", read: understood::<EventCancellation> },
    Call { schema: "NewTicket", read: understood::<NewTicket> },
    Call { schema: "NewPayment", read: understood::<NewPayment> },
    Call { schema: "Charge", read: understood::<Charge> },
    Call { schema: "Refund", read: understood::<Refund> },
    Call { schema: "Settlement", read: understood::<Settlement> },
    Call { schema: "StripeEvent", read: understood::<receive_stripe_event::Event> },
    Call { schema: "NewUser", read: understood::<NewUser> },
    Call { schema: "UserChange", read: understood::<UserChange> },
    Call { schema: "Credentials", read: understood::<Credentials> },
    Call { schema: "PasswordChange", read: understood::<PasswordChange> },
    Call { schema: "FactorConfirmation", read: understood::<FactorConfirmation> },
    Call { schema: "Refresh", read: understood::<Refresh> },
    Call { schema: "Verification", read: understood::<Verification> },
    Call { schema: "ResetRequest", read: understood::<ResetRequest> },
    Call { schema: "Reset", read: understood::<Reset> },
    Call { schema: "UserLookup", read: understood::<UserLookup> },
    Call { schema: "StandingChange", read: understood::<StandingChange> },
    Call { schema: "NewNotification", read: understood::<NewNotification> },
    Call { schema: "Wish", read: understood::<Wish> },
    Call { schema: "Replay", read: understood::<Replay> },
    Call { schema: "ResendWish", read: understood::<ResendWish> },
    Call { schema: "NewCheckIn", read: understood::<NewCheckIn> },
    Call { schema: "NewCheckInList", read: understood::<NewCheckInList> },
    Call { schema: "NewDevice", read: understood::<NewDevice> },
    Call { schema: "UndoPassage", read: understood::<UndoPassage> },
    // A one-time token is all there is in it, and is never shown.
    Call { schema: "EnrolDevice", read: |request| http::body::<EnrolDevice>(request, |_| None).map(|_| String::new()) },
];

static SCHEMAS: LazyLock<Vec<Validator>> =
    LazyLock::new(|| CALLS.iter().map(|call| validator(&schema_of_api(call.schema))).collect());

/// The fields that hold secrets.
const SECRETS: [&str; 6] = ["password", "currentPassword", "newPassword", "refreshToken", "token", "code"];

fn understood<T: DeserializeOwned + Debug>(request: &Request) -> Result<String, Problem> {
    http::body::<T>(request, |_| None).map(|body| format!("{body:?}"))
}

fn request(body: impl Into<Vec<u8>>) -> Request {
    let mut request = Request::new(Body::Binary(body.into()));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// A body as a careful client writes it: U+FFFD escaped, because unescaped it shows that an encoding lost a character.
fn written(value: &Value) -> String {
    value.to_string().replace(char::REPLACEMENT_CHARACTER, "\\ufffd")
}

/// See the module.
pub fn check(input: &[u8]) {
    let numbers: Vec<usize> = (0..CALLS.len()).collect();
    let Some((number, body)) = addressed(&numbers, input) else { return };
    let (call, schema) = (&CALLS[*number], &SCHEMAS[*number]);
    let outcome = (call.read)(&request(body));
    match &outcome {
        Ok(read) => {
            let value: Value = serde_json::from_slice(body).expect("what is read is JSON");
            assert_eq!((call.read)(&request(written(&value))).as_ref(), Ok(read), "{value} is not what it was");
            assert!(allowed(call, schema, &value), "{} takes {value}, and the document does not", call.schema);
        }
        Err(problem) => {
            check_refusal(problem);
            if problem.code == Code::UnknownField {
                check_unknown_field(body, problem.field.as_deref().unwrap_or_default());
            }
        }
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        check_against_document(call, schema, &value);
        check_secrets(call, &value);
    }
}

/// Checks that a refusal of a body has the shape of every refusal.
pub(crate) fn check_refusal(problem: &Problem) {
    assert!(problem.code.status().is_client_error(), "{problem:?}");
    assert!(problem.detail.ends_with('.') && problem.detail.len() > 1, "{problem:?}");
    assert!(problem.code == Code::InvalidJson || problem.field.is_some(), "{problem:?}");
}

/// A field that is called unknown is one that was sent. (What follows it may be no JSON at all.)
fn check_unknown_field(body: &[u8], field: &str) {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        assert!(value.get(field).is_some(), "{field:?} is not in {value}");
    }
}

/// Whether the document allows this, spaces around texts and absent values apart.
fn allowed(call: &Call, schema: &Validator, value: &Value) -> bool {
    let mut tidy = value.clone();
    if let Some(fields) = tidy.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        for value in fields.values_mut() {
            if let Some(text) = value.as_str() {
                *value = text.trim().into();
            }
        }
        // By its id or by its name: one of the two, which reading the fields does not decide.
        if call.schema == "NewTicket" && fields.contains_key("inventoryId") {
            fields.remove("eventName");
        } else if call.schema == "NewTicket" {
            fields.entry("eventName").or_insert("A Show".into());
        }
    }
    schema.is_valid(value) || schema.is_valid(&tidy)
}

fn check_against_document(call: &Call, schema: &Validator, value: &Value) {
    let Err(problem) = (call.read)(&request(written(value))) else { return };
    if !schema.is_valid(value) {
        return;
    }
    // The schema states these in words alone: mail addresses, dates, decimals, cursors, and integers written as 1.0.
    let in_words = [
        "email",
        "eventDate",
        "opensAt",
        "closesAt",
        "endsAt",
        "from",
        "to",
        "price",
        "amount",
        "expectedTotal",
        "version",
        "limit",
        "next",
    ];
    let field = problem.field.as_deref().unwrap_or_default();
    assert!(
        problem.code == Code::ValidationError && in_words.contains(&field),
        "{} refuses {value}, which the document allows: {problem:?}",
        call.schema
    );
}

/// A secret in the place of each, too long and of other types: none shows in what is said of it.
fn check_secrets(call: &Call, value: &Value) {
    // A value may occur elsewhere in the body as well.
    let text = value.to_string();
    if ["hunter2", "8675309", "867530."].iter().any(|secret| text.contains(secret)) {
        return;
    }
    for name in SECRETS.iter().filter(|name| value.get(name).is_some()) {
        for (secret, planted) in [
            ("~hunter2~", json!(format!("~hunter2~{}", "x".repeat(600)))),
            ("~hunter2~", json!(["~hunter2~"])),
            ("~hunter2~", json!({ "~hunter2~": 1 })),
            ("8675309867", json!(8_675_309_867_u64)),
            ("867530.9867", json!(867_530.986_7)),
        ] {
            let mut body = value.clone();
            body[name] = planted;
            let refusal = (call.read)(&request(body.to_string())).err();
            let told = refusal.is_some_and(|problem| problem.detail.contains(secret));
            assert!(!told, "{} tells {name} of {body}", call.schema);
        }
    }
}

/// The document's own examples, and fields that are none.
pub fn seeds() -> Vec<Vec<u8>> {
    let number = |schema: &str| CALLS.iter().position(|call| call.schema == schema);
    let unknown = ["", "a`b", "`, expected `x", "x at line 1"].map(|name| ("Charge".to_owned(), json!({ name: 1 })));
    let bodies = example_bodies().into_iter().chain(unknown);
    bodies
        .map(|(schema, body)| {
            let number = number(&schema).unwrap_or_else(|| panic!("no target reads the body {schema}"));
            input_for(number, body.to_string())
        })
        .collect()
}
