//! Stripe's client against the local payment server (`localstack/payments/`), which keeps payments as Stripe does; and, where that server behaves too
//! well, against answers written out.

use crate::{
    fixture::{card, initiate, pending, store},
    payment_server::PaymentServer,
};
use aws_sdk_ssm::Client as Parameters;
use boxoffice_aws::Secret;
use boxoffice_kernel::{Actor, Amount, Money, Timestamp};
use boxoffice_payments::{
    breaker::{Breaker, Settings},
    cashier::Cashier,
    dispute,
    domain::{IntentId, Method, Payment, Status},
    events::RefundedBy,
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Opened, PaymentGateway as _, Returned},
    guarded::Guarded,
    refund::{Refund, State},
    statement::{Source, Statement},
    stripe::Stripe,
};
use boxoffice_testing::{Listener, for_each_dynamodb, trace};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};
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

/// A refund of so much of a payment.
fn part(payment: &Payment, name: &str, minor: u64) -> Refund {
    let (id, amount) = (payment.id.refund(name), Amount::from_minor(minor).unwrap());
    Refund::wanted(id, amount, "asked for", RefundedBy::Request, Actor::System, Timestamp::now())
}

fn whole(payment: &Payment) -> Refund {
    part(payment, "whole", payment.money.amount.minor())
}

/// Where a refund is that was made.
fn state(returned: Result<Returned, GatewayError>) -> State {
    match returned.unwrap() {
        Returned::Refund(seen) => seen.state,
        other => panic!("{other:?}"),
    }
}

async fn opened(stripe: &Stripe, payment: &Payment, token: &str) -> IntentId {
    match stripe.open(payment, &card(token)).await.unwrap() {
        Opened::Intent(intent) => intent,
        other => panic!("{other:?}"),
    }
}

/// Whether the record names this intent. Other tests use the same account.
async fn is_recorded(stripe: &Stripe, since: Timestamp, intent: &IntentId) -> bool {
    let mut page = stripe.record(since, None).await.unwrap();
    while let (false, Some(next)) = (page.intents.contains(intent), &page.next) {
        page = stripe.record(since, Some(next)).await.unwrap();
    }
    page.intents.contains(intent)
}

#[tokio::test]
async fn the_record_names_what_others_moved_and_the_statement_all_that_moved() {
    let ((stripe, server), payment) = (local(), pending());
    let (from, to) = (Timestamp::now().minus_seconds(60), Timestamp::now().plus_seconds(60));
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::Succeeded));
    stripe.refund(&payment, &intent, &part(&payment, "a part", 100)).await.unwrap();
    assert!(!is_recorded(&stripe, from, &intent).await, "a refund of ours that goes well is known");
    server.refund_by_hand(&intent).await;
    assert!(is_recorded(&stripe, from, &intent).await);
    assert!(!is_recorded(&stripe, to, &intent).await, "the time is asked for");

    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let Statement { lines: page, next } = stripe.statement(from, to, after.as_ref()).await.unwrap();
        lines.extend(page.into_iter().filter(|line| line.intent == intent));
        after = next;
        if after.is_none() {
            break;
        }
    }
    let sums: Vec<_> = lines.iter().map(|line| (line.amount, line.source == Source::Charge, line.payment)).collect();
    let ours = Some(payment.id);
    assert_eq!(sums, [(-9880, false, None), (-100, false, ours), (9980, true, ours)]);
}

#[tokio::test]
async fn a_payment_is_charged_once_and_given_back_once_however_often_it_is_asked_for() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    assert_eq!(opened(&stripe, &payment, "pm_card_visa").await, intent);
    for _ in 0..2 {
        assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::Succeeded));
    }
    assert_eq!(stripe.cancel(&intent, CalledOff::Payment).await, Ok(Cancellation::AlreadySucceeded));
    assert_eq!(server.money(payment.id).await, (9980, 0));
    for _ in 0..2 {
        assert_eq!(state(stripe.refund(&payment, &intent, &part(&payment, "part", 2000)).await), State::Succeeded);
    }
    assert_eq!(server.money(payment.id).await, (9980, 2000));
    let too_much = stripe.refund(&payment, &intent, &part(&payment, "too much", 8000)).await;
    assert_eq!(too_much, Ok(Returned::TooMuch));
    for _ in 0..2 {
        assert_eq!(state(stripe.refund(&payment, &intent, &part(&payment, "rest", 7980)).await), State::Succeeded);
    }
    assert_eq!(server.money(payment.id).await, (9980, 9980));
    let refunds = stripe.moved(&intent).await.unwrap().refunds;
    let ours: Vec<_> = refunds.iter().map(|seen| (seen.ours.unwrap().0, seen.amount.minor())).collect();
    assert_eq!(ours, [(payment.id.refund("rest"), 7980), (payment.id.refund("part"), 2000)]);
}

