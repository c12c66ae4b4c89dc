//! The handlers as API Gateway calls them: who may see and do what, and what a request to pay must agree with.

use crate::fixture::Desk;
use boxoffice_kernel::{PaymentId, Role, SessionId, UserId};
use boxoffice_payments::{
    domain::{Method, Payment, Status},
    handlers::{
        create_payment, delete_payment, get_payment, get_payment_by_ticket, get_payment_by_transaction,
        list_payment_cases, list_payments_by_user, process_payment, refund_payment, retry_refund, settle_refund,
    },
    refund::State,
};
use boxoffice_runtime::{Code, Problem, auth::Caller, http::Answer};
use boxoffice_testing::for_each_dynamodb;
use lambda_http::{Body, Request, RequestExt as _};
use serde_json::{Value, json};
use std::collections::HashMap;

fn caller(user_id: UserId, role: Role) -> Caller {
    Caller { user_id, role, session: SessionId::generate(), generation: 1, logged_in_at: 0 }
}

/// A request of this caller, with one path parameter.
fn request(caller: Caller, parameter: (&str, String), body: Option<&Value>) -> Request {
    let body = body.map_or(Body::Empty, |body| Body::Text(body.to_string()));
    let mut request = Request::new(body);
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    request.extensions_mut().insert(caller);
    request.with_path_parameters(HashMap::from([(parameter.0.to_owned(), vec![parameter.1])]))
}

fn get(caller: Caller, name: &str, id: impl ToString) -> Request {
    request(caller, (name, id.to_string()), None)
}

fn code(outcome: Result<Answer, Problem>) -> Option<Code> {
    outcome.err().map(|problem| problem.code)
}

/// The results of looking the payment up by each of its ids.
async fn asked_for(desk: &Desk, payment: &Payment, caller: Caller) -> [Option<Code>; 3] {
    let (ticket, transaction) = (payment.ticket_id, payment.id.transaction());
    [
        code(get_payment::handle(&desk.store, get(caller, "id", payment.id)).await),
        code(get_payment_by_ticket::handle(&desk.store, get(caller, "ticketId", ticket)).await),
        code(get_payment_by_transaction::handle(&desk.store, get(caller, "transactionId", transaction)).await),
    ]
}

#[tokio::test]
async fn a_payment_is_its_users_and_an_admins_to_see() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        for (caller, expected) in [
            (caller(payment.user_id, Role::User), None),
            (caller(UserId::generate(), Role::Admin), None),
            (caller(UserId::generate(), Role::User), Some(Code::Forbidden)),
            (caller(UserId::generate(), Role::Manager), Some(Code::Forbidden)),
        ] {
            assert_eq!(asked_for(&desk, &payment, caller).await, [expected; 3], "{caller:?}");
            let list = list_payments_by_user::handle(&desk.store, get(caller, "userId", payment.user_id)).await;
            assert_eq!(code(list), expected, "{caller:?}");
        }
        let unknown = Payment { ticket_id: PaymentId::generate().ticket(), id: PaymentId::generate(), ..payment };
        assert_eq!(
            asked_for(&desk, &unknown, caller(unknown.user_id, Role::User)).await,
            [Some(Code::PaymentNotFound); 3]
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_payment_is_an_admins_to_see() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.declined().await;
        let admin = caller(UserId::generate(), Role::Admin);
        let delete = || delete_payment::handle(&desk.store, get(admin, "id", payment.id));
        assert_eq!(code(delete().await), None);
        assert_eq!(code(delete().await), Some(Code::PaymentNotFound));
        assert_eq!(asked_for(&desk, &payment, admin).await, [None; 3]);
        let owner = caller(payment.user_id, Role::User);
        assert_eq!(asked_for(&desk, &payment, owner).await, [Some(Code::PaymentNotFound); 3]);
        let waiting = desk.pending().await;
        let refused = delete_payment::handle(&desk.store, get(admin, "id", waiting.id)).await;
        assert_eq!(code(refused), Some(Code::NotSettled));
    })
    .await;
}

fn shown(answer: Result<Answer, Problem>) -> Value {
    serde_json::from_str(answer.unwrap().body().unwrap()).unwrap()
}

