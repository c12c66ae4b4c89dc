//! A small typed client of a **running** Box Office stack, for the end-to-end tests and the demo.
//!
//! It speaks HTTP and AWS APIs and links nothing of the product, so that what it sees is what a buyer, an operator or a consumer of the bus
//! would see. `make up` starts a stack and writes `.local/stack.json`, from which everything here is found.
//!
//! | Module | Holds |
//! |---|---|
//! | [`stack`] | where the running stack is |
//! | [`http`] | one request, its reply, and what makes a reply a proper refusal |
//! | [`wire`] | a connection for what no HTTP client would send |
//! | [`model`] | what the API answers, as types |
//! | [`api`] | the API's calls, one method each |
//! | [`people`] | who calls it: buyers, a MANAGER, an ADMIN, and their log-ins |
//! | [`box_office`] | all of it opened at once: what a test starts with |
//! | [`story`] | shows, bookings and what becomes of them: the words that tests are written in |
//! | [`transcript`] | the events a booking left behind, as text to compare |
//! | [`tables`] | the same tables the product writes, read from outside |
//! | [`bus`] | a listener on the event bus |
//! | [`mailbox`] | the mails and text messages that were sent |
//! | [`logs`] | what the functions logged |
//! | [`machine`] | the state machine's executions |
//! | [`operator`] | the operator's command, at a terminal |
//! | [`provider`] | the local payment provider: its faults, its journal, its ledger |
//! | [`contract`] | `events/*.schema.json`, and whether an event keeps to them |
//! | [`platform`] | what the platform under the stack can show |
//! | [`race`] | many buyers at one moment, and the judge of what they got |
//! | [`on_sale`] | a sale that everybody comes to: its judge and its figures |
//! | [`workers`] | the emulator's Lambda processes, to be killed |
//! | [`wait`] | waiting for something to become true, until a deadline |
//! | [`failure`] | what went wrong, and at which line of which test |

pub mod api;
pub mod box_office;
pub mod bus;
pub mod contract;
pub mod failure;
pub mod http;
pub mod logs;
pub mod machine;
pub mod mailbox;
pub mod model;
pub mod on_sale;
pub mod operator;
pub mod people;
pub mod platform;
pub mod provider;
pub mod race;
pub mod stack;
pub mod story;
pub mod tables;
pub mod transcript;
pub mod wait;
pub mod wire;
pub mod workers;

pub use box_office::BoxOffice;
pub use failure::{Failure, Outcome, Verdict};
pub use model::{NotificationStatus, PaymentStatus, SagaStatus, Seats, TicketStatus};
pub use people::Person;
pub use story::{Booking, Card, Show};
