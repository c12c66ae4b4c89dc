//! Every start of an execution, on time, late or again, against a booking in every state: the table of `docs/ARCHITECTURE.md`.

use super::*;
use boxoffice_runtime::StepFailure;

/// Where a booking may be when an execution starts. Its own saga is the execution `forwards`; an undo that another event started is `back`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has taken it on.
    Unclaimed,
    /// On its way, or waiting for its buyer.
    Running,
    /// Its saga ended well.
    Confirmed,
    /// Its own saga takes it back.
    TurningBack,
    /// Another execution takes it back.
    CalledOff,
    /// A confirmed one that another execution takes back.
    ConfirmedCalledOff,
    /// Its own saga could not take it back.
    Stuck,
    /// Another execution could not take it back.
    CalledOffStuck,
    /// A confirmed one that another execution could not take back.
    ConfirmedStuck,
    /// A confirmed one that a second start called stuck, as such starts once did.
    ConfirmedAndMarked,
    /// It was taken back.
    Cancelled,
}

const STATES: [State; 11] = [
    State::Unclaimed,
    State::Running,
    State::Confirmed,
    State::TurningBack,
    State::CalledOff,
    State::ConfirmedCalledOff,
    State::Stuck,
    State::CalledOffStuck,
    State::ConfirmedStuck,
    State::ConfirmedAndMarked,
    State::Cancelled,
];

impl State {
    fn confirmed(self) -> bool {
        matches!(self, Self::Confirmed | Self::ConfirmedCalledOff | Self::ConfirmedStuck | Self::ConfirmedAndMarked)
    }

    fn called_off(self) -> bool {
        matches!(self, Self::CalledOff | Self::ConfirmedCalledOff | Self::CalledOffStuck | Self::ConfirmedStuck)
    }

    fn stuck(self) -> bool {
        matches!(self, Self::Stuck | Self::CalledOffStuck | Self::ConfirmedStuck | Self::ConfirmedAndMarked)
    }

    async fn make(self, database: &Database) -> TicketId {
        let (store, journal, ticket) = (store(database), journal(database), TicketId::generate());
        if self == Self::Unclaimed {
            return ticket;
        }
        claim(&store, ticket, "forwards").await;
        let record = async |step, status| journal.record(ticket, step, &entry(status)).await.unwrap();
        if self.confirmed() {
            record(Step::ConfirmTicket, StepStatus::Completed).await;
        }
        if self.called_off() {
            store.call_off(ticket, None, CallOff::BookingCancelled, "back").await.unwrap().unwrap();
        }
        if matches!(self, Self::TurningBack | Self::Stuck | Self::CalledOffStuck | Self::ConfirmedStuck) {
            record(Step::ReversePayment, StepStatus::Failed).await;
        }
        if self.stuck() {
            record(Step::RecordStuckBooking, StepStatus::Completed).await;
        }
        if self == Self::Cancelled {
            record(Step::CancelTicket, StepStatus::Compensated).await;
        }
        ticket
    }
}

/// Every event that starts an execution.
const EVENTS: [&str; 6] = [
    "TicketCreated",
    "TicketCancellationRequested",
    "TicketExpiryRequested",
    "PaymentRefunded",
    "SagaRedriveRequested",
    "SagaCompensationRequested",
];

/// The way that a start goes.
fn due(event: &str, state: State) -> &'static str {
    use State::{
        CalledOff, CalledOffStuck, Cancelled, ConfirmedAndMarked, ConfirmedCalledOff, ConfirmedStuck, Unclaimed,
    };
    match (event, state) {
        ("TicketCreated", Unclaimed) => "BOOK",
        ("TicketCreated", _) | (_, Cancelled) => "NOTHING",
        // The facts of the booking are with its saga, and there is none yet: to be tried again.
        ("PaymentRefunded" | "SagaRedriveRequested" | "SagaCompensationRequested", Unclaimed) => "Transient",
        // Somebody is at it, or an operator is to be.
        (
            "TicketCancellationRequested" | "TicketExpiryRequested" | "PaymentRefunded",
            CalledOff | ConfirmedCalledOff | CalledOffStuck | ConfirmedStuck,
        ) => "NOTHING",
        ("TicketExpiryRequested", state) if state.confirmed() => "NOTHING",
        ("SagaRedriveRequested", ConfirmedAndMarked) => "NOTHING",
        ("SagaRedriveRequested", state) if !state.stuck() => "NOTHING",
        _ => "UNDO",
    }
}

async fn start(store: &SagaStore, ticket: TicketId, event: &str, execution: &str) -> String {
    let start = json!({
        "eventType": event, "correlationId": "c", "data": booking(ticket), "executionArn": execution,
    });
    match claim_saga::run(store, serde_json::from_value(start).unwrap()).await {
        Ok(claim) => serde_json::to_value(claim).unwrap()["direction"].as_str().unwrap().to_owned(),
        Err(failure) => failure.name().to_owned(),
    }
}

#[tokio::test]
async fn every_start_does_what_the_table_says_to_a_booking_in_every_state() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        for state in STATES {
            for event in EVENTS {
                let ticket = state.make(&database).await;
                let before = store.get(ticket).await.unwrap();
                let way = start(&store, ticket, event, "another").await;
                assert_eq!(way, due(event, state), "{event} × {state:?}");
                if matches!(way.as_str(), "NOTHING" | "Transient") {
                    assert_eq!(store.get(ticket).await.unwrap(), before, "{event} × {state:?} changed something");
                } else {
                    // Delivered once more it finds that the first has it; asked again, the first hears the same.
                    assert_eq!(start(&store, ticket, event, "another").await, way, "{event} × {state:?}, again");
                    let late = start(&store, ticket, event, "yet another").await;
                    let by_force = event == "SagaCompensationRequested";
                    assert_eq!(late, if by_force { "UNDO" } else { "NOTHING" }, "{event} × {state:?}, twice");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_that_starts_nothing_is_a_defect() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        assert_eq!(start(&store, TicketId::generate(), "UserCreated", "one").await, StepFailure::DEFECT);
    })
    .await;
}

#[tokio::test]
async fn a_saga_that_was_confirmed_and_not_turned_round_is_told_from_one_that_is_stuck() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        for state in STATES.into_iter().filter(|state| *state != State::Unclaimed) {
            let ticket = state.make(&database).await;
            let saga = store.get(ticket).await.unwrap().unwrap();
            let stands = matches!(state, State::Confirmed | State::ConfirmedAndMarked);
            assert_eq!(saga.is_confirmed_for_good(), stands, "{state:?}");
        }
    })
    .await;
}