#[tokio::test]
async fn a_part_is_refunded_under_a_key_and_shown_to_its_buyer_without_the_operators_name() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        let admin = caller(UserId::generate(), Role::Admin);
        let refund = |body: Value, key: Option<&str>| {
            let mut request = request(admin, ("id", payment.id.to_string()), Some(&body));
            if let Some(key) = key {
                request.headers_mut().insert("idempotency-key", key.parse().unwrap());
            }
            let app = desk.app();
            async move { refund_payment::handle(&app, request).await }
        };
        let part = json!({ "amount": 20, "reason": "A pillar" });
        assert_eq!(code(refund(part.clone(), None).await), Some(Code::IdempotencyKeyRequired));
        for _ in 0..2 {
            let answer = shown(refund(part.clone(), Some("key-1")).await);
            assert_eq!((&answer["status"], &answer["refundedAmount"]), (&json!("SUCCESS"), &json!(20.0)), "{answer}");
        }
        let other = refund(json!({ "amount": 21 }), Some("key-1")).await;
        assert_eq!(code(other), Some(Code::IdempotencyKeyReused));
        let too_much = refund(json!({ "amount": 79.81 }), Some("key-2")).await.unwrap_err();
        assert_eq!((too_much.code, too_much.field.as_deref()), (Code::PaymentNotRefundable, Some("amount")));
        for bad in
            [json!({ "amount": 0 }), json!({ "amount": -1 }), json!({ "amount": 1.001 }), json!({ "amount": "1" })]
        {
            assert_eq!(code(refund(bad.clone(), Some("key-3")).await), Some(Code::ValidationError), "{bad}");
        }

        let seen_by = |caller| get_payment::handle(&desk.store, get(caller, "id", payment.id));
        let refunds = shown(seen_by(admin).await)["refunds"].clone();
        assert_eq!((&refunds[0]["state"], &refunds[0]["reason"]), (&json!("SUCCEEDED"), &json!("A pillar")));
        assert!(refunds[0]["actor"].is_string() && refunds[0]["providerId"].is_string(), "{refunds}");
        let buyers = shown(seen_by(caller(payment.user_id, Role::User)).await)["refunds"].clone();
        assert_eq!((&buyers[0]["amount"], &buyers[0]["state"]), (&json!(20.0), &json!("SUCCEEDED")));
        assert!(buyers[0].get("actor").is_none() && buyers[0].get("providerId").is_none(), "{buyers}");

        assert_eq!(shown(refund(json!({}), None).await)["status"], "REFUNDED");
        assert_eq!(code(refund(json!({}), None).await), Some(Code::PaymentNotRefundable));
    })
    .await;
}

#[tokio::test]
async fn an_operator_finds_a_failed_refund_and_acts_on_it() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let admin = caller(UserId::generate(), Role::Admin);
        let act = |payment: &Payment, refund: String, body: Option<Value>| {
            let body = body.map_or(Body::Empty, |body| Body::Text(body.to_string()));
            let mut request = Request::new(body);
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
            request.extensions_mut().insert(admin);
            let parameters = [("id".to_owned(), vec![payment.id.to_string()]), ("refundId".to_owned(), vec![refund])];
            request.with_path_parameters(HashMap::from(parameters))
        };
        let mut failed = Vec::new();
        for _ in 0..2 {
            let payment = desk.paid().await;
            desk.refund(&payment).await.unwrap();
            failed.push(payment);
        }
        desk.provider.settle_refunds(State::Failed);
        for payment in &failed {
            desk.cashier.settle_money(payment.id, &boxoffice_testing::trace()).await.unwrap();
        }
        let cases = || async {
            shown(list_payment_cases::handle(&desk.store, get(admin, "unused", "")).await)["items"].clone()
        };
        let listed = cases().await;
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        assert_eq!(listed[0]["refunds"][0]["failureReason"], "expired_or_canceled_card");
        let id = |payment: &Payment| payment.id.refund("rest-0").to_string();

        let again = retry_refund::handle(&desk.app(), act(&failed[0], id(&failed[0]), None)).await;
        assert_eq!(shown(again)["status"], "REFUNDED");
        let again = retry_refund::handle(&desk.app(), act(&failed[0], id(&failed[0]), None)).await;
        assert_eq!(code(again), Some(Code::RefundNotFailed));
        let settle = |refund: String, body: Value| {
            let request = act(&failed[1], refund, Some(body));
            let app = desk.app();
            async move { settle_refund::handle(&app, request).await }
        };
        assert_eq!(code(settle(id(&failed[1]), json!({})).await), Some(Code::ValidationError));
        assert_eq!(code(settle(id(&failed[0]), json!({ "reason": "x" })).await), Some(Code::RefundNotFound));
        assert_eq!(code(settle("rfd_1".into(), json!({ "reason": "x" })).await), Some(Code::InvalidId));
        let settled = shown(settle(id(&failed[1]), json!({ "reason": "Bank transfer" })).await);
        assert_eq!((&settled["status"], &settled["refunds"][0]["state"]), (&json!("REFUNDED"), &json!("FAILED")));
        assert_eq!(settled["refunds"][0]["settledOtherwise"], "Bank transfer");
        assert_eq!(cases().await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn nobody_charges_a_strangers_payment() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        let charge = json!({ "paymentMethodToken": "pm_card", "paymentMethod": "DEBIT_CARD" });
        let process = |caller| {
            let request = request(caller, ("id", payment.id.to_string()), Some(&charge));
            let app = desk.app();
            async move { code(process_payment::handle(&app, request).await) }
        };
        for stranger in [Role::User, Role::Manager] {
            assert_eq!(process(caller(UserId::generate(), stranger)).await, Some(Code::Forbidden));
        }
        assert_eq!(desk.stored(&payment).await, payment, "a refused call changed the payment");
        assert_eq!(process(caller(payment.user_id, Role::User)).await, None);
        let paid = desk.stored(&payment).await;
        assert_eq!((paid.status, paid.method), (Status::Success, Method::DebitCard));
        assert_eq!(desk.provider.money_moved(), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_payment_is_shown_or_charged_by_what_the_caller_sends() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.pending().await;
        let create = |caller: Caller, more: Value| {
            let mut body = json!({ "ticketId": payment.ticket_id });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let request = request(caller, ("unused", String::new()), Some(&body));
            let app = desk.app();
            async move { code(create_payment::handle(&app, request).await) }
        };
        let owner = caller(payment.user_id, Role::User);
        for (caller, more, expected) in [
            (owner, json!({}), None),
            (owner, json!({ "userId": payment.user_id, "amount": 99.8, "paymentMethod": "CREDIT_CARD" }), None),
            (owner, json!({ "amount": 99.79 }), Some(Code::InvalidAmount)),
            (owner, json!({ "amount": 0, "paymentMethodToken": "pm_card" }), Some(Code::InvalidAmount)),
            (owner, json!({ "userId": UserId::generate() }), Some(Code::Forbidden)),
            (owner, json!({ "paymentMethod": "PAYPAL" }), Some(Code::PaymentMethodMismatch)),
            (
                owner,
                json!({ "paymentMethod": "BANK_TRANSFER", "paymentMethodToken": "pm_sepa" }),
                Some(Code::PaymentMethodUnavailable),
            ),
            (caller(UserId::generate(), Role::User), json!({ "paymentMethodToken": "pm_card" }), Some(Code::Forbidden)),
        ] {
            assert_eq!(create(caller, more.clone()).await, expected, "{more}");
            assert_eq!(desk.stored(&payment).await, payment, "{more} changed the payment");
        }
        let paying = json!({ "amount": 99.8, "paymentMethod": "PAYPAL", "paymentMethodToken": "pm_card" });
        assert_eq!(create(owner, paying.clone()).await, None);
        let paid = desk.stored(&payment).await;
        assert_eq!((paid.status, paid.method), (Status::Success, Method::Paypal));
        // The answer got lost, and the call is repeated: it is answered as it was. Another card is not.
        assert_eq!(create(owner, paying).await, None);
        let other = json!({ "paymentMethodToken": "pm_other_card" });
        assert_eq!(create(owner, other).await, Some(Code::PaymentNotPending));
        assert_eq!(desk.provider.money_moved(), (1, 0));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted"]);
    })
    .await;
}

