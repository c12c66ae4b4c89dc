//! The messages that carry a token, and who sends them.
//!
//! A token must stand in no event and in no table, so these do not go by the notifications' way: `send-account-mail` makes the token, keeps its hash and
//! hands the mail to SES, or the text message to SNS. It is invoked without waiting, whether the address is known or not, so that neither an answer nor its time tells.
//! The mails name nobody and have no link: a name that somebody else chose is no way to write to the owner of an address.

use crate::proof::{ProofToken, Purpose};
use aws_sdk_lambda::{Client, primitives::Blob, types::InvocationType};
use aws_sdk_ses::types::{Body, Content, Destination, Message};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Email, PhoneNumber, Timestamp, UserId};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// A request to `send-account-mail`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, tag = "purpose")]
pub enum Wanted {
    /// A token to choose a new password, for whoever has this address, should anybody.
    #[serde(rename = "PASSWORD_RESET")]
    PasswordReset {
        /// The address, as it was typed.
        email: Email,
    },
    /// A token to verify the address of this user.
    #[serde(rename = "EMAIL_VERIFICATION", rename_all = "camelCase")]
    EmailVerification {
        /// The user.
        user_id: UserId,
    },
    /// A token to verify the telephone number of this user.
    #[serde(rename = "PHONE_VERIFICATION", rename_all = "camelCase")]
    PhoneVerification {
        /// The user.
        user_id: UserId,
    },
}

/// A token that is kept, and about whose account.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: ProofToken,
    /// When the account was registered.
    pub registered_at: Timestamp,
}

/// The function `send-account-mail`.
#[derive(Debug, Clone)]
pub struct MailFunction {
    lambda: Client,
    name: String,
}

impl MailFunction {
    /// The function of this name.
    pub fn new(lambda: Client, name: impl Into<String>) -> Self {
        Self { lambda, name: name.into() }
    }

    /// The function that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(lambda: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(lambda, config::required("ACCOUNT_MAIL_FUNCTION")?))
    }

    /// Asks for a mail, and does not wait for it.
    ///
    /// # Errors
    /// When Lambda does not take the request.
    pub async fn ask(&self, wanted: &Wanted) -> Result<(), StoreError> {
        let payload = serde_json::to_vec(wanted).map_err(|error| StoreError::malformed("request", error))?;
        let call = self.lambda.invoke().function_name(&self.name).invocation_type(InvocationType::Event);
        call.payload(Blob::new(payload)).send().await.map(drop).map_err(StoreError::from_sdk)
    }
}

/// Sends the mails.
#[derive(Debug, Clone)]
pub struct Mailer {
    ses: aws_sdk_ses::Client,
    sns: aws_sdk_sns::Client,
    from: String,
}

impl Mailer {
    /// A mailer in the name of this address, which SES must know as verified.
    pub fn new(ses: aws_sdk_ses::Client, sns: aws_sdk_sns::Client, from: impl Into<String>) -> Self {
        Self { ses, sns, from: from.into() }
    }

    /// In the name that the environment gives.
    ///
    /// # Errors
    /// When it gives none.
    pub fn from_env(ses: aws_sdk_ses::Client, sns: aws_sdk_sns::Client) -> Result<Self, ConfigError> {
        Ok(Self::new(ses, sns, config::required("NOTIFICATION_SENDER")?))
    }

    /// Texts this token to a telephone.
    ///
    /// # Errors
    /// When SNS does not take the message.
    pub async fn text(&self, to: &PhoneNumber, issued: &Issued) -> Result<(), StoreError> {
        let (_, text) = written(Purpose::PhoneVerification, std::slice::from_ref(issued));
        let sent = self.sns.publish().phone_number(to.as_str()).message(text).send().await;
        sent.map(drop).map_err(StoreError::from_sdk)
    }

