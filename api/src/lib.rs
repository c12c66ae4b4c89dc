//! The API's document: OpenAPI 3.1, put together from what every context says of its own calls.
//!
//! | File | Holds |
//! |---|---|
//! | `lib.rs` | [`document`]: the contexts' parts, merged and completed |
//! | [`completion`] | what every call has in common and no handler repeats: who may call it, refusals, headers, caching |
//!
//! `cargo run -p boxoffice-api` writes it to `api/openapi.json`, which `get-openapi` serves. A test holds that file to the code, the calls in
//! it to [`ROUTES`], and each example to its schema.

pub mod completion;

use boxoffice_runtime::{problem, routes::ROUTES};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{
    OpenApi as _,
    openapi::{OpenApi, RefOr, Schema},
};

/// The document's introduction.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(
    info(
        title = "Box Office",
        description = "Event ticketing: nobody buys a seat twice, and no payment is lost.\n\n\
            **Logging in.** `POST /users/login` answers an access token; send it as `Authorization: Bearer …`. It lives for minutes: \
            `POST /users/refresh` gives the next. Everyone registers as USER; an ADMIN grants other roles.\n\n\
            **Booking.** `POST /tickets` holds seats until `holdExpiresAt`. A booking that names a payment method token is charged at once; \
            any other is paid with `POST /payments/{id}/process`. Send a fresh `Idempotency-Key` with each booking, and the same one when \
            you try it again.\n\n\
            **Refusals** are problems (RFC 9457, `application/problem+json`); decide on their `code`. Bodies are strict: a field that a call \
            does not know is refused.\n\n\
            **Lists** take `limit` and `next`, and answer `items` and `next`, which is absent on the last page.\n\n\
            **Tracing.** Every answer carries `X-Correlation-Id`, which is also the `instance` of a problem. Quote it when you report one. An `X-Correlation-Id` that you send is kept beside it, in logs and events, as `clientCorrelationId`.\n\n\
            **Caching.** Public reads carry `ETag` and `Cache-Control`; ask again with `If-None-Match`. Everything else is `no-store`.",
        contact(),
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = ".", description = "Where this document was found")),
    tags(
        (name = "users", description = "Registration, log-in, profiles"),
        (name = "inventory", description = "Events on sale, and their seats"),
        (name = "tickets", description = "Bookings"),
        (name = "admissions", description = "Each person's admission, the code they show, and the doors that check it"),
        (name = "payments", description = "The money of bookings: paid, refunded, disputed"),
        (name = "notifications", description = "Messages to users"),
        (name = "sagas", description = "How a booking went, step by step"),
        (name = "operations", description = "Stuck work, and the acts that resolve it"),
        (name = "reporting", description = "Read models kept from events: they follow within moments"),
        (name = "platform", description = "Health, this document, public keys")
    ),
    components(schemas(problem::Document))
)]
struct Head;

/// Each context's description of its own calls, by its name.
pub fn contexts() -> BTreeMap<&'static str, OpenApi> {
    [
        ("admissions", boxoffice_admissions::handlers::ApiDoc::openapi()),
        ("booking", boxoffice_saga::handlers::ApiDoc::openapi()),
        ("inventory", boxoffice_inventory::handlers::ApiDoc::openapi()),
        ("notifications", boxoffice_notifications::handlers::ApiDoc::openapi()),
        ("operations", boxoffice_operations::handlers::ApiDoc::openapi()),
        ("payments", boxoffice_payments::handlers::ApiDoc::openapi()),
        ("platform", boxoffice_platform::handlers::ApiDoc::openapi()),
        ("reporting", boxoffice_reporting::handlers::ApiDoc::openapi()),
        ("tickets", boxoffice_tickets::handlers::ApiDoc::openapi()),
        ("users", boxoffice_users::handlers::ApiDoc::openapi()),
    ]
    .into()
}

/// Names that two contexts give to different schemas. There must be none: the merged document keeps one of them.
pub fn ambiguous_schemas() -> Vec<String> {
    let mut known: BTreeMap<String, (&str, RefOr<Schema>)> = BTreeMap::new();
    let mut ambiguous = Vec::new();
    for (context, part) in contexts() {
        for (name, schema) in part.components.unwrap_or_default().schemas {
            match known.get(&name) {
                Some((other, known)) if *known != schema => ambiguous.push(format!("{name} ({other}, {context})")),
                Some(_) => {}
                None => drop(known.insert(name, (context, schema))),
            }
        }
    }
    ambiguous
}

/// The whole document.
///
/// # Errors
/// When it does not serialize: a bug.
pub fn document() -> Result<Value, serde_json::Error> {
    let mut merged = Head::openapi();
    for part in contexts().into_values() {
        merged.merge(part);
    }
    let mut document = serde_json::to_value(merged)?;
    completion::add_components(&mut document);
    for route in ROUTES {
        let operation = document
            .get_mut("paths")
            .and_then(|paths| paths.get_mut(route.path))
            .and_then(|path| path.get_mut(route.method.to_ascii_lowercase()));
        // A route that no handler documents is not made up here; a test notices it.
        if let Some(operation) = operation {
            completion::complete(operation, route);
        }
    }
    Ok(document)
}

/// The document as it is kept in `api/openapi.json`.
///
/// # Errors
/// When it does not serialize: a bug.
pub fn text() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&document()?)? + "\n")
}