#[tokio::test]
async fn a_refund_that_somebody_made_by_hand_is_one() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    stripe.confirm(&payment, &intent).await.unwrap();
    server.refund_by_hand(&intent).await;
    assert_eq!(stripe.refund(&payment, &intent, &whole(&payment)).await, Ok(Returned::TooMuch));
    let refunds = stripe.moved(&intent).await.unwrap().refunds;
    assert_eq!(refunds.iter().map(|seen| (seen.ours, seen.amount.minor())).collect::<Vec<_>>(), [(None, 9980)]);
    assert_eq!(server.money(payment.id).await, (9980, 9980));
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_or_kept_as_a_failure_is_made_once() {
    for fault in ["answer_lost", "error500_after", "error500_kept"] {
        let ((stripe, server), payment) = (local(), pending());
        let intent = opened(&stripe, &payment, "pm_card_visa").await;
        stripe.confirm(&payment, &intent).await.unwrap();
        server.arm(fault, "/refunds$", &intent).await;
        let refund = part(&payment, "part", 2000);
        let lost = stripe.refund(&payment, &intent, &refund).await;
        assert!(matches!(lost, Err(GatewayError::Unavailable(_))), "{fault}: {lost:?}");
        for _ in 0..2 {
            assert_eq!(state(stripe.refund(&payment, &intent, &refund).await), State::Succeeded, "{fault}");
        }
        assert_eq!(server.money(payment.id).await, (9980, 2000), "{fault}");
    }
}

#[tokio::test]
async fn a_declined_card_is_declined_by_the_providers_word_and_stays_so() {
    for (token, word) in [
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
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
        assert_eq!(stripe.cancel(&intent, CalledOff::Payment).await, Ok(Cancellation::Cancelled));
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
async fn a_method_that_does_not_exist_is_the_buyers_mistake_and_no_decline() {
    let ((stripe, _), payment) = (local(), pending());
    assert_eq!(stripe.open(&payment, &card("pm_nobodys")).await, Ok(Opened::NoSuchMethod));
}

#[tokio::test]
async fn our_own_mistakes_are_no_declines() {
    let ((stripe, _), payment) = (local(), pending());
    let costing = |minor| {
        let money = Money { amount: Amount::from_minor(minor).unwrap(), ..payment.money };
        Payment { money, ..pending() }
    };
    for (payment, why) in [(costing(49), "amount_too_small"), (costing(100_000_000), "amount_too_large")] {
        let outcome = stripe.open(&payment, &card("pm_card_visa")).await;
        assert!(matches!(&outcome, Err(GatewayError::Misconfigured(text)) if text.contains(why)), "{outcome:?}");
    }
    let by_paypal = Payment { method: Method::Paypal, ..pending() };
    assert_eq!(stripe.open(&by_paypal, &card("pm_card_visa")).await, Ok(Opened::MethodUnavailable));
}

#[tokio::test]
async fn a_charge_that_is_not_decided_is_read_anew_and_not_from_its_echo() {
    for (succeeds, settled) in
        [(true, Charge::Succeeded), (false, Charge::Declined { reason: "generic_decline".into() })]
    {
        let ((stripe, server), payment) = (local(), pending());
        let intent = opened(&stripe, &payment, "pm_card_visa").await;
        server.arm("undecided", "/confirm$", payment.id).await;
        for _ in 0..2 {
            assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::UnderWay));
        }
        server.order(&format!("intents/{intent}/settle"), json!({ "succeeded": succeeds })).await;
        assert_eq!(stripe.confirm(&payment, &intent).await, Ok(settled.clone()));
        let seen = stripe.look(&intent).await.unwrap().unwrap();
        assert_eq!((seen.payment, seen.charge), (Some(payment.id), settled));
    }
}

#[tokio::test]
async fn authentication_is_asked_for_and_completed_by_the_buyer() {
    for (succeeds, after) in
        [(true, Charge::Succeeded), (false, Charge::Declined { reason: "authentication_required".into() })]
    {
        let (server, payment) = (PaymentServer::local(), pending());
        let stripe = account(server.url()).returning_to("https://shop.example/back");
        let intent = opened(&stripe, &payment, "pm_card_threeDSecure2Required").await;
        for _ in 0..2 {
            let Ok(Charge::NeedsAction(action)) = stripe.confirm(&payment, &intent).await else { panic!("no action") };
            assert!(action.redirect_url.unwrap().starts_with(server.url()));
            assert!(action.client_secret.starts_with(&intent.to_string()));
        }
        server.order(&format!("intents/{intent}/authenticate"), json!({ "succeeded": succeeds })).await;
        assert_eq!(stripe.confirm(&payment, &intent).await, Ok(after));
    }
    // Without a place to come back to, the provider's script does it.
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_threeDSecure2Required").await;
    let outcome = stripe.confirm(&payment, &intent).await;
    assert!(matches!(&outcome, Ok(Charge::NeedsAction(action)) if action.redirect_url.is_none()), "{outcome:?}");
    assert_eq!(stripe.cancel(&intent, CalledOff::Payment).await, Ok(Cancellation::Cancelled));
    assert_eq!(server.money(payment.id).await, (0, 0));
}

