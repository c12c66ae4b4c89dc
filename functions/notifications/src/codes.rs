//! The codes of a ticket's admissions, as pictures. They are asked for when a mail is sent, and kept nowhere: a code is as good as a banknote.
//!
//! The admissions context draws them, since it alone has the key that signs them (`docs/adr/0056-the-ticket-mail.md`).

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_lambda::{Client, primitives::Blob};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{AdmissionId, TicketId};
use boxoffice_runtime::config::{self, ConfigError};
use serde::{Deserialize, Deserializer, de};
use std::{fmt, time::Duration};

/// How long the codes of a ticket may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// The codes of a ticket, as far as a mail has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Codes {
    /// How many admissions the ticket has; none before it is confirmed.
    pub admissions: u32,
    /// The codes of the first of them; none when they are revoked.
    pub codes: Vec<TicketCode>,
}

/// A code as a picture.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketCode {
    /// The admission that it proves.
    pub admission_id: AdmissionId,
    /// Its number within the event.
    pub serial: u32,
    /// The picture, a PNG.
    #[serde(deserialize_with = "decoded")]
    pub png: Vec<u8>,
}

impl fmt::Debug for TicketCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketCode").field("admission_id", &self.admission_id).finish_non_exhaustive()
    }
}

fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    // The decoder's message would say which bytes are wrong.
    BASE64_STANDARD.decode(text.as_bytes()).map_err(|_| de::Error::custom("a picture is not in base64"))
}

impl TicketCode {
    /// The name by which the mail's page shows the picture ([RFC 2392](https://www.rfc-editor.org/rfc/rfc2392)).
    pub fn content_id(&self) -> String {
        format!("{}@boxoffice", self.admission_id)
    }
}

impl Codes {
    /// How many codes there are and how they are used, in words; nothing where there are none.
    pub fn note(&self) -> Option<String> {
        let (shown, all) = (self.codes.len(), self.admissions);
        let shown_are_all = u32::try_from(shown).is_ok_and(|shown| shown == all);
        match shown {
            0 => None,
            1 if shown_are_all => {
                Some("Your code is in this mail. It admits one person: show it at the door.".to_owned())
            }
            _ if shown_are_all => {
                Some(format!("Your {shown} codes are in this mail. Each admits one person: show it at the door."))
            }
            _ => Some(format!(
                "The first {shown} of your {all} codes are in this mail; the others are with your order. Each admits one person: show it at the door."
            )),
        }
    }
}

/// The source of codes.
pub trait TicketCodes: Send + Sync {
    /// The codes of this ticket, as they are now.
    ///
    /// # Errors
    /// When there is no answer.
    fn codes(&self, ticket: TicketId) -> impl Future<Output = Result<Codes, StoreError>> + Send;
}

/// The admissions context's function `draw-ticket-codes`.
#[derive(Debug, Clone)]
pub struct AdmissionsFunction {
    lambda: Client,
    name: String,
}

impl AdmissionsFunction {
    /// The function that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, ConfigError> {
        // A mail is a second call after this one, and both must end within the sender's 15 s.
        let timeouts = sdk.timeout_config().map(TimeoutConfig::to_builder).unwrap_or_default();
        let timeouts = timeouts.operation_timeout(PATIENCE).build();
        let sdk = sdk.to_builder().timeout_config(timeouts).build();
        Ok(Self::new(Client::new(&sdk), config::required("TICKET_CODES_FUNCTION")?))
    }

    /// The function of this name.
    pub fn new(lambda: Client, name: impl Into<String>) -> Self {
        Self { lambda, name: name.into() }
    }
}

impl TicketCodes for AdmissionsFunction {
    async fn codes(&self, ticket: TicketId) -> Result<Codes, StoreError> {
        let question = serde_json::json!({ "ticketId": ticket }).to_string();
        let call = self.lambda.invoke().function_name(&self.name).payload(Blob::new(question));
        let answer = call.send().await.map_err(StoreError::from_sdk)?;
        if let Some(error) = answer.function_error {
            return Err(StoreError::Unavailable(format!("{} failed: {error}", self.name)));
        }
        let drawn = answer.payload.map(Blob::into_inner).unwrap_or_default();
        serde_json::from_slice(&drawn).map_err(|error| StoreError::malformed("answer of draw-ticket-codes", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_testing::Listener;
    use serde_json::json;

    fn drawn(ticket: TicketId, places: u32) -> Vec<TicketCode> {
        let admissions = (1..=places).filter_map(|place| Some((ticket.admission(place)?, place)));
        admissions.map(|(admission_id, serial)| TicketCode { admission_id, serial, png: vec![0x89] }).collect()
    }

    #[tokio::test]
    async fn codes_are_those_that_the_function_draws_and_no_answer_is_none() {
        let ticket = TicketId::generate();
        let admission = ticket.admission(1).unwrap();
        let code = |png: &str| json!({ "admissionId": admission, "serial": 4711, "png": png });
        for (reply, expected) in [
            ((200, json!({ "admissions": 2, "codes": [code("iVBORw==")] })), Some((2, vec![b"\x89PNG".to_vec()]))),
            ((200, json!({ "admissions": 0, "codes": [] })), Some((0, vec![]))),
            ((200, json!({ "admissions": 1, "codes": [code("no base64")] })), None),
            ((200, json!(null)), None),
            ((400, json!({ "message": "no such function" })), None),
        ] {
            let lambda = Listener::answering(move |_, _| reply.clone());
            let function = AdmissionsFunction::new(Client::new(&lambda.sdk_config()), "draw-ticket-codes");
            let codes = function.codes(ticket).await.ok();
            let codes = codes.map(|it| (it.admissions, it.codes.into_iter().map(|code| code.png).collect()));
            assert_eq!(codes, expected);
            assert_eq!(lambda.heard(), [("invocations".to_owned(), json!({ "ticketId": ticket }))]);
        }
    }

    #[test]
    fn a_note_says_how_many_codes_there_are() {
        let ticket = TicketId::generate();
        let note = |shown, admissions| Codes { admissions, codes: drawn(ticket, shown) }.note();
        assert_eq!(note(0, 0), None);
        assert_eq!(note(0, 2), None);
        assert!(note(1, 1).unwrap().starts_with("Your code is in this mail."));
        assert!(note(2, 2).unwrap().starts_with("Your 2 codes are in this mail."));
        let most = note(60, 200).unwrap();
        assert!(most.starts_with("The first 60 of your 200 codes are in this mail; the others are"), "{most}");
    }

    #[test]
    fn a_code_is_in_no_log() {
        let code = drawn(TicketId::generate(), 1);
        assert!(!format!("{code:?}").contains("png"));
    }
}
