//! Who may see and do what, and what a request to pay must agree with: the handlers, as API Gateway calls them.

use crate::fixture::Desk;
use boxoffice_kernel::{PaymentId, Role, SessionId, UserId};
use boxoffice_payments::{
    domain::{Method, Payment, Status},
    handlers::{
        create_payment, delete_payment, get_payment, get_payment_by_ticket, get_payment_by_transaction,
        list_payments_by_user, process_payment,
    },
};
use boxoffice_runtime::{Code, Problem, auth::Caller, http::Answer};
use boxoffice_testing::for_each_dynamodb;
use lambda_http::{Body, Request, RequestExt as _};
use serde_json::{Value, json};
use std::collections::HashMap;

fn caller(user_id: UserId, role: Role) -> Caller {
    Caller { user_id, role, session: SessionId::generate(), generation: 1 }
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

/// What asking for the payment by each of its names comes to.
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
            (caller(UserId::generate(), Role::User), json!({ "paymentMethodToken": "pm_card" }), Some(Code::Forbidden)),
        ] {
            assert_eq!(create(caller, more.clone()).await, expected, "{more}");
            assert_eq!(desk.stored(&payment).await, payment, "{more} changed the payment");
        }
        let paying = json!({ "amount": 99.8, "paymentMethod": "PAYPAL", "paymentMethodToken": "pm_card" });
        assert_eq!(create(owner, paying.clone()).await, None);
        let paid = desk.stored(&payment).await;
        assert_eq!((paid.status, paid.method), (Status::Success, Method::Paypal));
        assert_eq!(create(owner, paying).await, Some(Code::PaymentNotPending));
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
        assert_eq!(code(outcome), Some(Code::PaymentDeclined));
        assert_eq!(desk.status(&payment).await, Status::Failed);
    })
    .await;
}