#[tokio::test]
async fn an_intent_left_behind_cannot_be_charged_and_still_says_why() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_chargeDeclinedInsufficientFunds").await;
    let declined = Charge::Declined { reason: "insufficient_funds".into() };
    assert_eq!(stripe.confirm(&payment, &intent).await.as_ref(), Ok(&declined));
    assert_eq!(stripe.cancel(&intent, CalledOff::Attempt).await, Ok(Cancellation::Cancelled));
    assert_eq!(stripe.look(&intent).await.unwrap().unwrap().charge, declined);
    server.confirm_by_hand(&intent, 400).await;
    // The next attempt has another.
    let again = Payment { attempt: 2, ..payment.clone() };
    let other = opened(&stripe, &again, "pm_card_visa").await;
    assert_ne!(other, intent);
    assert_eq!(stripe.confirm(&again, &other).await, Ok(Charge::Succeeded));
    assert_eq!(server.money(payment.id).await, (9980, 0));
}

#[tokio::test]
async fn a_refund_is_done_when_its_object_says_so() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    stripe.confirm(&payment, &intent).await.unwrap();
    let refund = whole(&payment);
    assert_eq!(state(stripe.refund(&payment, &intent, &refund).await), State::Succeeded);
    // It comes back days later: the same attempt stays failed, and another is made.
    server.settle_refunds(&intent, "failed").await;
    assert_eq!(server.money(payment.id).await, (9980, 0));
    assert_eq!(state(stripe.refund(&payment, &intent, &refund).await), State::Failed);
    let again = Refund { attempt: 2, ..refund };
    assert_eq!(state(stripe.refund(&payment, &intent, &again).await), State::Succeeded);
    assert_eq!(server.money(payment.id).await, (9980, 9980));

    let payment = pending();
    let intent = opened(&stripe, &payment, "pm_card_pendingRefund").await;
    stripe.confirm(&payment, &intent).await.unwrap();
    let refund = whole(&payment);
    assert_eq!(state(stripe.refund(&payment, &intent, &refund).await), State::Pending);
    server.settle_refunds(&intent, "succeeded").await;
    assert_eq!(state(stripe.refund(&payment, &intent, &refund).await), State::Succeeded);
    assert_eq!(server.money(payment.id).await, (9980, 9980));
}

#[tokio::test]
async fn a_disputed_charge_is_not_refunded_until_the_dispute_is_won() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    stripe.confirm(&payment, &intent).await.unwrap();
    let dispute = server.order(&format!("intents/{intent}/dispute"), json!({})).await;
    for _ in 0..2 {
        let outcome = stripe.refund(&payment, &intent, &whole(&payment)).await;
        assert_eq!(outcome, Ok(Returned::Refused { reason: "charge_disputed".into() }));
    }
    let id = dispute["id"].as_str().unwrap();
    server.order(&format!("disputes/{id}/close"), json!({ "status": "won" })).await;
    let disputes = stripe.moved(&intent).await.unwrap().disputes;
    let seen: Vec<_> = disputes.iter().map(|seen| (seen.id.to_string(), seen.amount.minor(), seen.state)).collect();
    assert_eq!(seen, [(id.to_owned(), 9980, dispute::State::Won)]);
    let again = Refund { attempt: 2, ..whole(&payment) };
    assert_eq!(state(stripe.refund(&payment, &intent, &again).await), State::Succeeded);
}

