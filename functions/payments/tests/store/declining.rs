//! AP-373 and AP-374 as payments use them: a card tester hears of a few declines and no more.

use crate::{
    fixture::{Desk, instruction, pending},
    provider::Call,
};
use boxoffice_aws::{Budget, Overspent};
use boxoffice_kernel::{Role, SessionId, Timestamp, UserId};
use boxoffice_payments::{
    App, Instruction,
    declines::{Declines, SECONDS},
    domain::{DECLINES, Payment, Status},
    handlers::{create_payment, process_payment},
};
use boxoffice_runtime::{Code, Problem, auth::Caller};
use boxoffice_testing::{Table, for_each_dynamodb};
use lambda_http::{Body, Request, RequestExt as _};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use tokio::task::JoinSet;

/// As many as the template gives a buyer.
const PER_BUYER: u32 = 10;

impl Desk {
    /// A payment of this buyer that waits for a card.
    async fn pending_of(&self, buyer: UserId) -> Payment {
        self.initiated(Payment { user_id: buyer, ..pending() }, None).await
    }
}

/// A payment of a ticket of somebody, tried with a card by its buyer.
async fn tries<G>(app: &App<G>, payment: &Payment, token: &str) -> Result<(), Problem>
where
    G: boxoffice_payments::gateway::PaymentGateway,
{
    let body = Body::Text(json!({ "paymentMethodToken": token }).to_string());
    let mut request = Request::new(body);
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let (user_id, session) = (payment.user_id, SessionId::generate());
    request.extensions_mut().insert(Caller { user_id, role: Role::User, session, generation: 1, logged_in_at: 0 });
    let parameters = HashMap::from([("id".to_owned(), vec![payment.id.to_string()])]);
    process_payment::handle(app, request.with_path_parameters(parameters)).await.map(|_| ())
}

fn code(outcome: &Result<(), Problem>) -> Option<Code> {
    outcome.as_ref().err().map(|problem| problem.code)
}

#[tokio::test]
async fn a_card_tester_hears_one_kind_of_decline_and_then_how_long_to_wait() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (app, tester) = (desk.app_within(3), UserId::generate());
        let mut details = BTreeSet::new();
        for number in 0..3 {
            let payment = desk.pending_of(tester).await;
            let problem = tries(&app, &payment, &format!("pm_declined_{number}")).await.unwrap_err();
            assert_eq!(problem.code, Code::PaymentDeclined);
            details.insert(problem.detail.replace(&payment.payable_until.to_string(), "…"));
        }
        assert_eq!(details.len(), 1, "each decline reads alike: {details:?}");
        let asked = desk.provider.calls(Call::Confirm);

        // A card that lives gives itself away no more than a dead one, on another booking or the same.
        let payment = desk.pending_of(tester).await;
        for card in ["pm_card", "pm_declined_4"] {
            let refused = tries(&app, &payment, card).await.unwrap_err();
            assert_eq!(refused.code, Code::TooManyDeclines);
            let (name, seconds) = refused.header.unwrap();
            let seconds: u32 = seconds.parse().unwrap();
            assert!(name == "retry-after" && (SECONDS - 60..=SECONDS).contains(&seconds), "{seconds}");
        }
        assert_eq!(desk.provider.calls(Call::Confirm), asked, "the provider was asked all the same");
        assert_eq!(desk.status(&payment).await, Status::Pending, "the seats stay held");
        // Nobody else waits.
        assert_eq!(code(&tries(&app, &desk.pending().await, "pm_card").await), None);
    })
    .await;
}

#[tokio::test]
async fn an_honest_buyers_tries_of_one_booking_and_the_next_are_within_the_budget() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (app, buyer) = (desk.app_within(PER_BUYER), UserId::generate());
        let first = desk.pending_of(buyer).await;
        for number in 1..=DECLINES {
            let declined = tries(&app, &first, &format!("pm_declined_{number}")).await;
            assert_eq!(code(&declined), Some(Code::PaymentDeclined), "try {number}");
        }
        assert_eq!(desk.status(&first).await, Status::Failed);
        let second = desk.pending_of(buyer).await;
        for number in 1..DECLINES {
            let declined = tries(&app, &second, &format!("pm_declined_{number}")).await;
            assert_eq!(code(&declined), Some(Code::PaymentDeclined), "try {number} of the second booking");
        }
        assert_eq!(code(&tries(&app, &second, "pm_card").await), None);
        assert_eq!(desk.status(&second).await, Status::Success);
    })
    .await;
}

