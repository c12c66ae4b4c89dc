//! An invocation, from its input to what it says, leaves and starts.

use crate::fixture::House;
use boxoffice_kernel::Timestamp;
use boxoffice_reconciliation::handlers::reconcile::{self, Request, Summary};
use boxoffice_runtime::StepFailure;
use boxoffice_testing::for_each_dynamodb;
use serde_json::{Value, json};

async fn invoke(house: &House, input: Value, seconds_left: u32) -> Result<Summary, StepFailure> {
    let request: Request = serde_json::from_value(input).unwrap();
    reconcile::run(&house.app, request, Timestamp::now().plus_seconds(seconds_left)).await
}

#[tokio::test]
async fn an_operator_sees_what_was_checked_found_and_repaired() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(10).await;
        house.booked(event, 2).await;
        house.corrupt(event, "held", 1).await;

        let summary = invoke(&house, json!({ "requestedBy": "Ada" }), 900).await.unwrap();

        let answer = json!(summary);
        assert_eq!(answer["requestedBy"], "Ada");
        assert_eq!(answer["checked"], json!({ "events": 1, "bookings": 1 }));
        assert_eq!((&answer["repaired"], &answer["left"], answer.get("next")), (&json!(1), &json!(0), None));
        assert_eq!(
            answer["findings"],
            json!([{
                "kind": "COUNTERS_WRONG",
                "inventoryId": event,
                "eventName": event.to_string(),
                "total": 10,
                "seen": { "available": 8, "held": 3, "sold": 0 },
                "due": { "available": 8, "held": 2, "sold": 0 },
                "outcome": "REPAIRED",
            }])
        );
        assert_eq!(house.messages(), Vec::<Value>::new(), "what is repaired is nobody's work");
    })
    .await;
}

#[tokio::test]
async fn each_run_sends_a_message_with_advice_for_remaining_findings() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(1).await;
        house.booked(event, 1).await;
        house.corrupt(event, "available", 1).await;
        house.booked(event, 1).await;
        for messages in 1..=2 {
            let summary = invoke(&house, json!({}), 900).await.unwrap();
            assert_eq!((summary.repaired, summary.left, summary.findings.len()), (0, 1, 1));
            assert_eq!(house.messages().len(), messages);
        }
        let message = house.messages().pop().unwrap();
        assert_eq!(message["requestedBy"], "schedule");
        assert_eq!(message["finding"]["kind"], "COUNTERS_WRONG");
        assert_eq!(message["finding"]["inventoryId"], json!(event));
        assert_eq!(message["finding"]["seen"], json!({ "available": 0, "held": 2, "sold": 0 }));
        assert!(message["whatToDo"].as_str().is_some_and(|advice| !advice.is_empty()), "{message}");
    })
    .await;
}

#[tokio::test]
async fn when_time_is_up_another_invocation_goes_on_until_every_booking_was_met() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = house.on_sale(200).await;
        for _ in 0..70 {
            house.booked(event, 1).await;
        }
        let mut input = json!({ "requestedBy": "Ada", "scope": "ALL" });
        let (mut met, mut invocations) = (0, 0);
        loop {
            // No time to spare at all: a page, and no more.
            let summary = invoke(&house, input, 0).await.unwrap();
            met += summary.checked.bookings;
            invocations += 1;
            let asked = house.lambda.heard();
            let Some(next) = summary.next else { break };
            assert_eq!(asked.len(), invocations);
            input = asked.last().unwrap().1.clone();
            assert_eq!(input, json!({ "requestedBy": "Ada", "scope": "ALL", "next": next }));
        }
        assert!(invocations > 1, "one page held them all");
        assert_eq!((met, house.lambda.heard().len()), (70, invocations - 1));
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let of_another_list = json!({ "part": "UNPROVEN", "after": "eyJsaXN0IjoiQUxMIiwiYWZ0ZXIiOiJ0a3RfMSJ9" });
        let refused = invoke(&house, json!({ "next": of_another_list }), 900).await;
        assert!(matches!(refused, Err(StepFailure::Defect(_))), "{refused:?}");
        for next in [json!("nonsense"), json!({ "part": "EVERY", "after": "nonsense" }), json!({ "part": "SOME" })] {
            let request = serde_json::from_value::<Request>(json!({ "next": next }));
            assert!(request.is_err(), "{request:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_event_without_an_input_of_its_own_is_the_schedules() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let event = json!({ "version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
        assert_eq!(invoke(&house, event, 900).await.unwrap().requested_by.as_str(), "schedule");
    })
    .await;
}