#[tokio::test]
async fn a_key_that_was_rolled_is_read_again() {
    let keys = Arc::new(Mutex::new(vec!["sk_test_new", "sk_test_old"]));
    let parameters = Listener::answering(move |_, _| {
        let mut keys = keys.lock().unwrap();
        let key = if keys.len() > 1 { keys.pop().unwrap() } else { keys[0] };
        (200, json!({ "Parameter": { "Value": key } }))
    });
    let intent = json!({ "id": "pi_1", "status": "requires_confirmation" });
    let server = that_answers(&[answer(401, &json!({ "error": {} })), answer(200, &intent)]).await;
    opened(&with_key(server.uri(), &parameters), &pending(), "pm_card_visa").await;
    let asked = server.received_requests().await.unwrap();
    let keys: Vec<_> = asked.iter().map(|request| request.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(keys, ["Bearer sk_test_old", "Bearer sk_test_new"]);
}

#[tokio::test]
async fn a_request_under_a_key_in_use_learns_that_its_twin_is_under_way() {
    let ((stripe, server), payment) = (local(), pending());
    let intent = opened(&stripe, &payment, "pm_card_visa").await;
    let held = json!({ "pathRegex": "/confirm$", "bodyContains": payment.id.to_string() });
    server.order("faults", json!({ "match": held, "fault": "delay", "delayMs": 500 })).await;
    let (one, other) = tokio::join!(stripe.confirm(&payment, &intent), stripe.confirm(&payment, &intent));
    let outcomes = [one, other];
    assert!(outcomes.contains(&Ok(Charge::Succeeded)), "{outcomes:?}");
    assert!(outcomes.iter().any(|it| matches!(it, Err(GatewayError::UnderWay(_)))), "{outcomes:?}");
    assert_eq!(stripe.confirm(&payment, &intent).await, Ok(Charge::Succeeded));
    assert_eq!(server.money(payment.id).await, (9980, 0));
}

#[tokio::test]
async fn two_clicks_at_once_are_both_answered_and_charge_once() {
    for_each_dynamodb(|database| async move {
        let ((stripe, server), payments, payment) = (local(), store(&database), pending());
        let saga = aws_sdk_sfn::Client::new(&Listener::default().sdk_config());
        let cashier = Cashier::new(payments.clone(), stripe, saga);
        initiate(&database, &payment, None).await;
        let (token, trace) = (card("pm_card_visa"), trace());
        let click = || cashier.pay(payment.id, None, &token, &trace);
        for answer in [tokio::join!(click(), click())].into_iter().flat_map(|(one, other)| [one, other]) {
            let status = answer.unwrap().status;
            assert!(matches!(status, Status::Success | Status::Processing), "{status}");
        }
        assert_eq!(click().await.unwrap().status, Status::Success);
        assert_eq!(server.money(payment.id).await, (9980, 0));
    })
    .await;
}

#[tokio::test]
async fn an_intent_that_does_not_exist_is_a_bug() {
    let ((stripe, _), payment, nobodys) = (local(), pending(), "pi_nobodys".parse::<IntentId>().unwrap());
    let confirmed = stripe.confirm(&payment, &nobodys).await.map(|_| ());
    let cancelled = stripe.cancel(&nobodys, CalledOff::Payment).await.map(|_| ());
    for outcome in [confirmed, cancelled, stripe.refund(&payment, &nobodys, &whole(&payment)).await.map(|_| ())] {
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
    assert_eq!(keys[0], format!("open-{}-1", payment.id));
    assert!(keys[1].starts_with(keys[0]) && keys[1] != keys[0], "{keys:?}");
}

#[tokio::test]
async fn a_not_ready_answer_is_neither_an_outage_nor_a_decline() {
    for status in [409, 429] {
        let busy = answer(status, &json!({ "error": { "type": "idempotency_error" } }));
        let server = that_answers(&[busy]).await;
        let outcome = account(server.uri()).confirm(&pending(), &"pi_1".parse().unwrap()).await;
        assert!(matches!(outcome, Err(GatewayError::NotReady(_) | GatewayError::UnderWay(_))), "{status}: {outcome:?}");
    }
    // It cannot be cancelled, and what will become of it is not known yet.
    let still = json!({ "id": "pi_1", "status": "processing" });
    let server = that_answers(&[answer(400, &json!({})), answer(200, &still)]).await;
    let outcome = account(server.uri()).cancel(&"pi_1".parse().unwrap(), CalledOff::Payment).await;
    assert!(matches!(outcome, Err(GatewayError::NotReady(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_provider_that_wants_fewer_requests_opens_no_breaker() {
    for_each_dynamodb(|database| async move {
        let settings = Settings { window: 4, failure_percent: 50, open_seconds: 60, trials: 2 };
        let busy = answer(429, &json!({ "error": { "type": "invalid_request_error", "code": "rate_limit" } }));
        let server = that_answers(&vec![busy; 8]).await;
        let gateway = Guarded::new(account(server.uri()), store(&database), settings);
        for _ in 0..8 {
            let outcome = gateway.confirm(&pending(), &"pi_1".parse().unwrap()).await;
            assert!(matches!(outcome, Err(GatewayError::NotReady(_))), "{outcome:?}");
        }
        assert_eq!(store(&database).breaker().await.unwrap(), (Breaker::default(), 0));
        // The control: as many failures do.
        let server = that_answers(&vec![answer(500, &json!({})); 2]).await;
        let gateway = Guarded::new(account(server.uri()), store(&database), settings);
        for _ in 0..2 {
            gateway.confirm(&pending(), &"pi_1".parse().unwrap()).await.unwrap_err();
        }
        assert!(matches!(store(&database).breaker().await.unwrap().0, Breaker::Open { .. }));
    })
    .await;
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
