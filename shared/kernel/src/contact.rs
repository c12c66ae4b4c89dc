//! Where a message reaches a user, and by which channel.

use crate::{Text, unicode};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, str::FromStr};

/// How a user wants their messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// By mail.
    #[default]
    Email,
    /// As a text message.
    Sms,
    /// On a device.
    Push,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Email, Self::Sms, Self::Push];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
            Self::Push => "PUSH",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a string is not a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be EMAIL, SMS or PUSH")]
pub struct InvalidChannel;

impl FromStr for Channel {
    type Err = InvalidChannel;
    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        Self::ALL.into_iter().find(|channel| channel.name() == text).ok_or(InvalidChannel)
    }
}

/// Why a string is not where a message could go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContact {
    /// Not a mail address.
    #[error("must be a mail address of at most 254 characters, ASCII before the @, such as ada@example.org")]
    Email,
    /// Not a telephone number.
    #[error("must be a telephone number in E.164, such as +14155550123")]
    Phone,
    /// Not a device.
    #[error("must be the ARN of an SNS platform endpoint")]
    Push,
}

/// A mail address ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321)), kept in ASCII, for that is what SES delivers to: an international domain by its
/// ASCII form ([`unicode::mail_domain`]).
///
/// Addresses that differ only in case are one address ([`Email::canonical`]).
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The address as its owner spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The spelling that is unique.
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Not the address: it is personal, and `{:?}` goes to logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl FromStr for Email {
    type Err = InvalidContact;
    fn from_str(text: &str) -> Result<Self, InvalidContact> {
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidContact::Email)?;
        let domain = unicode::mail_domain(domain).ok_or(InvalidContact::Email)?;
        let text = format!("{local}@{domain}");
        let options =
            email_address::Options::default().without_domain_literal().without_display_text().with_required_tld();
        let harmless = text.len() <= 254 && text.is_ascii() && !text.contains(['"', ' ', '<', '>', '\\']);
        match email_address::EmailAddress::parse_with_options(&text, options) {
            Ok(_) if harmless => Ok(Self(text)),
            _ => Err(InvalidContact::Email),
        }
    }
}

/// A telephone number in E.164.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidContact;
    fn from_str(text: &str) -> Result<Self, InvalidContact> {
        let digits = text.strip_prefix('+').ok_or(InvalidContact::Phone)?;
        let valid = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        valid.then(|| Self(text.to_owned())).ok_or(InvalidContact::Phone)
    }
}

/// A device that takes push messages: the ARN of its SNS platform endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct PushEndpoint(String);

impl PushEndpoint {
    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PushEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushEndpoint(…)")
    }
}

impl FromStr for PushEndpoint {
    type Err = InvalidContact;
    fn from_str(text: &str) -> Result<Self, InvalidContact> {
        let mut parts = text.splitn(6, ':');
        let mut next = |is_such: fn(&str) -> bool| parts.next().is_some_and(is_such);
        let valid = text.len() <= 512
            && next(|arn| arn == "arn")
            && next(|partition| matches!(partition, "aws" | "aws-cn" | "aws-us-gov"))
            && next(|service| service == "sns")
            && next(|region| {
                !region.is_empty()
                    && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            })
            && next(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
            && next(|resource| {
                let name = resource.strip_prefix("endpoint/").unwrap_or_default();
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte))
            });
        valid.then(|| Self(text.to_owned())).ok_or(InvalidContact::Push)
    }
}

macro_rules! deserialize_from_str {
    ($($name:ident),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

deserialize_from_str!(Email, PhoneNumber, PushEndpoint);

crate::schema::string_schema!(Email, { format: "email", max: 254, example: "ada@example.org" });
crate::schema::string_schema!(PhoneNumber, { pattern: r"^\+[1-9][0-9]{6,14}$", example: "+14155550123" });
crate::schema::string_schema!(PushEndpoint, {
    pattern: "^arn:(aws|aws-cn|aws-us-gov):sns:[a-z0-9-]+:[0-9]{12}:endpoint/[A-Za-z0-9_./-]+$",
    max: 512,
    example: "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/boxoffice/1"
});

/// Where a user is reached. The channel is their choice; what it needs is there, or the mail address is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The name to address them by.
    pub first_name: Text<50>,
    /// Their choice.
    pub channel: Channel,
    /// Always there.
    pub email: Email,
    /// Whether they showed that they read its mail.
    #[serde(default)]
    pub email_verified: bool,
    /// For SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneNumber>,
    /// Whether they showed that they read its text messages.
    #[serde(default)]
    pub phone_verified: bool,
    /// For push messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_endpoint: Option<PushEndpoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_addresses_are_checked_and_compared_without_case() {
        for good in ["ada@example.org", "Ada.Lovelace+tickets@mail.example.co.uk"] {
            assert!(good.parse::<Email>().is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "ada@localhost",
            "Ada <ada@example.org>",
            "a b@example.org",
            "ada@[127.0.0.1]",
            "ädä@example.org",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad} was accepted");
        }
        assert_eq!("Ada@Example.org".parse::<Email>().unwrap().canonical(), "ada@example.org");
        assert_eq!("Ada@Example.org".parse::<Email>().unwrap().as_str(), "Ada@Example.org");
    }

    #[test]
    fn a_mail_address_has_one_spelling_of_an_international_domain() {
        let spellings = ["ada@b\u{fc}cher.example", "Ada@BU\u{308}CHER.example", "ada@XN--BCHER-KVA.example"];
        for spelling in spellings {
            assert_eq!(spelling.parse::<Email>().unwrap().canonical(), "ada@xn--bcher-kva.example", "{spelling}");
        }
        assert_eq!("ada@ｅｘａｍｐｌｅ.org".parse::<Email>().unwrap().as_str(), "ada@example.org");
        assert!("ada@xn--99999999999.example".parse::<Email>().is_err());
    }

    #[test]
    fn telephone_numbers_are_e164() {
        assert!("+14155550123".parse::<PhoneNumber>().is_ok());
        for bad in ["14155550123", "+0123456789", "+1415", "+1415555012x", "+1234567890123456"] {
            assert!(bad.parse::<PhoneNumber>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_device_is_an_endpoint_of_sns() {
        assert!("arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/1".parse::<PushEndpoint>().is_ok());
        for bad in ["arn:aws:sns:us-east-1:000000000000:topic", "arn:aws:sqs:us-east-1:0:endpoint/x", "x", ""] {
            assert!(bad.parse::<PushEndpoint>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn personal_data_does_not_print() {
        let email: Email = "ada@example.org".parse().unwrap();
        assert!(!format!("{email:?}").contains("ada"));
    }
}
