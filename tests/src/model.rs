//! The API's answers, as types.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::{collections::BTreeMap, fmt};

/// An amount of money as the API spells it: a number with at most two decimals, kept as cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub u64);

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spelling = serde_json::Number::deserialize(deserializer)?.to_string();
        let (units, decimals) = spelling.split_once('.').unwrap_or((&spelling, ""));
        if decimals.len() > 2 {
            return Err(de::Error::custom(format!("{spelling} has more than two decimals")));
        }
        format!("{units}{decimals:0<2}").parse().map(Self).map_err(de::Error::custom)
    }
}

/// As a JSON number: the API takes what it gives.
impl Serialize for Cents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number: serde_json::Number = self.to_string().parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Where an event's seats are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// Anyone may hold these.
    pub available: u32,
    /// Seats of tickets not yet paid, or reserved by hand.
    pub held: u32,
    /// Seats of confirmed tickets.
    pub sold: u32,
}

impl Seats {
    /// All of them.
    pub fn total(self) -> u32 {
        self.available + self.held + self.sold
    }
}

impl fmt::Display for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} available + {} held + {} sold", self.available, self.held, self.sold)
    }
}

/// An event on sale.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Inventory {
    pub id: String,
    pub event_name: String,
    pub event_date: String,
    pub total_seats: u32,
    pub available_seats: u32,
    pub held_seats: u32,
    pub sold_seats: u32,
    pub price: Cents,
    pub currency: String,
    pub location: String,
    pub on_sale: bool,
    pub version: u64,
    pub created_at: String,
    pub updated_at: String,
    /// Only in the answer to a reservation by hand.
    pub reservation_id: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct Page<T> {
    /// The page's items.
    pub items: Vec<T>,
    /// Leads to the next page; absent on the last.
    pub next: Option<String>,
}

/// A ticket's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub enum TicketStatus {
    Pending,
    Confirmed,
    Cancelled,
    Completed,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Ticket {
    pub id: String,
    pub user_id: String,
    pub inventory_id: String,
    pub event_name: String,
    pub event_date: String,
    pub quantity: u32,
    pub price_per_ticket: Cents,
    pub total_amount: Cents,
    pub currency: String,
    pub status: TicketStatus,
    pub payment_id: String,
    pub hold_expires_at: String,
    pub booking_date: String,
    pub cancellation_requested_at: Option<String>,
    pub cancellation_reason: Option<String>,
    pub version: u64,
    pub created_at: String,
    pub updated_at: String,
}

/// A payment's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub enum PaymentStatus {
    Pending,
    Processing,
    Success,
    Failed,
    Refunded,
    Expired,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Payment {
    pub id: String,
    pub ticket_id: String,
    pub user_id: String,
    pub amount: Cents,
    pub currency: String,
    pub payment_method: String,
    pub status: PaymentStatus,
    pub transaction_id: String,
    pub next_action: Option<NextAction>,
    pub last_error: Option<String>,
    pub tries_left: u32,
    pub failure_reason: Option<String>,
    pub refund_reason: Option<String>,
    pub payable_until: String,
    pub version: u64,
    pub created_at: String,
    pub updated_at: String,
    /// Only an ADMIN sees a payment that was deleted.
    pub deleted_at: Option<String>,
}

/// The act that the buyer owes before a payment can succeed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct NextAction {
    pub redirect_url: Option<String>,
    pub client_secret: String,
}

/// Somebody with a log-in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct User {
    pub id: String,
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub role: String,
    pub notification_channel: String,
    pub phone: Option<String>,
    pub push_endpoint: Option<String>,
    pub version: u64,
    pub created_at: String,
    pub updated_at: String,
}

/// The answer to a log-in, and to a renewal of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct LogIn {
    pub access_token: String,
    pub token_type: String,
    pub expires_in: u64,
    pub refresh_token: String,
    pub refresh_expires_in: u64,
    pub device_token: Option<String>,
    pub user: User,
}

/// A message's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub enum NotificationStatus {
    Pending,
    Sent,
    Failed,
}

/// A message to a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Notification {
    pub id: String,
    pub user_id: String,
    pub message: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub status: NotificationStatus,
    pub template: String,
    pub created_at: String,
    pub sent_at: Option<String>,
    pub failure_reason: Option<String>,
    pub attempts: u32,
    pub event_id: Option<String>,
}

/// An event's seats that were held, sold and given back, and the money of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Figures {
    pub held: i64,
    pub sold: i64,
    pub cancelled: i64,
    pub revenue: Cents,
    pub refunds: Cents,
}

/// How an event sells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Sales {
    pub inventory_id: String,
    pub event_name: String,
    pub currency: String,
    #[serde(flatten)]
    pub total: Figures,
    pub by_hour: Vec<Hour>,
    pub as_of: Option<String>,
}

/// How it sold in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Hour {
    pub hour: String,
    #[serde(flatten)]
    pub figures: Figures,
}

/// How a booking's saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub enum SagaStatus {
    Started,
    InProgress,
    Completed,
    Compensating,
    Compensated,
    NeedsAttention,
}

/// The record of a booking's saga.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Saga {
    pub saga_id: String,
    pub ticket_id: String,
    pub status: SagaStatus,
    pub started_at: String,
    pub completed_at: Option<String>,
    pub compensation_reason: Option<String>,
    pub steps: Vec<Step>,
}

impl Saga {
    /// The step of this name, had it run.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.step_name == name)
    }

    /// The steps and how each went, one a line.
    pub fn transcript(&self) -> String {
        let lines = self.steps.iter().map(|step| {
            let error = step.error_code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            format!("{} {}{error}\n", step.step_name, step.status)
        });
        lines.collect()
    }
}

/// One step's last run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct Step {
    pub step_name: String,
    pub status: String,
    pub attempt: u32,
    pub started_at: String,
    pub executed_at: String,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
}

/// The findings of the health check.
#[derive(Debug, Clone, Deserialize)]
pub struct Health {
    /// `UP`, `DEGRADED` or `DOWN`: the worst of the checks. A stranger is never told `DEGRADED`.
    pub status: String,
    /// The parts that were checked, for an ADMIN.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// One thing the health check looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The name.
    pub name: String,
    /// `UP`, `DEGRADED` or `DOWN`.
    pub status: String,
    /// How long it took to answer.
    pub latency_ms: f64,
}

/// A refusal: RFC 9457 problem details.
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// The kind of problem, for programs.
    pub code: String,
    /// This occurrence in words.
    pub detail: String,
    /// The field, parameter or header at fault.
    pub field: Option<String>,
}

/// An event, as the event store keeps it and the bus carries it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DomainEvent {
    /// The facts that the platform needs.
    pub metadata: EventMetadata,
    /// The facts that the event states.
    pub data: BTreeMap<String, serde_json::Value>,
}

/// The facts that the platform needs of an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the API's own names, described in its README")]
pub struct EventMetadata {
    pub event_id: String,
    pub event_type: String,
    pub schema_version: u16,
    pub aggregate_id: String,
    pub aggregate_version: u64,
    pub occurred_at: String,
    pub correlation_id: String,
    pub causation_id: String,
    pub actor: String,
    pub client_correlation_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_written_to_the_cent() {
        for (json, cents) in [("49.9", 4990), ("49.90", 4990), ("5", 500), ("0.01", 1), ("5.0", 500)] {
            assert_eq!(serde_json::from_str::<Cents>(json).unwrap(), Cents(cents), "{json}");
        }
        assert!(serde_json::from_str::<Cents>("0.001").is_err());
        assert_eq!(serde_json::to_string(&Cents(4990)).unwrap(), "49.9");
    }
}
