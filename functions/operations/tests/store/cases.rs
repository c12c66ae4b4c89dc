//! Sagas: redriven, and taken back by force.

use crate::fixture::{ada, casework, saga};
use boxoffice_aws::journal::{Step, StepStatus};
use boxoffice_kernel::TicketId;
use boxoffice_operations::{casework::CaseError, domain::Refusal};
use boxoffice_testing::{for_each_dynamodb, trace};
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
