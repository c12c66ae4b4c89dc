//! The answers of SES and SNS to a message, as two implementations give them.

use crate::fixture::contact;
use aws_config::Region;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use boxoffice_aws::client;
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_notifications::{
    aws_sender::AwsSender,
    codes::{Codes, TicketCode},
    content::{Composed, Content, TicketSummary},
    domain::Address,
    sender::{MessageSender, SendError},
};
use boxoffice_testing::{Database, for_each_dynamodb};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

fn message() -> Composed {
    Content::Welcome.compose(&contact().first_name).unwrap()
}

/// A mail with a picture and a calendar file.
fn enclosing() -> Composed {
    let ticket_id = TicketId::generate();
    let booking = TicketSummary {
        ticket_id,
        event_name: "Grün; Late Show".parse().unwrap(),
        event_date: "2030-06-01T20:00:00Z".parse().unwrap(),
        location: None,
        quantity: boxoffice_kernel::Quantity::new(1).unwrap(),
        total_amount: boxoffice_kernel::Amount::from_minor(9980).unwrap(),
        currency: boxoffice_kernel::Currency::Eur,
        hold_expires_at: Timestamp::now(),
        ticket_version: 2,
    };
    let code = TicketCode { admission_id: ticket_id.admission(1).unwrap(), serial: 1, png: vec![0x89, 0xff, 0] };
    let mail = Content::TicketConfirmed(booking).compose_mail(
        &contact().first_name,
        Codes { admissions: 1, codes: vec![code] },
        Timestamp::now(),
    );
    let mail = mail.unwrap();
    assert!(mail.has_enclosures());
    mail
}

/// A sender in the name of an address of its own.
async fn sender(database: &Database, verified: bool) -> AwsSender {
    let mail = aws_sdk_ses::Client::new(database.sdk_config());
    let from = format!("{}@boxoffice.example", TicketId::generate());
    if verified {
        mail.verify_email_identity().email_address(&from).send().await.unwrap();
    }
    AwsSender::new(database.sdk_config(), from)
}

/// A service that does the same with every connection, and counts them.
fn service(answer: Option<(u16, &'static str)>) -> (AwsSender, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let _ = connection.read(&mut [0; 16_384]).unwrap();
            if let Some((status, body)) = answer {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        }
    });
    (at(&url), asked)
}

/// A sender whose services are there.
fn at(url: &str) -> AwsSender {
    let credentials = Credentials::new("test", "test", None, None, "store tests");
    let sdk = client::sdk_config().to_builder().endpoint_url(url).region(Region::new("us-east-1"));
    AwsSender::new(
        &sdk.credentials_provider(SharedCredentialsProvider::new(credentials)).build(),
        "a@boxoffice.example",
    )
}

fn error(code: &str) -> &'static str {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    );
    Box::leak(body.into_boxed_str())
}

#[tokio::test]
async fn a_service_that_is_throttled_or_ill_is_asked_once_and_did_not_take_the_message() {
    let phone = "+14155550123".parse().unwrap();
    for (status, code) in
        [(400, "Throttling"), (400, "Throttled"), (500, "InternalFailure"), (503, "ServiceUnavailable")]
    {
        let (sender, asked) = service(Some((status, error(code))));
        let contact = contact();
        for (address, name) in [(Address::Email(&contact.email), "SES"), (Address::Phone(&phone), "SNS")] {
            let refused = sender.send(address, &message()).await.unwrap_err();
            assert_eq!(refused, SendError::Unavailable(format!("{name} did not take the message: {code}")));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{code}: the SDK asked again");
    }
}

/// A connection that ends without an answer: the service may have taken the message, so nobody may ask again at once.
#[tokio::test]
async fn a_lost_answer_is_not_asked_for_again() {
    let (sender, asked) = service(None);
    let unknown = sender.send(Address::Email(&contact().email), &message()).await.unwrap_err();
    assert_eq!(unknown, SendError::Unanswered("SES did not answer".into()));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the SDK asked again");
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_did_not_take_the_message() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = at(&format!("http://{nobody}")).send(Address::Email(&contact().email), &message()).await.unwrap_err();
    assert_eq!(refused, SendError::Unavailable("SES could not be reached".into()));
}

#[tokio::test]
async fn every_channel_is_served() {
    for_each_dynamodb(|database| async move {
        let (sender, messages) = (sender(&database, true).await, aws_sdk_sns::Client::new(database.sdk_config()));
        let application = messages.create_platform_application().name("boxoffice").platform("GCM");
        let application = application.attributes("PlatformCredential", "a-key").send().await.unwrap();
        let device = messages.create_platform_endpoint().token(TicketId::generate().to_string());
        let device = device.platform_application_arn(application.platform_application_arn().unwrap());
        let endpoint = device.send().await.unwrap().endpoint_arn.unwrap();
        let phone = "+14155550123".parse().unwrap();
        sender.send(Address::Email(&contact().email), &message()).await.unwrap();
        sender.send(Address::Email(&contact().email), &enclosing()).await.unwrap();
        sender.send(Address::Phone(&phone), &message()).await.unwrap();
        match endpoint.parse() {
            Ok(device) => sender.send(Address::Device(&device), &message()).await.unwrap(),
            // The emulator names an endpoint as SNS names an application, which no user of ours can have.
            Err(_) => assert_eq!(database.name(), "emulator", "{endpoint}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_final_and_repeats_no_address() {
    for_each_dynamodb(|database| async move {
        let sender = sender(&database, false).await;
        for mail in [message(), enclosing()] {
            let refused = sender.send(Address::Email(&contact().email), &mail).await.unwrap_err();
            assert_eq!(refused, SendError::Refused("SES refused the message: MessageRejected".into()));
        }
        let gone = "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/boxoffice/none".parse().unwrap();
        let refused = sender.send(Address::Device(&gone), &message()).await.unwrap_err();
        assert!(matches!(&refused, SendError::Refused(why) if why.starts_with("SNS refused")), "{refused:?}");
    })
    .await;
}
