//! Stripe's client against the local payment server (`localstack/payments/`), which keeps payments as Stripe does; and, where that server behaves too
//! well, against answers written out.

use crate::{
    fixture::{card, pending},
    payment_server::PaymentServer,
};
use aws_sdk_ssm::Client as Parameters;
use boxoffice_aws::Secret;
use boxoffice_kernel::{Amount, Money};
use boxoffice_payments::{
    domain::{IntentId, Payment},
    gateway::{Cancellation, Charge, GatewayError, Opened, PaymentGateway as _},
    stripe::Stripe,
};
use boxoffice_testing::Listener;
use serde_json::{Value, json};
use std::net::TcpListener;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// An account whose key is in the parameter store.
fn account(base: impl Into<String>) -> Stripe {
    let parameters = Listener::answering(|_, _| (200, json!({ "Parameter": { "Value": "sk_test_boxoffice" } })));
    with_key(base, &parameters)
}

fn with_key(base: impl Into<String>, parameters: &Listener) -> Stripe {
    Stripe::new(base, Secret::new(Parameters::new(&parameters.sdk_config()), "/boxoffice/stripe-key")).unwrap()
}

fn local() -> (Stripe, PaymentServer) {
    let server = PaymentServer::local();
    (account(server.url()), server)
}

async fn opened(stripe: &Stripe, payment: &Payment, token: &str) -> IntentId {
    match stripe.open(payment, &card(token)).await.unwrap() {
        Opened::Intent(intent) => intent,
        Opened::Declined { reason } => panic!("declined: {reason}"),
    }
}

#[tokio::test]
async fn a_payment_is_charged_once_and_given_back_once_however_often_it_is_asked_for() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    assert_eq!(opened(&stripe, &payment, "pm_card_visa").await, intent);
    for _ in 0..2 {
        assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::Succeeded));
    }
    assert_eq!(stripe.cancel(&intent).await, Ok(Cancellation::AlreadySucceeded));
    assert_eq!(server.money(payment.id).await, (9980, 0));
    for _ in 0..2 {
        assert_eq!(stripe.refund(&payment, &intent).await, Ok(()));
    }
    assert_eq!(server.money(payment.id).await, (9980, 9980));
}

#[tokio::test]
async fn a_refund_that_somebody_made_by_hand_is_one() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    stripe.confirm(&payment, &intent).await.unwrap();
    server.refund_by_hand(&intent).await;
    assert_eq!(stripe.refund(&payment, &intent).await, Ok(()));
    assert_eq!(server.money(payment.id).await, (9980, 9980));
}

#[tokio::test]
async fn a_declined_card_is_declined_by_the_providers_word_and_stays_so() {
    for (token, word) in [
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        // The buyer's bank wants to be asked, and nobody is there to ask it.
        ("pm_card_authenticationRequired", "authentication_required"),
    ] {
        let ((stripe, server), payment) = (local(), pending());
        let intent = opened(&stripe, &payment, token).await;
        let declined = Ok(Charge::Declined { reason: word.into() });
        assert_eq!(stripe.confirm(&payment, &intent).await, declined, "{token}");
        assert_eq!(stripe.confirm(&payment, &intent).await, declined, "{token}, asked again");
        assert_eq!(server.money(payment.id).await, (0, 0), "{token}");
    }
}

#[tokio::test]
async fn an_intent_that_was_cancelled_is_never_charged() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    for _ in 0..2 {
        assert_eq!(stripe.cancel(&intent).await, Ok(Cancellation::Cancelled));
    }
    assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::Cancelled));
    assert_eq!(server.money(payment.id).await, (0, 0));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_to_be_asked_for() {
    for fault in ["answer_lost", "error500_after"] {
        let ((stripe, server), payment) = (local(), pending());
        let intent = opened(&stripe, &payment, "pm_card_visa").await;
        server.arm(fault, "/confirm$", payment.id).await;
        let lost = stripe.confirm(&payment, &intent).await;
        assert!(matches!(lost, Err(GatewayError::Unavailable(_))), "{fault}: {lost:?}");
        assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::Succeeded), "{fault}");
        assert_eq!(server.money(payment.id).await, (9980, 0), "{fault}");
    }
}

