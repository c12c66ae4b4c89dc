//! Check-in lists, the devices that scan for them, and passages. No I/O; who passes is decided by `boxoffice-admission`.

use crate::domain::{event_tag, unix};
use boxoffice_admission::{Direction, Last, List, Nonce};
use boxoffice_kernel::{AdmissionId, CheckInListId, DeviceId, InventoryId, Text, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::str::FromStr;

/// How long before its event a list opens, unless it says otherwise.
pub const OPENS_BEFORE_SECONDS: u32 = 12 * 3600;
/// How long after the event's beginning a list closes, unless it says otherwise.
pub const CLOSES_AFTER_SECONDS: u32 = 24 * 3600;
/// The most gates of a list.
pub const MOST_GATES: usize = 100;
/// For how long an invitation may be taken up.
pub const INVITATION_SECONDS: u32 = 24 * 3600;

/// A check-in list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckInList {
    /// Its id.
    pub id: CheckInListId,
    /// The event.
    pub inventory_id: InventoryId,
    /// Its name, for staff.
    pub name: Text<100>,
    /// Its gates; none: one gate, 0.
    pub gates: Vec<u16>,
    /// Whether exits are scanned.
    pub exits: bool,
    /// Whether somebody who left may come in again.
    pub reentry: bool,
    /// When it begins to admit.
    pub opens_at: Timestamp,
    /// When it admits no more.
    pub closes_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl CheckInList {
    /// The rules of the door.
    pub fn rules(&self) -> List {
        List {
            event: event_tag(self.inventory_id),
            types: Vec::new(),
            gates: self.gates.clone(),
            exits: self.exits,
            reentry: self.reentry,
            entitled: Vec::new(),
            opens: unix(self.opens_at),
            closes: unix(self.closes_at),
        }
    }
}

/// Whether a device scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = DeviceStatus)]
pub enum DeviceState {
    /// Its one-time token has not been used.
    Invited,
    /// It scans until its end.
    Enrolled,
    /// Staff ended it.
    Ended,
}

impl DeviceState {
    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invited => "INVITED",
            Self::Enrolled => "ENROLLED",
            Self::Ended => "ENDED",
        }
    }
}

/// A device that scans for one list at some of its gates, and may do nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// The list it scans for.
    pub list_id: CheckInListId,
    /// The event of the list.
    pub inventory_id: InventoryId,
    /// Its name, for staff.
    pub label: Text<60>,
    /// The gates that it may scan at.
    pub gates: Vec<u16>,
    /// Whether it scans.
    pub state: DeviceState,
    /// The hash of the token that stands: the one-time token of an invited device, the bearer token of an enrolled one.
    pub token_hash: TokenHash,
    /// Until when the one-time token may be used.
    pub invited_until: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// The number of its last event.
    pub version: u64,
    /// When it was invited.
    pub created_at: Timestamp,
}

/// Why a device may not do what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The token is not the one that stands.
    #[error("the token is not valid")]
    Token,
    /// The device has ended.
    #[error("the device ended")]
    Ended,
    /// The list or the gate is not the device's.
    #[error("the device does not scan there")]
    Scope,
}

impl Device {
    /// Whether a device that shows this secret may scan now.
    ///
    /// # Errors
    /// When it may not.
    pub fn scans(&self, secret: &str, now: Timestamp) -> Result<(), NotAllowed> {
        if self.token_hash != TokenHash::of(secret) || self.state == DeviceState::Invited {
            return Err(NotAllowed::Token);
        }
        if self.state == DeviceState::Ended || self.ends_at <= now { Err(NotAllowed::Ended) } else { Ok(()) }
    }

    /// Whether it scans for this list at this gate.
    ///
    /// # Errors
    /// When it does not.
    pub fn stands_at(&self, list: CheckInListId, gate: u16) -> Result<(), NotAllowed> {
        let at_gate = if self.gates.is_empty() { gate == 0 } else { self.gates.contains(&gate) };
        if self.list_id == list && at_gate { Ok(()) } else { Err(NotAllowed::Scope) }
    }

    /// The device, enrolled with this bearer token in place of its one-time token.
    ///
    /// # Errors
    /// When the one-time token is another, was used, or is too old.
    pub fn enrol(&self, secret: &str, bearer: &str, now: Timestamp) -> Result<Self, NotAllowed> {
        if self.state != DeviceState::Invited || self.token_hash != TokenHash::of(secret) || self.invited_until <= now {
            return Err(NotAllowed::Token);
        }
        Ok(Self {
            state: DeviceState::Enrolled,
            token_hash: TokenHash::of(bearer),
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// The device, ended.
    #[must_use]
    pub fn end(&self) -> Self {
        Self { state: DeviceState::Ended, version: self.version + 1, ..self.clone() }
    }
}

/// The SHA-256 of a token's secret, in hexadecimal digits. The secret is random, so no salt is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of this secret.
    pub fn of(secret: &str) -> Self {
        Self(hex(digest(&SHA256, secret.as_bytes()).as_ref()))
    }
}

/// A device's token: the device, and a secret. It does not print itself.
pub struct DeviceToken {
    /// The device.
    pub device: DeviceId,
    secret: String,
}

impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceToken").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Why a string is not a device's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a device's token")]
pub struct InvalidToken;

impl DeviceToken {
    /// A new token for this device; nothing where the machine has no randomness to give.
    pub fn generate(device: DeviceId) -> Option<Self> {
        let random: [u8; 32] = ring::rand::generate(&ring::rand::SystemRandom::new()).ok()?.expose();
        Some(Self { device, secret: hex(&random) })
    }

