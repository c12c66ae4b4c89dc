//! Executions that make a booking an operator's case, and bookings that nobody could claim.

use super::*;
use boxoffice_saga::handlers::record_stuck_booking;
use serde_json::Value;

/// An execution started by this event comes to `Record Stuck Booking`, stopped at this state.
async fn stops(store: &SagaStore, ticket: TicketId, execution: &str, event: &str, at: &str) -> Result<Value, String> {
    let input = json!({
        "booking": booking(ticket),
        "trace": { "correlationId": "c", "causationId": "e" },
        "event": event,
        "failure": { "step": at, "error": "Transient", "cause": "no answer" },
        "executionArn": execution,
    });
    let recorded = record_stuck_booking::run(store, serde_json::from_value(input).unwrap()).await;
    recorded.map(|recorded| serde_json::to_value(recorded).unwrap()).map_err(|failure| failure.name().to_owned())
}

async fn status(store: &SagaStore, ticket: TicketId) -> Status {
    store.get(ticket).await.unwrap().unwrap().status()
}

#[tokio::test]
async fn a_booking_that_nobody_could_take_on_is_taken_back_by_the_execution_that_failed_to() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        for _ in 0..2 {
            let recorded = stops(&store, ticket, "one", "TicketCreated", "Claim Saga").await.unwrap();
            assert_eq!((&recorded["ending"], &recorded["booking"]), (&json!("UNDO"), &json!(booking(ticket))));
            assert_eq!(recorded["failure"]["step"], "Claim Saga");
        }
        assert_eq!(status(&store, ticket).await, Status::Compensating);
        // A later start leaves it alone, whichever event caused it.
        assert!(!claim(&store, ticket, "late").await);
        let late = stops(&store, ticket, "late", "TicketCreated", "Claim Saga").await.unwrap();
        assert_eq!(late["ending"], "NOTHING");
        // Should its undo get stuck, the case is this execution's to make.
        let stuck = stops(&store, ticket, "one", "TicketCreated", "Reverse Payment").await.unwrap();
        assert_eq!(stuck["ending"], "STUCK");
        assert_eq!(status(&store, ticket).await, Status::NeedsAttention);
    })
    .await;
}

/// The claim was written and its answer was lost, at every try: nobody else will go on with the booking.
#[tokio::test]
async fn a_claim_that_never_heard_of_its_success_is_taken_back_by_its_own_execution() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        assert!(claim(&store, ticket, "one").await);
        for _ in 0..2 {
            let recorded = stops(&store, ticket, "one", "TicketCreated", "Claim Saga").await.unwrap();
            assert_eq!((&recorded["ending"], &recorded["booking"]), (&json!("UNDO"), &json!(booking(ticket))));
        }
        assert_eq!(status(&store, ticket).await, Status::Compensating);
    })
    .await;
}

#[tokio::test]
async fn a_second_start_whose_claim_fails_for_good_changes_nothing_of_a_booking_that_another_has() {
    for_each_dynamodb(|database| async move {
        let (store, journal) = (store(&database), journal(&database));
        for confirmed in [false, true] {
            let ticket = TicketId::generate();
            claim(&store, ticket, "forwards").await;
            if confirmed {
                journal.record(ticket, Step::ConfirmTicket, &entry(StepStatus::Completed)).await.unwrap();
            }
            let before = store.get(ticket).await.unwrap();
            let recorded = stops(&store, ticket, "second", "TicketCreated", "Claim Saga").await.unwrap();
            assert_eq!(recorded["ending"], "NOTHING", "confirmed: {confirmed}");
            let late = stops(&store, ticket, "second", "TicketExpiryRequested", "Claim Saga").await.unwrap();
            assert_eq!(late["ending"], if confirmed { "NOTHING" } else { "UNDO" });
            if confirmed {
                assert_eq!(store.get(ticket).await.unwrap(), before);
                let redrive = store.call_off(ticket, None, CallOff::RedriveRequested, "redrive").await.unwrap();
                assert_eq!(redrive, None, "a redrive refunds and cancels a healthy booking");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_wish_to_undo_whose_claim_fails_for_good_is_fulfilled_all_the_same() {
    for_each_dynamodb(|database| async move {
        let (store, journal) = (store(&database), journal(&database));
        for (event, error) in [
            ("TicketCancellationRequested", "BookingCancelled"),
            ("PaymentRefunded", "PaymentRefunded"),
            ("SagaCompensationRequested", "CompensationRequested"),
        ] {
            let ticket = TicketId::generate();
            claim(&store, ticket, "forwards").await;
            journal.record(ticket, Step::ConfirmTicket, &entry(StepStatus::Completed)).await.unwrap();
            let recorded = stops(&store, ticket, "back", event, "Claim Saga").await.unwrap();
            assert_eq!((&recorded["ending"], &recorded["failure"]["error"]), (&json!("UNDO"), &json!(error)));
            assert_eq!(recorded["booking"], json!(booking(ticket)), "{event}");
        }
        // A booking without a saga is retried, and then left to an operator.
        let unknown = stops(&store, TicketId::generate(), "back", "PaymentRefunded", "Claim Saga").await;
        assert_eq!(unknown, Err("Transient".into()));
        let broken = stops(&store, TicketId::generate(), "one", "UserCreated", "Claim Saga").await;
        assert_eq!(broken, Err("Defect".into()));
    })
    .await;
}

/// The holder of the booking: the claimant, until somebody takes the compensation on.
#[tokio::test]
async fn only_the_execution_that_has_a_booking_makes_it_a_case() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        claim(&store, ticket, "forwards").await;
        let ending = async |execution| {
            stops(&store, ticket, execution, "TicketCreated", "Release Hold").await.unwrap()["ending"].clone()
        };
        assert_eq!(ending("stranger").await, "NOTHING");
        assert_eq!(ending("forwards").await, "STUCK");
        store.call_off(ticket, None, CallOff::RedriveRequested, "redrive").await.unwrap().unwrap();
        assert_eq!(status(&store, ticket).await, Status::Compensating);
        // Its late word does not stop the redrive.
        assert_eq!(ending("forwards").await, "NOTHING");
        assert_eq!(status(&store, ticket).await, Status::Compensating);
        assert_eq!(ending("redrive").await, "STUCK");
        assert_eq!(status(&store, ticket).await, Status::NeedsAttention);
        journal(&database).record(ticket, Step::CancelTicket, &entry(StepStatus::Compensated)).await.unwrap();
        assert_eq!(ending("redrive").await, "NOTHING", "it is over");
        assert_eq!(status(&store, ticket).await, Status::Compensated);
    })
    .await;
}
