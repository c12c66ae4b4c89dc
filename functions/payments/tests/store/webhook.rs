//! Stripe's webhook: whom it believes, and what it does then.

use crate::{
    fixture::Desk,
    provider::{Call, Side},
};
use boxoffice_aws::Secret;
use boxoffice_kernel::Timestamp;
use boxoffice_payments::{
    domain::{Payment, Status},
    handlers::receive_stripe_event::{self, Secrets},
};
use boxoffice_runtime::Code;
use boxoffice_testing::{Listener, for_each_dynamodb};
use lambda_http::{Body, Request};
use ring::hmac;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn secrets() -> Secrets {
    let parameters = Listener::answering(|_, _| (200, json!({ "Parameter": { "Value": "whsec_old whsec_new" } })));
    Secrets::new(Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/stripe-webhook-secrets"))
}

fn delivered(event: &Value, secret: &str) -> Request {
    let (body, at) = (event.to_string(), Timestamp::now().unix_seconds());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut header = format!("t={at},v1=");
    for byte in hmac::sign(&key, format!("{at}.{body}").as_bytes()).as_ref() {
        write!(header, "{byte:02x}").unwrap();
    }
    let mut request = Request::new(Body::Text(body));
    request.headers_mut().insert("stripe-signature", header.parse().unwrap());
    request
}

/// The answer to an event that is delivered with this secret.
pub(crate) async fn status(desk: &Desk, event: &Value, secret: &str) -> Result<u16, Code> {
    let answer = receive_stripe_event::handle(&desk.app(), &secrets(), delivered(event, secret)).await;
    answer.map(|_| 204).map_err(|problem| problem.code)
}

/// An event about the payment's intent, with a lie about what became of it.
async fn about(desk: &Desk, payment: &Payment) -> Value {
    let intent = desk.stored(payment).await.intent.unwrap();
    json!({ "type": "payment_intent.payment_failed",
            "data": { "object": { "object": "payment_intent", "id": intent, "status": "canceled" } } })
}

async fn at_the_bank(desk: &Desk) -> Payment {
    let payment = desk.pending().await;
    desk.pay(&payment, "pm_authenticates").await.unwrap();
    payment
}

#[tokio::test]
async fn an_event_settles_the_payment_as_the_provider_has_it_whatever_the_event_says() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = at_the_bank(&desk).await;
        desk.cashier.wait_for(payment.id, "token").await.unwrap();
        let event = about(&desk, &payment).await;
        assert_eq!(status(&desk, &event, "whsec_old").await, Ok(204));
        assert_eq!(desk.status(&payment).await, Status::Processing);
        desk.provider.decide(&payment, true);
        for secret in ["whsec_new", "whsec_old", "whsec_new"] {
            assert_eq!(status(&desk, &event, secret).await, Ok(204));
        }
        assert_eq!(desk.status(&payment).await, Status::Success);
        assert_eq!((desk.provider.money_moved(), desk.told().len()), ((1, 0), 1));
        assert_eq!(database.history(payment.id).await, ["PaymentInitiated", "PaymentProcessing", "PaymentCompleted"]);
    })
    .await;
}

#[tokio::test]
async fn an_event_with_another_secret_is_refused_before_anything_is_asked() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = at_the_bank(&desk).await;
        desk.provider.decide(&payment, true);
        let (event, asked) = (about(&desk, &payment).await, desk.provider.calls(Call::Look));
        assert_eq!(status(&desk, &event, "whsec_guessed").await, Err(Code::ValidationError));
        assert_eq!((desk.provider.calls(Call::Look), desk.status(&payment).await), (asked, Status::Processing));
    })
    .await;
}

#[tokio::test]
async fn an_event_about_nothing_of_ours_is_accepted_and_changes_nothing() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = at_the_bank(&desk).await;
        desk.provider.decide(&payment, true);
        let mut of_another_account = about(&desk, &payment).await;
        of_another_account["account"] = json!("acct_another");
        let strangers = json!({ "data": { "object": { "object": "payment_intent", "id": "pi_strangers" } } });
        let customer = json!({ "data": { "object": { "object": "customer", "id": "cus_1" } } });
        for event in [of_another_account, strangers, customer, json!({}), json!([])] {
            assert_eq!(status(&desk, &event, "whsec_new").await, Ok(204), "{event}");
        }
        assert_eq!(desk.status(&payment).await, Status::Processing);
    })
    .await;
}

#[tokio::test]
async fn an_event_whose_work_could_not_be_done_is_not_accepted_and_does_it_when_it_comes_again() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = at_the_bank(&desk).await;
        desk.provider.decide(&payment, true);
        let event = about(&desk, &payment).await;
        desk.provider.lose(Call::Look, Side::Before);
        assert_eq!(status(&desk, &event, "whsec_new").await, Err(Code::ServiceUnavailable));
        assert_eq!(status(&desk, &event, "whsec_new").await, Ok(204));
        assert_eq!(desk.status(&payment).await, Status::Success);
    })
    .await;
}

#[tokio::test]
async fn an_event_about_a_refund_is_about_its_payment() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let payment = desk.paid().await;
        desk.provider.refunds_are_pending(true);
        assert!(desk.refund(&payment).await.is_err());
        desk.provider.refunds_are_pending(false);
        let intent = payment.intent.clone().unwrap();
        let event = json!({ "type": "refund.updated",
                            "data": { "object": { "object": "refund", "id": "re_1", "payment_intent": intent } } });
        assert_eq!(status(&desk, &event, "whsec_new").await, Ok(204));
        assert_eq!(desk.status(&payment).await, Status::Refunded);
    })
    .await;
}