    /// The secret.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The token as the device sends it.
    pub fn text(&self) -> String {
        format!("{}.{}", self.device, self.secret)
    }
}

impl FromStr for DeviceToken {
    type Err = InvalidToken;
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (device, secret) = text.split_once('.').ok_or(InvalidToken)?;
        let device = device.parse().map_err(|_| InvalidToken)?;
        let is_secret = secret.len() == 64 && secret.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_secret.then(|| Self { device, secret: secret.to_owned() }).ok_or(InvalidToken)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// In or out, on the wire and in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Way {
    /// In.
    Entry,
    /// Out.
    Exit,
}

impl Way {
    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "ENTRY",
            Self::Exit => "EXIT",
        }
    }

    /// As the rules have it.
    pub fn direction(self) -> Direction {
        match self {
            Self::Entry => Direction::Entry,
            Self::Exit => Direction::Exit,
        }
    }
}

/// A scan's nonce: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanNonce(pub Nonce);

impl std::fmt::Display for ScanNonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0.0))
    }
}

impl FromStr for ScanNonce {
    type Err = InvalidNonce;
    fn from_str(text: &str) -> Result<Self, InvalidNonce> {
        let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits).ok_or(InvalidNonce)?;
        Ok(Self(Nonce(number.to_be_bytes())))
    }
}

/// Why a string is not a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 lowercase hexadecimal digits, random for each scan and the same when it is sent again")]
pub struct InvalidNonce;

impl Serialize for ScanNonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScanNonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

boxoffice_kernel::schema::string_schema!(ScanNonce, {
    pattern: "^[0-9a-f]{32}$",
    example: "0123456789abcdef0123456789abcdef"
});

/// The last passage of an admission through a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passage {
    /// The list.
    pub list_id: CheckInListId,
    /// The admission.
    pub admission_id: AdmissionId,
    /// Where it led; nothing once a supervisor has undone the only passage there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Where the passage before led, to which an undo goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Way>,
    /// The scan that made it.
    pub nonce: ScanNonce,
    /// The gate.
    pub gate: u16,
    /// The device.
    pub device_id: DeviceId,
    /// The device's name.
    pub device_label: Text<60>,
    /// When.
    pub at: Timestamp,
    /// The number of its last event.
    pub version: u64,
}

impl Passage {
    /// As the rules have it.
    pub fn last(&self) -> Option<Last> {
        self.way.map(|way| Last { direction: way.direction(), nonce: self.nonce.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(now: Timestamp) -> (Device, DeviceToken) {
        let token = DeviceToken::generate(DeviceId::generate()).unwrap();
        let device = Device {
            id: token.device,
            list_id: CheckInListId::generate(),
            inventory_id: InventoryId::generate(),
            label: "North".parse().unwrap(),
            gates: vec![1, 2],
            state: DeviceState::Invited,
            token_hash: TokenHash::of(token.secret()),
            invited_until: now.plus_seconds(60),
            ends_at: now.plus_seconds(120),
            version: 1,
            created_at: now,
        };
        (device, token)
    }

    #[test]
    fn a_one_time_token_enrols_once_and_scans_nothing() {
        let now = Timestamp::now();
        let (device, once) = device(now);
        let bearer = DeviceToken::generate(device.id).unwrap();
        assert_eq!(device.scans(once.secret(), now), Err(NotAllowed::Token));
        assert_eq!(device.enrol(once.secret(), bearer.secret(), now.plus_seconds(60)), Err(NotAllowed::Token));
        let enrolled = device.enrol(once.secret(), bearer.secret(), now).unwrap();
        assert_eq!(enrolled.enrol(once.secret(), bearer.secret(), now), Err(NotAllowed::Token));
        assert_eq!(enrolled.scans(once.secret(), now), Err(NotAllowed::Token));
        assert_eq!(enrolled.scans(bearer.secret(), now), Ok(()));
    }

    #[test]
    fn a_device_ends_by_itself_and_by_its_staff() {
        let now = Timestamp::now();
        let (device, once) = device(now);
        let enrolled = device.enrol(once.secret(), "bearer", now).unwrap();
        assert_eq!(enrolled.scans("bearer", now.plus_seconds(120)), Err(NotAllowed::Ended));
        assert_eq!(enrolled.end().scans("bearer", now), Err(NotAllowed::Ended));
    }

    #[test]
    fn a_device_stands_at_its_gates_only() {
        let (device, _) = device(Timestamp::now());
        assert_eq!(device.stands_at(device.list_id, 2), Ok(()));
        assert_eq!(device.stands_at(device.list_id, 3), Err(NotAllowed::Scope));
        assert_eq!(device.stands_at(CheckInListId::generate(), 2), Err(NotAllowed::Scope));
    }

    #[test]
    fn a_token_reads_back_and_does_not_print_itself() {
        let token = DeviceToken::generate(DeviceId::generate()).unwrap();
        let read: DeviceToken = token.text().parse().unwrap();
        assert_eq!((read.device, read.secret()), (token.device, token.secret()));
        assert!(!format!("{token:?}").contains(token.secret()));
        for bad in ["", ".", "dev_1.x", &token.text().to_uppercase(), &format!("{}0", token.text())] {
            assert!(bad.parse::<DeviceToken>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_nonce_has_one_spelling() {
        let text = "00ff456789abcdef0123456789abcdef";
        assert_eq!(text.parse::<ScanNonce>().unwrap().to_string(), text);
        for bad in ["", "0", &text.to_uppercase(), &text.replace('0', "+")] {
            assert!(bad.parse::<ScanNonce>().is_err(), "{bad}");
        }
    }
}