#[tokio::test]
async fn cards_that_are_charged_and_answers_that_come_again_spend_nothing() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (app, buyer) = (desk.app_within(1), UserId::generate());
        for _ in 0..4 {
            let payment = desk.pending_of(buyer).await;
            assert_eq!(code(&tries(&app, &payment, "pm_card").await), None);
            assert_eq!(code(&tries(&app, &payment, "pm_card").await), None, "the same call again");
        }
        let payment = desk.pending_of(buyer).await;
        assert_eq!(code(&tries(&app, &payment, "pm_declined").await), Some(Code::PaymentDeclined));
        assert_eq!(code(&tries(&app, &payment, "pm_card").await), Some(Code::TooManyDeclines));
    })
    .await;
}

#[tokio::test]
async fn tries_at_one_moment_are_counted_one_by_one_and_without_a_budget_all_are_asked_about() {
    for_each_dynamodb(|database| async move {
        const AT_ONCE: usize = 8;
        for (budget, heard) in [(3, 3), (u32::MAX, AT_ONCE)] {
            let desk = Desk::new(database.clone());
            let (app, tester) = (desk.app_within(budget), UserId::generate());
            let mut running = JoinSet::new();
            for number in 0..AT_ONCE {
                let (app, payment) = (app.clone(), desk.pending_of(tester).await);
                running.spawn(async move { code(&tries(&app, &payment, &format!("pm_declined_{number}")).await) });
            }
            let outcomes = running.join_all().await;
            let declined = outcomes.iter().filter(|code| **code == Some(Code::PaymentDeclined)).count();
            let refused = outcomes.iter().filter(|code| **code == Some(Code::TooManyDeclines)).count();
            assert_eq!((declined, refused), (heard, AT_ONCE - heard), "{outcomes:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_budget_refills_after_its_time_and_accounts_at_one_address_share_one() {
    for_each_dynamodb(|database| async move {
        let (client, table) = (database.client(), database.table(Table::Payments));
        let of_address = Budget::new(client.clone(), table, 4, SECONDS);
        let declines = Declines::new(client, table, 3).within_address(of_address);
        let (tester, now) = (UserId::generate(), Timestamp::now());
        for _ in 0..3 {
            let _declined = declines.spend(tester, Some("192.0.2.1"), now).await.unwrap();
        }
        let spent = declines.spend(tester, Some("192.0.2.9"), now.plus_seconds(SECONDS - 1)).await;
        assert!(matches!(spent, Err(Overspent::Wait { seconds: 1 })), "{spent:?}");
        // Another account at the address has what is left there; the third has nothing, and keeps its own.
        let _declined = declines.spend(UserId::generate(), Some("192.0.2.1"), now).await.unwrap();
        let third = UserId::generate();
        for _ in 0..4 {
            let spent = declines.spend(third, Some("192.0.2.1"), now).await;
            assert!(matches!(spent, Err(Overspent::Wait { .. })), "{spent:?}");
        }
        let _declined = declines.spend(third, Some("192.0.2.2"), now).await.unwrap();
        let later = now.plus_seconds(SECONDS);
        for buyer in [tester, third] {
            let _declined = declines.spend(buyer, Some("192.0.2.1"), later).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_card_that_comes_with_a_booking_is_counted_too_and_beyond_the_budget_nobody_is_asked_about_it() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (app, tester) = (desk.app_within(2), UserId::generate());
        let booked = async |token: &str| {
            let card: Instruction = instruction(token);
            let named = card.applied_to(Payment { user_id: tester, ..pending() });
            let payment = desk.initiated(named, Some(&card)).await;
            app.charge_with_booking(payment, &boxoffice_testing::trace()).await.unwrap()
        };
        for _ in 0..2 {
            assert_eq!(booked("pm_declined").await.declined, 1);
        }
        let asked = desk.provider.calls(Call::Confirm);
        let unasked = booked("pm_card").await;
        assert_eq!((unasked.status, unasked.declined), (Status::Pending, 1));
        assert_eq!(desk.provider.calls(Call::Confirm), asked);
        assert_eq!(code(&tries(&app, &unasked, "pm_card").await), Some(Code::TooManyDeclines));
    })
    .await;
}

#[tokio::test]
async fn create_payment_counts_against_the_same_budget() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (app, tester) = (desk.app_within(1), UserId::generate());
        for expected in [Code::PaymentDeclined, Code::TooManyDeclines] {
            let payment = desk.pending_of(tester).await;
            let body = json!({ "ticketId": payment.ticket_id, "paymentMethodToken": "pm_declined" });
            let mut request = Request::new(Body::Text(body.to_string()));
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
            let session = SessionId::generate();
            let caller = Caller { user_id: tester, role: Role::User, session, generation: 1, logged_in_at: 0 };
            request.extensions_mut().insert(caller);
            assert_eq!(create_payment::handle(&app, request).await.unwrap_err().code, expected);
        }
    })
    .await;
}
