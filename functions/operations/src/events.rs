//! The events of this context: each act of an operator is an aggregate with this one event. The contracts are
//! `events/SagaRedriveRequested.schema.json` and the others named here.

use crate::domain::{Queue, Selector};
use boxoffice_kernel::{ActId, DomainEvent, Envelope, Operator, Reason, TicketId, Timestamp, Trace};
use serde::Serialize;

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The act.
            pub act_id: ActId,
            /// The operator.
            pub requested_by: Operator,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "operations";
            fn aggregate_id(&self) -> String {
                self.act_id.to_string()
            }
        }
    )+};
}

acts!(
    /// An operator asked to retry the compensation of a stuck booking. Starts the saga.
    SagaRedriveRequested {
        /// The ticket.
        ticket_id: TicketId,
        /// The reason.
        reason: Reason,
    }
    /// A booking is to be taken back, whatever it is about. Starts the saga.
    SagaCompensationRequested {
        /// The ticket.
        ticket_id: TicketId,
        /// The reason.
        reason: Reason,
    }
    /// Messages of a dead-letter queue were sent on.
    DeadLettersRedriven {
        /// The queue.
        queue: Queue,
        /// How many went on.
        moved: usize,
        /// How many stayed.
        failed: usize,
    }
    /// Events were put on the bus again.
    EventsReplayed {
        /// The selection of events.
        selector: Selector,
        /// The number of events put on the bus.
        published: usize,
    }
    /// The reconciliation is to run.
    ReconciliationRequested {}
);

/// An act, stated: the first and only event of its aggregate.
pub fn stated<T: DomainEvent>(act: T, trace: &Trace) -> Envelope<T> {
    Envelope::new(act, 1, Timestamp::now(), trace)
}