#[tokio::test]
async fn another_payment_under_the_same_id_is_a_bug_and_no_decline() {
    let ((stripe, _), payment) = (local(), pending());
    opened(&stripe, &payment, "pm_card_visa").await;
    let money = Money { amount: Amount::from_minor(1).unwrap(), ..payment.money };
    let outcome = stripe.open(&Payment { money, ..payment }, &card("pm_card_visa")).await;
    assert!(
        matches!(&outcome, Err(GatewayError::Misconfigured(why)) if why.contains("idempotency_error")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_declined() {
    let ((stripe, _), payment) = (local(), pending());
    let outcome = stripe.open(&payment, &card("pm_nobodys")).await.unwrap();
    assert!(matches!(outcome, Opened::Declined { .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_intent_that_does_not_exist_is_a_bug() {
    let ((stripe, _), payment, nobodys) = (local(), pending(), "pi_nobodys".parse::<IntentId>().unwrap());
    let confirmed = stripe.confirm(&payment, &nobodys).await.map(|_| ());
    let cancelled = stripe.cancel(&nobodys).await.map(|_| ());
    for outcome in [confirmed, cancelled, stripe.refund(&payment, &nobodys).await] {
        assert!(matches!(outcome, Err(GatewayError::Misconfigured(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn without_its_key_nothing_is_asked() {
    let server = PaymentServer::local();
    let gone = Listener::answering(|_, _| (400, json!({ "__type": "ParameterNotFound" })));
    let empty = Listener::answering(|_, _| (200, json!({ "Parameter": {} })));
    for parameters in [&gone, &empty] {
        let payment = pending();
        let outcome = with_key(server.url(), parameters).open(&payment, &card("pm_card_visa")).await;
        assert!(matches!(outcome, Err(GatewayError::Misconfigured(_))), "{outcome:?}");
        assert_eq!(server.requests(payment.id).await, 0);
    }
    let throttled = Listener::answering(|_, _| (400, json!({ "__type": "ThrottlingException" })));
    let outcome = with_key(server.url(), &throttled).open(&pending(), &card("pm_card_visa")).await;
    assert!(matches!(outcome, Err(GatewayError::NotReady(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = account(format!("http://{free}")).open(&pending(), &card("pm_card_visa")).await;
    assert!(matches!(outcome, Err(GatewayError::Unavailable(_))), "{outcome:?}");
}

/// A provider that gives these answers, one after the other.
async fn that_answers(answers: &[ResponseTemplate]) -> MockServer {
    let server = MockServer::start().await;
    for answer in answers {
        Mock::given(any()).respond_with(answer.clone()).up_to_n_times(1).expect(1).mount(&server).await;
    }
    server
}

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

#[tokio::test]
async fn the_echo_of_an_old_failure_is_asked_again_under_a_fresh_key() {
    let echo = answer(500, &json!({ "error": { "type": "api_error" } })).insert_header("idempotent-replayed", "true");
    let server = that_answers(&[echo, answer(200, &json!({ "id": "pi_1", "status": "requires_confirmation" }))]).await;
    let payment = pending();
    assert_eq!(opened(&account(server.uri()), &payment, "pm_card_visa").await.to_string(), "pi_1");
    let asked = server.received_requests().await.unwrap();
    let keys: Vec<_> = asked.iter().map(|request| request.headers["idempotency-key"].to_str().unwrap()).collect();
    assert_eq!(keys[0], format!("open-{}", payment.id));
    assert!(keys[1].starts_with(keys[0]) && keys[1] != keys[0], "{keys:?}");
}

#[tokio::test]
async fn what_is_no_answer_yet_is_neither_an_outage_nor_a_decline() {
    for status in [409, 429] {
        let server = that_answers(&[answer(status, &json!({ "error": { "type": "idempotency_error" } }))]).await;
        let outcome = account(server.uri()).confirm(&pending(), &"pi_1".parse().unwrap()).await;
        assert!(matches!(outcome, Err(GatewayError::NotReady(_))), "{status}: {outcome:?}");
    }
    // It cannot be cancelled, and what will become of it is not known yet.
    let still = json!({ "id": "pi_1", "status": "processing" });
    let server = that_answers(&[answer(400, &json!({})), answer(200, &still)]).await;
    let outcome = account(server.uri()).cancel(&"pi_1".parse().unwrap()).await;
    assert!(matches!(outcome, Err(GatewayError::NotReady(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_key_that_is_refused_is_an_operators_to_mend() {
    for status in [401, 403] {
        let server = that_answers(&[answer(status, &json!({ "error": { "type": "invalid_request_error" } }))]).await;
        let outcome = account(server.uri()).open(&pending(), &card("pm_card_visa")).await;
        assert!(matches!(outcome, Err(GatewayError::Misconfigured(_))), "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn every_request_says_who_asks_and_which_version_of_the_api_it_reads() {
    let server = that_answers(&[answer(200, &json!({ "id": "pi_1", "status": "requires_confirmation" }))]).await;
    let payment = pending();
    opened(&account(server.uri()), &payment, "pm_card_visa").await;
    let asked = server.received_requests().await.unwrap().remove(0);
    assert_eq!(asked.headers["authorization"], "Bearer sk_test_boxoffice");
    assert_eq!(asked.headers["stripe-version"], "2024-06-20");
    let form = String::from_utf8(asked.body).unwrap();
    for part in ["amount=9980", "currency=eur", "payment_method=pm_card_visa", &payment.ticket_id.to_string()] {
        assert!(form.contains(part), "{form}");
    }
}
