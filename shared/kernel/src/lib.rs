//! The pure vocabulary of Box Office: what every bounded context says and none may get wrong.
//!
//! | Module | Holds |
//! |---|---|
//! | [`id`] | typed identifiers (`tkt_…`, `pay_…`), sortable by time |
//! | [`money`] | amounts in integer minor units, and their currency |
//! | [`quantity`] | counts of seats that are never zero and never absurd |
//! | [`text`] | strings with the length their rule allows |
//! | [`time`] | UTC instants in one sortable spelling |
//! | [`event`] | the envelope every domain event travels in |
//! | [`idempotency`] | idempotency keys, and fingerprints of what they were used for |
//!
//! Nothing here knows AWS, tokio or the environment, so every rule is tested without any of them.

pub mod event;
pub mod id;
pub mod idempotency;
pub mod money;
pub mod quantity;
pub mod text;
pub mod time;

pub use event::{Correlation, DomainEvent, Envelope, EventMetadata, Trace};
pub use id::{EventId, InventoryId, PaymentId, ReservationId, SagaId, TicketId, TransactionId, UserId};
pub use idempotency::{Fingerprint, IdempotencyKey};
pub use money::{Amount, Currency, Money};
pub use quantity::Quantity;
pub use text::Text;
pub use time::Timestamp;
