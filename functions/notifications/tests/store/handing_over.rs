//! What SES and SNS say of a message, as two implementations of them do.

use crate::fixture::contact;
use boxoffice_kernel::TicketId;
use boxoffice_notifications::{
    aws_sender::AwsSender,
    content::{Composed, Content},
    domain::Address,
    sender::{MessageSender, SendError},
};
use boxoffice_testing::{Database, for_each_dynamodb};

fn message() -> Composed {
    Content::Welcome.compose(&contact().first_name).unwrap()
}

/// A sender in the name of an address of its own.
async fn sender(database: &Database, verified: bool) -> (AwsSender, aws_sdk_sns::Client) {
    let (mail, messages) =
        (aws_sdk_ses::Client::new(database.sdk_config()), aws_sdk_sns::Client::new(database.sdk_config()));
    let from = format!("{}@boxoffice.example", TicketId::generate());
    if verified {
        mail.verify_email_identity().email_address(&from).send().await.unwrap();
    }
    (AwsSender::new(mail, messages.clone(), from), messages)
}

#[tokio::test]
async fn every_channel_is_served() {
    for_each_dynamodb(|database| async move {
        let (sender, messages) = sender(&database, true).await;
        let application = messages.create_platform_application().name("boxoffice").platform("GCM");
        let application = application.attributes("PlatformCredential", "a-key").send().await.unwrap();
        let device = messages.create_platform_endpoint().token(TicketId::generate().to_string());
        let device = device.platform_application_arn(application.platform_application_arn().unwrap());
        let endpoint = device.send().await.unwrap().endpoint_arn.unwrap();
        let phone = "+14155550123".parse().unwrap();
        sender.send(Address::Email(&contact().email), &message()).await.unwrap();
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
        let (sender, _) = sender(&database, false).await;
        let refused = sender.send(Address::Email(&contact().email), &message()).await.unwrap_err();
        assert_eq!(refused, SendError::Refused("SES refused the message: MessageRejected".into()));
        let gone = "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/boxoffice/none".parse().unwrap();
        let refused = sender.send(Address::Device(&gone), &message()).await.unwrap_err();
        assert!(matches!(&refused, SendError::Refused(why) if why.starts_with("SNS refused")), "{refused:?}");
    })
    .await;
}
