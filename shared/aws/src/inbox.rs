//! The record of handled events, so that an event delivered twice takes effect once.
//!
//! | Item | `pk` | `sk` | |
//! |---|---|---|---|
//! | an event that was handled | `EVT#<eventId>#<consumer>` | `HANDLED` | forgotten after [`REMEMBERED_DAYS`] |

use crate::{
    StoreError,
    attribute::{number, text},
    transaction::built,
};
use aws_sdk_dynamodb::types::Put;
use boxoffice_kernel::{EventId, Timestamp};

/// How long an event is remembered: longer than a bus, a queue or a dead-letter queue keeps one.
pub const REMEMBERED_DAYS: u32 = 30;

/// The put that goes into the transaction with the event's effect, and refuses when the event was handled before.
///
/// # Errors
/// [`StoreError::Broken`] never, unless the SDK changes its mind about what a put needs.
pub fn handled(table: &str, event: EventId, consumer: &str) -> Result<Put, StoreError> {
    let until = Timestamp::now().plus_seconds(REMEMBERED_DAYS * 86_400);
    built(
        Put::builder()
            .table_name(table)
            .item("pk", text(format_args!("EVT#{event}#{consumer}")))
            .item("sk", text("HANDLED"))
            .item("expiresAt", number(until.unix_seconds()))
            .condition_expression("attribute_not_exists(pk)")
            .build(),
    )
}