#[tokio::test]
async fn a_declined_charge_is_said_to_be_one() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        let body = json!({ "ticketId": payment.ticket_id, "paymentMethodToken": "pm_declined" });
        let request = request(caller(payment.user_id, Role::User), ("unused", String::new()), Some(&body));
        let outcome = create_payment::handle(&desk.app(), request).await;
        let problem = outcome.unwrap_err();
        assert_eq!(problem.code, Code::PaymentDeclined);
        assert!(!problem.detail.contains("card_declined"), "{}", problem.detail);
        assert_eq!(desk.status(&payment).await, Status::Pending);
    })
    .await;
}

#[tokio::test]
async fn a_mistyped_token_is_the_buyers_and_says_so() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        let body = json!({ "paymentMethodToken": "pm_mistyped" });
        let request = request(caller(payment.user_id, Role::User), ("id", payment.id.to_string()), Some(&body));
        let problem = process_payment::handle(&desk.app(), request).await.unwrap_err();
        assert_eq!((problem.code, problem.field.as_deref()), (Code::ValidationError, Some("paymentMethodToken")));
        assert_eq!(desk.pay(&payment, "pm_card").await.unwrap().status, Status::Success);
    })
    .await;
}

#[tokio::test]
async fn a_buyer_back_from_their_bank_asks_without_a_card_how_it_went() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.pending().await;
        let process = |body: Value| {
            let caller = caller(payment.user_id, Role::User);
            let request = request(caller, ("id", payment.id.to_string()), Some(&body));
            let app = desk.app();
            async move { process_payment::handle(&app, request).await }
        };
        assert_eq!(code(process(json!({})).await), Some(Code::ValidationError));
        assert_eq!(code(process(json!({ "paymentMethodToken": "pm_authenticates" })).await), None);
        assert_eq!(code(process(json!({})).await), None);
        assert_eq!(desk.status(&payment).await, Status::Processing);
        desk.provider.decide(&payment, true);
        assert_eq!(code(process(json!({})).await), None);
        assert_eq!(desk.status(&payment).await, Status::Success);
    })
    .await;
}
