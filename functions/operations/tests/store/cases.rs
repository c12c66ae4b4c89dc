//! Sagas: redriven, and taken back by force.

use crate::fixture::{ada, casework, entry, saga, sagas};
use boxoffice_aws::{
    Journal,
    journal::{Step, StepStatus},
};
use boxoffice_kernel::TicketId;
use boxoffice_operations::{casework::CaseError, domain::Refusal};
use boxoffice_saga::store::CallOff;
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use serde_json::json;

#[tokio::test]
async fn only_a_stuck_saga_is_redriven_and_the_wish_is_on_its_way_to_the_bus() {
    for_each_dynamodb(|database| async move {
        let casework = casework(&database);
        let stuck = [(Step::ReversePayment, StepStatus::Failed), (Step::RecordStuckBooking, StepStatus::Completed)];
        let (stuck, running) = (saga(&database, &stuck).await, saga(&database, &[]).await);
        let redrive = async |ticket| casework.redrive(ticket, ada(), "repaired".parse().unwrap(), &trace()).await;

        let act = redrive(stuck).await.unwrap();
        let event = database.events_of(act).await.remove(0);
        assert_eq!(
            event.data(),
            json!({ "actId": act, "requestedBy": "cli:ada", "ticketId": stuck, "reason": "repaired" })
        );
        let refused = redrive(running).await;
        assert!(matches!(refused, Err(CaseError::Refused(Refusal::NotStuck(_)))), "{refused:?}");
        let refused = redrive(TicketId::generate()).await;
        assert!(matches!(refused, Err(CaseError::NoSaga)), "{refused:?}");
        assert_eq!(database.events().await.len(), 1, "a refusal leaves no act");
    })
    .await;
}

#[tokio::test]
async fn by_force_any_saga_is_taken_back_but_one_that_is() {
    for_each_dynamodb(|database| async move {
        let casework = casework(&database);
        let confirmed = saga(&database, &[(Step::ConfirmTicket, StepStatus::Completed)]).await;
        let over = saga(&database, &[(Step::CancelTicket, StepStatus::Compensated)]).await;
        let compensate = async |ticket| casework.compensate(ticket, ada(), "closed".parse().unwrap(), &trace()).await;
        let act = compensate(confirmed).await.unwrap();
        assert_eq!(database.events_of(act).await[0].data()["ticketId"], confirmed.to_string());
        let refused = compensate(over).await;
        assert!(matches!(refused, Err(CaseError::Refused(Refusal::Compensated))), "{refused:?}");
    })
    .await;
}

/// The table of `docs/ARCHITECTURE.md`: an operator's acts on a booking in every state.
#[tokio::test]
async fn every_act_is_granted_or_refused_as_the_table_says() {
    use Step::{CancelTicket, ConfirmTicket, RecordStuckBooking, ReversePayment, VerifyHold};
    use StepStatus::{Compensated, Completed, Failed};
    for_each_dynamodb(|database| async move {
        let casework = casework(&database);
        for (state, steps, called_off, redrive, compensate) in [
            ("claimed", vec![], false, false, true),
            ("running", vec![(VerifyHold, Completed)], false, false, true),
            ("confirmed", vec![(ConfirmTicket, Completed)], false, false, true),
            ("turning back", vec![(ReversePayment, Failed)], false, false, true),
            ("called off", vec![], true, false, true),
            ("stuck", vec![(ReversePayment, Failed), (RecordStuckBooking, Completed)], false, true, true),
            ("called off and stuck", vec![(ReversePayment, Failed), (RecordStuckBooking, Completed)], true, true, true),
            (
                "confirmed, called off and stuck",
                vec![(ConfirmTicket, Completed), (RecordStuckBooking, Completed)],
                true,
                true,
                true,
            ),
            (
                "confirmed, and called stuck by a second start",
                vec![(ConfirmTicket, Completed), (RecordStuckBooking, Completed)],
                false,
                false,
                true,
            ),
            ("cancelled", vec![(CancelTicket, Compensated)], false, false, false),
        ] {
            let ticket = saga(&database, &[]).await;
            if called_off {
                let back = sagas(&database).call_off(ticket, None, CallOff::BookingCancelled, "back").await.unwrap();
                assert!(back.is_some());
            }
            let journal = Journal::new(database.client(), database.table(Table::Sagas));
            for (step, status) in steps {
                journal.record(ticket, step, &entry(status)).await.unwrap();
            }
            let reason = || "The table".parse().unwrap();
            let before = database.events().await.len();
            let granted = [
                casework.redrive(ticket, ada(), reason(), &trace()).await.is_ok(),
                casework.compensate(ticket, ada(), reason(), &trace()).await.is_ok(),
            ];
            assert_eq!(granted, [redrive, compensate], "{state}");
            let stated = database.events().await.len() - before;
            assert_eq!(
                stated,
                granted.into_iter().filter(|granted| *granted).count(),
                "{state}: what is refused is not stated"
            );
        }
        let nobodys = TicketId::generate();
        let refused = casework.redrive(nobodys, ada(), "The table".parse().unwrap(), &trace()).await;
        assert!(matches!(refused, Err(CaseError::NoSaga)), "{refused:?}");
    })
    .await;
}
