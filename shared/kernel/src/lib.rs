//! The pure vocabulary of Box Office: what every bounded context says and none may get wrong.
//!
//! | Module | Holds |
//! |---|---|
//! | [`id`] | typed identifiers (`tkt_…`, `pay_…`), sortable by time |
//! | [`money`] | amounts in integer minor units, and their currency |
//! | [`quantity`] | counts of seats that are never zero and never absurd |
//! | [`text`] | strings with the length their rule allows |
//! | [`unicode`] | when two spellings are the same text |
//! | [`time`] | UTC instants in one sortable spelling |
//! | [`role`] | what a user may do |
//! | [`operator`] | who acts for whoever runs Box Office |
//! | [`calendar`] | a booking's event as a calendar file |
//! | [`contact`] | where a message reaches a user, and by which channel |
//! | [`event`] | the envelope every domain event travels in |
//! | [`idempotency`] | idempotency keys, and fingerprints of what they were used for |
//! | [`whole`] | whole numbers in JSON |
//! | [`schema`] | how these types show in the API's document |
//!
//! Nothing here knows AWS, tokio or the environment, so every rule is tested without any of them.

pub mod calendar;
pub mod contact;
pub mod event;
pub mod id;
pub mod idempotency;
pub mod money;
pub mod operator;
pub mod quantity;
pub mod refusal;
pub mod role;
pub mod schema;
pub mod text;
pub mod time;
pub mod unicode;
pub mod whole;

pub use contact::{Channel, Contact, Email, PhoneNumber, PushEndpoint};
pub use event::{Actor, Correlation, DomainEvent, Envelope, EventMetadata, Trace};
pub use id::{
    ActId, AdmissionId, CancellationId, CheckInListId, DeviceId, EventId, InventoryId, NotificationId, PaymentId,
    RefundId, ReservationId, SagaId, SessionId, TicketId, TransactionId, UserId,
};
pub use idempotency::{Fingerprint, IdempotencyKey};
pub use money::{Amount, Currency, Money};
pub use operator::{Operator, OperatorName, Reason};
pub use quantity::Quantity;
pub use refusal::Refusal;
pub use role::Role;
pub use text::Text;
pub use time::Timestamp;
