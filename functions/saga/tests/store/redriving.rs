//! Executions that take over a stuck saga, or one that an operator compensates.

use super::*;

async fn stuck(store: &SagaStore, journal: &Journal, ticket: TicketId) {
    claim(store, ticket, "forwards").await;
    let failed = Entry { reason: Some("PaymentDeclined".into()), ..entry(StepStatus::Failed) };
    journal.record(ticket, Step::ReversePayment, &failed).await.unwrap();
    journal.record(ticket, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
}

async fn takes_over(store: &SagaStore, ticket: TicketId, because: CallOff, execution: &str) -> bool {
    store.call_off(ticket, None, because, execution).await.unwrap().is_some()
}

#[tokio::test]
async fn a_stuck_saga_is_redriven_once_and_again_only_by_the_same_execution() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        stuck(&store, &journal, ticket).await;
        assert_eq!(store.get(ticket).await.unwrap().unwrap().status(), Status::NeedsAttention);

        assert!(takes_over(&store, ticket, CallOff::RedriveRequested, "redrive").await);
        assert!(!takes_over(&store, ticket, CallOff::RedriveRequested, "another").await);
        assert!(takes_over(&store, ticket, CallOff::RedriveRequested, "redrive").await);

        let saga = store.get(ticket).await.unwrap().unwrap();
        assert_eq!((saga.status(), saga.redriven_at.is_some()), (Status::Compensating, true));
        assert_eq!(saga.compensation_reason(), Some("PaymentDeclined"), "it is still undone for the reason it was");

        // Stuck again, it is another redrive's.
        journal.record(ticket, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
        assert!(takes_over(&store, ticket, CallOff::RedriveRequested, "another").await);
        journal.record(ticket, Step::CancelTicket, &entry(StepStatus::Compensated)).await.unwrap();
        assert!(!takes_over(&store, ticket, CallOff::RedriveRequested, "one too many").await);
    })
    .await;
}

#[tokio::test]
async fn one_of_many_concurrent_redrives_takes_over() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        stuck(&store, &journal, ticket).await;
        let mut running = JoinSet::new();
        for number in 0..6 {
            let store = store.clone();
            let execution = format!("redrive-{number}");
            running.spawn(async move { takes_over(&store, ticket, CallOff::RedriveRequested, &execution).await });
        }
        assert_eq!(running.join_all().await.into_iter().filter(|mine| *mine).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_redrive_takes_over_from_the_execution_that_had_the_undoing_and_from_no_other() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        claim(&store, ticket, "forwards").await;
        assert!(!takes_over(&store, ticket, CallOff::RedriveRequested, "redrive").await, "it is not stuck");
        assert!(takes_over(&store, ticket, CallOff::BookingCancelled, "back").await);
        assert!(!takes_over(&store, ticket, CallOff::RedriveRequested, "redrive").await, "it is not stuck");

        journal.record(ticket, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
        assert!(takes_over(&store, ticket, CallOff::RedriveRequested, "redrive").await);
        assert_eq!(
            store.get(ticket).await.unwrap().unwrap().compensation_reason(),
            Some("BookingCancelled"),
            "a redrive is no reason"
        );
    })
    .await;
}

#[tokio::test]
async fn a_buyer_who_cancels_a_stuck_booking_sets_it_on_its_way_again() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        stuck(&store, &journal, ticket).await;
        assert!(takes_over(&store, ticket, CallOff::BookingCancelled, "back").await);
        assert_eq!(store.get(ticket).await.unwrap().unwrap().status(), Status::Compensating);
        assert!(!takes_over(&store, ticket, CallOff::RedriveRequested, "redrive").await);
    })
    .await;
}

#[tokio::test]
async fn by_force_whatever_is_not_compensated_is_taken_back() {
    for_each_dynamodb(|database| async move {
        let (store, journal) = (store(&database), journal(&database));
        let force = CallOff::CompensationRequested;
        let (running, confirmed, called_off, compensated) =
            (TicketId::generate(), TicketId::generate(), TicketId::generate(), TicketId::generate());
        for ticket in [running, confirmed, called_off, compensated] {
            claim(&store, ticket, "forwards").await;
        }
        journal.record(confirmed, Step::ConfirmTicket, &entry(StepStatus::Completed)).await.unwrap();
        takes_over(&store, called_off, CallOff::BookingCancelled, "back").await;
        journal.record(compensated, Step::CancelTicket, &entry(StepStatus::Compensated)).await.unwrap();

        for ticket in [running, confirmed, called_off] {
            for _ in 0..2 {
                assert!(takes_over(&store, ticket, force, "force").await);
            }
            assert_eq!(store.get(ticket).await.unwrap().unwrap().status(), Status::Compensating);
        }
        assert!(!takes_over(&store, compensated, force, "force").await);
        let unknown = store.call_off(TicketId::generate(), None, force, "force").await;
        assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    })
    .await;
}
