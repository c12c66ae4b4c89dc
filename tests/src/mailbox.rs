//! Messages sent to people: mails and text messages, as a local stack keeps them in place of delivering them.

use crate::{
    Failure, Outcome,
    http::Http,
    stack::Stack,
    wait::{Look, SOON, until},
};
use mail_parser::{MessageParser, MimeHeaders as _};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A device that takes no push messages any more, by its endpoint at SNS. The embedded emulator names the endpoints it makes as AWS names
/// something else, so one that does take them cannot be had there; the store tests deliver to one of moto's.
pub const DEVICE_THAT_IS_GONE: &str = "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/boxoffice/gone";

/// Everybody's mail and text messages.
#[derive(Debug, Clone)]
pub struct Mailbox {
    keeper: Option<Keeper>,
}

/// The keeper of sent messages: each emulator has its own way. AWS delivers them.
#[derive(Debug, Clone)]
enum Keeper {
    Embedded(Http),
    LocalStack(Http),
}

const EMBEDDED_MAILS: [&str; 3] = ["_ministack", "ses", "messages"];

/// A mail as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mail {
    /// In whose name.
    pub source: String,
    /// To whom.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body_text: String,
    /// The same as a page.
    pub body_html: Option<String>,
    /// Its pictures and files.
    #[serde(skip)]
    pub enclosed: Vec<Enclosed>,
}

/// A picture or file of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosed {
    /// Its type, such as `image/png`.
    pub kind: String,
    /// The name by which the page shows it.
    pub content_id: Option<String>,
    /// The picture or file itself.
    pub content: Vec<u8>,
}

impl Mail {
    /// The mail that was handed over as one message.
    fn read(source: String, raw: &str) -> Outcome<Self> {
        let unread = || Failure::new(format!("{raw} is no mail"));
        let read = MessageParser::new().parse(raw).ok_or_else(unread)?;
        let to = read.to().into_iter().flat_map(|to| to.iter());
        let text = |text: std::borrow::Cow<'_, str>| text.replace("\r\n", "\n");
        let enclosed = read.parts.iter().filter_map(|part| {
            let kind = part.content_type()?;
            let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default());
            let is_enclosed = !kind.starts_with("multipart/") && !["text/plain", "text/html"].contains(&kind.as_str());
            let content_id = part.content_id().map(ToOwned::to_owned);
            is_enclosed.then(|| Enclosed { kind, content_id, content: part.contents().to_vec() })
        });
        Ok(Self {
            source,
            to: to.filter_map(|to| to.address().map(ToOwned::to_owned)).collect(),
            subject: read.subject().unwrap_or_default().to_owned(),
            body_text: read.body_text(0).map(text).unwrap_or_default(),
            body_html: read.body_html(0).map(text),
            enclosed: enclosed.collect(),
        })
    }

    /// The pictures or files of this type.
    pub fn enclosed_as<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Enclosed> {
        self.enclosed.iter().filter(move |enclosed| enclosed.kind == kind)
    }
}

#[derive(Deserialize)]
struct EmbeddedMails {
    /// By account.
    messages: BTreeMap<String, Vec<EmbeddedMail>>,
}

/// The raw message is there for one that was handed over so (`localstack/emulator.py`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EmbeddedMail {
    raw_data: Option<String>,
    #[serde(flatten)]
    mail: Mail,
}

impl EmbeddedMail {
    fn mail(self) -> Outcome<Mail> {
        match self.raw_data {
            Some(raw) => Mail::read(self.mail.source, &raw),
            None => Ok(self.mail),
        }
    }
}

#[derive(Deserialize)]
struct LocalStackMails {
    messages: Vec<LocalStackMail>,
}

/// <https://docs.localstack.cloud/aws/services/ses>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LocalStackMail {
    source: String,
    /// The message, where it was handed over as one: then there is nothing else.
    raw_data: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    body: LocalStackBody,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    to_addresses: Vec<String>,
}

#[derive(Default, Deserialize)]
struct LocalStackBody {
    text_part: String,
    html_part: Option<String>,
}

impl LocalStackMail {
    fn mail(self) -> Outcome<Mail> {
        let Self { source, raw_data, destination, subject, body } = self;
        if let Some(raw) = raw_data {
            return Mail::read(source, &raw);
        }
        let LocalStackBody { text_part, html_part } = body;
        let (to, body_text, body_html, enclosed) = (destination.to_addresses, text_part, html_part, Vec::new());
        Ok(Mail { source, to, subject, body_text, body_html, enclosed })
    }
}

#[derive(Deserialize)]
struct Texts {
    /// By number.
    sms_messages: BTreeMap<String, Vec<Text>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    message: String,
}

impl Mailbox {
    pub(crate) async fn of(stack: &Stack) -> Outcome<Self> {
        let Some(http) = stack.aws_endpoint.as_deref().map(Http::new).transpose()? else {
            return Ok(Self { keeper: None });
        };
        // Asked for its way, not for its name.
        let embedded = http.get(EMBEDDED_MAILS).send().await?.status == 200;
        Ok(Self { keeper: Some(if embedded { Keeper::Embedded(http) } else { Keeper::LocalStack(http) }) })
    }

    fn keeper(&self) -> Outcome<&Keeper> {
        self.keeper.as_ref().ok_or_else(|| Failure::new("AWS delivers messages, and nobody can read them back there"))
    }

    /// Every mail to this address, oldest first.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn mails_to(&self, address: &str) -> Outcome<Vec<Mail>> {
        let all: Vec<Mail> = match self.keeper()? {
            Keeper::Embedded(http) => {
                let mails: EmbeddedMails = http.get(EMBEDDED_MAILS).send().await?.answer(200)?;
                mails.messages.into_values().flatten().map(EmbeddedMail::mail).collect::<Outcome<_>>()?
            }
            Keeper::LocalStack(http) => {
                let mails: LocalStackMails = http.get(["_aws", "ses"]).send().await?.answer(200)?;
                mails.messages.into_iter().map(LocalStackMail::mail).collect::<Outcome<_>>()?
            }
        };
        Ok(all.into_iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect())
    }

    /// Waits for the mail to this address whose subject says this.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn until_mailed_about(&self, address: &str, subject: &str) -> Outcome<Mail> {
        until(format_args!("a mail about {subject:?} has come to {address}"), SOON, async || {
            let mails = self.mails_to(address).await?;
            let subjects = format!("{:?}", mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
            let found = mails.into_iter().find(|mail| mail.subject.contains(subject));
            Ok(found.map_or(Look::NotYet(subjects), Look::Done))
        })
        .await
    }

    /// Waits until so many mails have come to this address.
    ///
    /// # Errors
    /// When they do not.
    pub async fn until_mailed(&self, address: &str, times: usize) -> Outcome<Vec<Mail>> {
        until(format_args!("{times} mails have come to {address}"), SOON, async || {
            let mails = self.mails_to(address).await?;
            Ok(Look::done_if(mails.len() >= times, mails))
        })
        .await
    }

    /// Every text message to this number, oldest first.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn texts_to(&self, phone: &str) -> Outcome<Vec<String>> {
        let request = match self.keeper()? {
            Keeper::Embedded(http) => http.get(["_ministack", "sns", "sms-messages"]),
            Keeper::LocalStack(http) => http.get(["_aws", "sns", "sms-messages"]),
        };
        let mut all: Texts = request.query("phoneNumber", phone).send().await?.answer(200)?;
        let texts = all.sms_messages.remove(phone).unwrap_or_default();
        Ok(texts.into_iter().map(|text| text.message).collect())
    }
}