    /// Sends these tokens to a mail address.
    ///
    /// # Errors
    /// When SES does not take the mail.
    pub async fn send(&self, purpose: Purpose, to: &Email, issued: &[Issued]) -> Result<(), StoreError> {
        let (subject, text) = written(purpose, issued);
        let utf8 = |text: &str| {
            let content = Content::builder().charset("UTF-8").data(text).build();
            content.map_err(|error| StoreError::Broken(error.to_string()))
        };
        let body = Body::builder().text(utf8(&text)?).build();
        let message = Message::builder().subject(utf8(subject)?).body(body).build();
        let to = Destination::builder().to_addresses(to.as_str()).build();
        let sent = self.ses.send_email().source(&self.from).destination(to).message(message).send().await;
        sent.map(drop).map_err(StoreError::from_sdk)
    }
}

/// Subject and text.
fn written(purpose: Purpose, issued: &[Issued]) -> (&'static str, String) {
    let tokens: Vec<_> = match issued {
        [one] => vec![one.token.reveal().to_owned()],
        several => several.iter().map(|one| format!("{}\n{}", account(one), one.token.reveal())).collect(),
    };
    let token = tokens.join("\n\n");
    match purpose {
        Purpose::PasswordReset => (
            "Your new password",
            format!(
                "A new password was requested for your Box Office account. Use this code to choose one. It works once, within 30 minutes:\n\n{token}\n\n\
                 If you did not request it, ignore this message: your password stays.\n"
            ),
        ),
        Purpose::EmailVerification => (
            "Verify your email address",
            format!(
                "Use this code to verify your email address. It works once, within one day:\n\n{token}\n\n\
                 If you have no Box Office account, ignore this message.\n"
            ),
        ),
        Purpose::PhoneVerification => {
            ("", format!("{token} is your Box Office code to verify this number. It works once, within 15 minutes."))
        }
    }
}

/// Tells one account of an address from another, by nothing that whoever registered it chose.
fn account(issued: &Issued) -> String {
    let registered: String = issued.registered_at.to_string().replace('T', " ").chars().take(16).collect();
    format!("For the account registered on {registered} UTC:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_testing::Listener;
    use serde_json::json;

    #[tokio::test]
    async fn a_mail_is_asked_for_and_not_waited_for() {
        let lambda = Listener::answering(|_, _| (202, json!({})));
        let function = MailFunction::new(Client::new(&lambda.sdk_config()), "send-account-mail");
        function.ask(&Wanted::PasswordReset { email: "ada@example.org".parse().unwrap() }).await.unwrap();
        let asked = json!({ "purpose": "PASSWORD_RESET", "email": "ada@example.org" });
        assert_eq!(lambda.heard(), [("invocations".to_owned(), asked)]);
    }

    #[test]
    fn a_mail_has_its_token_and_no_link() {
        for purpose in [Purpose::PasswordReset, Purpose::EmailVerification, Purpose::PhoneVerification] {
            let issued = issued(purpose, "2030-01-01T00:00:00Z");
            let (_, text) = written(purpose, std::slice::from_ref(&issued));
            assert!(text.contains(issued.token.reveal()) && !text.contains("://"), "{text}");
            assert!(!text.contains("registered"), "{text}");
        }
    }

    #[test]
    fn a_mail_about_several_accounts_says_when_each_was_registered() {
        let both = ["2030-01-01T08:05:00Z", "2030-02-01T00:00:00Z"].map(|at| issued(Purpose::PasswordReset, at));
        let (_, text) = written(Purpose::PasswordReset, &both);
        for (issued, at) in both.iter().zip(["2030-01-01 08:05 UTC", "2030-02-01 00:00 UTC"]) {
            assert!(text.contains(&format!("{at}:\n{}", issued.token.reveal())), "{text}");
        }
    }

    fn issued(purpose: Purpose, at: &str) -> Issued {
        Issued { token: ProofToken::issue(purpose).unwrap(), registered_at: at.parse().unwrap() }
    }
}
