//! Mail by SES, text and push messages by SNS.
//!
//! SES by its first API: the second is not everywhere this must run. A mail with enclosures is written here, since the first API takes none beside a message
//! ([`mime`]).
//!
//! One try each: neither service knows an idempotency key, so a try that the SDK repeats after a lost answer is a second message. An answer, whatever it
//! says, is one of a service that did not take the message; so is a connection that was never made. After anything else nobody knows.

use crate::{
    content::Composed,
    domain::Address,
    mime,
    sender::{MessageSender, SendError},
};
use aws_config::SdkConfig;
use aws_sdk_ses::{
    config::retry::RetryConfig,
    error::{BuildError, ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::{Body, Content, Destination, Message, RawMessage},
};
use boxoffice_runtime::config::{self, ConfigError};
use std::{error::Error, io};

/// Sends mail in the name of one address.
#[derive(Debug, Clone)]
pub struct AwsSender {
    mail: aws_sdk_ses::Client,
    messages: aws_sdk_sns::Client,
    from: String,
}

impl AwsSender {
    /// A sender in this address's name, which SES must know as verified.
    pub fn new(sdk: &SdkConfig, from: impl Into<String>) -> Self {
        let once = sdk.to_builder().retry_config(RetryConfig::disabled()).build();
        let (mail, messages) = (aws_sdk_ses::Client::new(&once), aws_sdk_sns::Client::new(&once));
        Self { mail, messages, from: from.into() }
    }

    /// In the name that the environment gives.
    ///
    /// # Errors
    /// When it gives none.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, ConfigError> {
        Ok(Self::new(sdk, config::required("NOTIFICATION_SENDER")?))
    }

    async fn send_mail(&self, to: &str, message: &Composed) -> Result<(), SendError> {
        if message.has_enclosures() {
            return self.send_enclosing(to, message).await;
        }
        let body = Body::builder().text(utf8(&message.text)?).html(utf8(&message.html)?).build();
        let mail = Message::builder().subject(utf8(&message.subject)?).body(body).build();
        let to = Destination::builder().to_addresses(to).build();
        let sent = self.mail.send_email().source(&self.from).destination(to).message(mail).send().await;
        sent.map(drop).map_err(|error| sorted("SES", &error))
    }

    async fn send_enclosing(&self, to: &str, message: &Composed) -> Result<(), SendError> {
        let written = mime::message(&self.from, to, message).map_err(|error| SendError::Refused(error.to_string()))?;
        let raw = RawMessage::builder().data(Blob::new(written)).build();
        let raw = raw.map_err(|error| SendError::Unavailable(error.to_string()))?;
        let sent = self.mail.send_raw_email().source(&self.from).destinations(to).raw_message(raw).send().await;
        sent.map(drop).map_err(|error| sorted("SES", &error))
    }

    async fn send_text(&self, to: &str, message: &Composed) -> Result<(), SendError> {
        let sent = self.messages.publish().phone_number(to).message(message.message.as_str()).send().await;
        sent.map(drop).map_err(|error| sorted("SNS", &error))
    }

    async fn push(&self, to: &str, message: &Composed) -> Result<(), SendError> {
        let publish = self.messages.publish().target_arn(to).message_structure("json").message(message.push_payload());
        publish.send().await.map(drop).map_err(|error| sorted("SNS", &error))
    }
}

impl MessageSender for AwsSender {
    async fn send(&self, to: Address<'_>, message: &Composed) -> Result<(), SendError> {
        match to {
            Address::Email(email) => self.send_mail(email.as_str(), message).await,
            Address::Phone(phone) => self.send_text(phone.as_str(), message).await,
            Address::Device(endpoint) => self.push(endpoint.as_str(), message).await,
        }
    }
}

fn utf8(text: &str) -> Result<Content, SendError> {
    let refused = |error: BuildError| SendError::Unavailable(error.to_string());
    Content::builder().charset("UTF-8").data(text).build().map_err(refused)
}

/// A service's verdict on this message or address, by name only, because its text repeats the address.
const FINAL: [&str; 9] = [
    "MessageRejected",
    "InvalidParameterValue",
    "InvalidParameter",
    "InvalidParameterException",
    "ParameterValueInvalid",
    "EndpointDisabled",
    "PlatformApplicationDisabled",
    "OptedOut",
    "NotFound",
];

fn sorted<E, R>(service: &str, error: &SdkError<E, R>) -> SendError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    match error {
        SdkError::ServiceError(answer) => match answer.err().code() {
            Some(code) if FINAL.contains(&code) => SendError::Refused(format!("{service} refused the message: {code}")),
            code => SendError::Unavailable(format!(
                "{service} did not take the message: {}",
                code.unwrap_or("it did not say why")
            )),
        },
        SdkError::ConstructionFailure(_) => SendError::Unavailable(format!("{service} could not be asked")),
        SdkError::DispatchFailure(failure)
            if failure.is_timeout() || failure.as_connector_error().is_some_and(|error| never_connected(error)) =>
        {
            SendError::Unavailable(format!("{service} could not be reached"))
        }
        _ => SendError::Unanswered(format!("{service} did not answer")),
    }
}

/// Whether an error is one of making a connection: then nothing was sent. A timeout of the connector's is always of that.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable)) {
            return true;
        }
        cause = error.source();
    }
    false
}
