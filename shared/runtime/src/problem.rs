//! Every refusal the API knows, as RFC 9457 problem details.

use boxoffice_aws::{ListError, StoreError, page::InvalidCursor};
use lambda_http::http::StatusCode;
use serde::Serialize;

/// What went wrong, for programs. The first group is the reference system's list; the others follow its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ProblemCode)]
pub enum Code {
    /// A field breaks its rule.
    ValidationError,
    /// A quantity is not a whole number in range.
    InvalidQuantity,
    /// An amount is not the one to be paid.
    InvalidAmount,
    /// A price is not a positive amount with two decimals.
    InvalidPrice,
    /// Seats cannot be changed as asked.
    InvalidInventory,
    /// A date is not one, or not in the future.
    InvalidEventDate,
    /// Another event on sale has that name.
    InventoryAlreadyExists,
    /// Not that many seats are left.
    InventoryUnavailable,
    /// No such ticket.
    TicketNotFound,
    /// The ticket is cancelled already.
    TicketAlreadyCancelled,
    /// Something this depends on is down; try again.
    ServiceUnavailable,

    /// The body is not JSON, or not this call's JSON.
    InvalidJson,
    /// The body has a field this call does not know.
    UnknownField,
    /// The body is larger than any call needs.
    BodyTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// The cursor is not one this list gave out.
    InvalidCursor,
    /// An id is not spelled as ids of its kind are.
    InvalidId,
    /// No such event on sale.
    InventoryNotFound,
    /// No such payment.
    PaymentNotFound,
    /// No saga for this ticket (yet).
    SagaNotFound,
    /// No such path.
    RouteNotFound,
    /// The path takes other methods.
    MethodNotAllowed,
    /// Someone changed it in between; read it again.
    VersionConflict,
    /// Seats are held or sold, so this cannot be done.
    InventoryInUse,
    /// The event has begun.
    SalesClosed,
    /// So many seats cost more than a payment can be.
    TotalTooLarge,
    /// The call must carry an `Idempotency-Key`.
    IdempotencyKeyRequired,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// The payment is not waiting to be paid.
    PaymentNotPending,
    /// The payment is by another method than the caller says.
    PaymentMethodMismatch,
    /// The payment has no money to give back.
    PaymentNotRefundable,
    /// The seats were not paid for in time.
    HoldExpired,
    /// The payment provider declined.
    PaymentDeclined,
    /// Nobody says who is calling.
    AuthenticationRequired,
    /// The access token has expired.
    TokenExpired,
    /// The access token is not one of ours.
    TokenInvalid,
    /// The access token's session has ended.
    TokenRevoked,
    /// The caller may not do this.
    Forbidden,
    /// Name and password do not go together.
    InvalidCredentials,
    /// The refresh token is not one that still stands.
    RefreshTokenInvalid,
    /// Too many failed log-ins; wait.
    TooManyAttempts,
    /// No such user.
    UserNotFound,
    /// Another user has that name.
    UsernameTaken,
    /// Another user has that mail address.
    EmailTaken,
    /// The user has a ticket to an event that is still to come.
    UserHasTickets,
    /// No such notification.
    NotificationNotFound,
    /// The status does not lead there, or not by hand.
    IllegalTransition,
    /// It is not over yet, so it cannot be deleted.
    NotSettled,
    /// The saga does not need attention.
    SagaNotStuck,
    /// The saga has taken everything back already.
    SagaAlreadyCompensated,
    /// No such queue.
    QueueNotFound,
    /// No event is meant, or every one.
    InvalidSelector,
    /// A bug or a wrong deployment; the log has the details.
    InternalError,
}

impl Code {
    /// Its name on the wire, such as `TICKET_NOT_FOUND`.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ValidationError
            | Self::InvalidQuantity
            | Self::InvalidPrice
            | Self::InvalidAmount
            | Self::InvalidEventDate
            | Self::InvalidJson
            | Self::UnknownField
            | Self::InvalidCursor
            | Self::InvalidId
            | Self::InvalidSelector
            | Self::IdempotencyKeyRequired => StatusCode::BAD_REQUEST,
            Self::PaymentDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::AuthenticationRequired
            | Self::TokenExpired
            | Self::TokenInvalid
            | Self::TokenRevoked
            | Self::InvalidCredentials
            | Self::RefreshTokenInvalid => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::TicketNotFound
            | Self::UserNotFound
            | Self::NotificationNotFound
            | Self::InventoryNotFound
            | Self::PaymentNotFound
            | Self::SagaNotFound
            | Self::QueueNotFound
            | Self::RouteNotFound => StatusCode::NOT_FOUND,
            Self::InvalidInventory
            | Self::InventoryAlreadyExists
            | Self::InventoryUnavailable
            | Self::TicketAlreadyCancelled
            | Self::VersionConflict
            | Self::InventoryInUse
            | Self::SalesClosed
            | Self::TotalTooLarge
            | Self::PaymentNotPending
            | Self::PaymentMethodMismatch
            | Self::PaymentNotRefundable
            | Self::UsernameTaken
            | Self::EmailTaken
            | Self::UserHasTickets
            | Self::IllegalTransition
            | Self::NotSettled
            | Self::SagaNotStuck
            | Self::SagaAlreadyCompensated
            | Self::HoldExpired => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The same for every occurrence, as RFC 9457 asks of a title.
    fn title(self) -> &'static str {
        match self {
            Self::ValidationError => "A field breaks its rule",
            Self::InvalidQuantity => "Not a quantity of seats",
            Self::InvalidPrice => "Not a price",
            Self::InvalidAmount => "Not the amount to be paid",
            Self::InvalidInventory => "Seats cannot be changed like this",
            Self::InvalidEventDate => "Not a date this can have",
            Self::InventoryAlreadyExists => "An event of that name is on sale already",
            Self::InventoryUnavailable => "Not enough seats left",
            Self::TicketNotFound => "No such ticket",
            Self::TicketAlreadyCancelled => "The ticket is cancelled already",
            Self::ServiceUnavailable => "Something this depends on is unavailable",
            Self::InvalidJson => "The body cannot be read",
            Self::UnknownField => "The body has a field this call does not know",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::InvalidCursor => "Not a cursor of this list",
            Self::InvalidId => "Not an id",
            Self::InventoryNotFound => "No such event on sale",
            Self::PaymentNotFound => "No such payment",
            Self::SagaNotFound => "No saga for this ticket",
            Self::RouteNotFound => "No such path",
            Self::MethodNotAllowed => "The path does not take this method",
            Self::VersionConflict => "It was changed in between",
            Self::InventoryInUse => "Seats are held or sold",
            Self::SalesClosed => "Sales are closed",
            Self::TotalTooLarge => "The total is more than a payment can be",
            Self::IdempotencyKeyRequired => "The Idempotency-Key header is missing",
            Self::IdempotencyKeyReused => "The Idempotency-Key was used for another request",
            Self::PaymentNotPending => "The payment is not waiting to be paid",
            Self::PaymentMethodMismatch => "The payment is by another method",
            Self::PaymentNotRefundable => "The payment has nothing to refund",
            Self::HoldExpired => "The seats were not paid for in time",
            Self::PaymentDeclined => "The payment was declined",
            Self::AuthenticationRequired => "An access token is needed",
            Self::TokenExpired => "The access token has expired",
            Self::TokenInvalid => "Not an access token",
            Self::TokenRevoked => "The session has ended",
            Self::Forbidden => "Not allowed",
            Self::InvalidCredentials => "Name and password do not go together",
            Self::RefreshTokenInvalid => "The refresh token does not stand",
            Self::TooManyAttempts => "Too many attempts",
            Self::UserNotFound => "No such user",
            Self::UsernameTaken => "Another user has this name",
            Self::EmailTaken => "Another user has this mail address",
            Self::UserHasTickets => "The user has tickets to come",
            Self::NotificationNotFound => "No such notification",
            Self::IllegalTransition => "The status cannot be changed like this",
            Self::NotSettled => "It is not over yet",
            Self::SagaNotStuck => "The saga is not stuck",
            Self::SagaAlreadyCompensated => "The saga is compensated already",
            Self::QueueNotFound => "No such queue",
            Self::InvalidSelector => "Not a selection of events",
            Self::InternalError => "Something is wrong on our side",
        }
    }
}

/// A refusal: what [`Code`], of what occurrence, at which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// This occurrence, for people.
    pub detail: String,
    /// The field, parameter or header at fault, in the caller's own spelling.
    pub field: Option<String>,
    /// A header that belongs with the answer, such as `Allow`.
    pub header: Option<(&'static str, String)>,
}

/// Where every problem type is described; the fragment is the code.
const TYPE_BASE: &str = "https://github.com/box-office/box-office/blob/main/docs/problems.md";

/// A refusal on the wire ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// Where this kind of problem is described.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    kind: String,
    /// The kind, in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The kind, for programs.
    code: Code,
    /// This occurrence, for people.
    detail: &'a str,
    /// The field, parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The correlation id, by which this occurrence is found in the logs.
    instance: &'a str,
}

impl Problem {
    /// A problem with the request as a whole.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, header: None }
    }

    /// The same, at this field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, with this header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }

    /// The problem as the client gets it; `instance` names this occurrence (the correlation id), so that it can be found in the logs.
    pub(crate) fn document<'a>(&'a self, instance: &'a str) -> Document<'a> {
        Document {
            kind: format!("{TYPE_BASE}#{}", self.code.name().to_ascii_lowercase()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
            instance,
        }
    }
}

impl From<StoreError> for Problem {
    /// Logs the cause here, at the boundary, and once; the client learns only whether to try again.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => {
                tracing::warn!(cause, "store unavailable");
                let detail = "Nothing was decided. Try again, with the same Idempotency-Key if you sent one.";
                Self::new(Code::ServiceUnavailable, detail)
            }
            StoreError::Broken(cause) => {
                tracing::error!(cause, "store broken");
                Self::new(Code::InternalError, "The error is in our log under the instance given here.")
            }
        }
    }
}

impl From<InvalidCursor> for Problem {
    fn from(error: InvalidCursor) -> Self {
        Self::new(Code::InvalidCursor, format!("next {error}.")).at("next")
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor(error) => error.into(),
            ListError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The rows of the table in docs/problems.md: a code, and its status.
    fn documented() -> Vec<(String, u16)> {
        let rows = include_str!("../../../docs/problems.md").lines().filter_map(|line| line.strip_prefix("| ["));
        rows.map(|row| {
            let (code, rest) = row.split_once(']').unwrap();
            let status = rest.split('|').nth(1).unwrap().trim();
            (code.to_owned(), status.parse().unwrap())
        })
        .collect()
    }

    #[test]
    fn every_refusal_has_the_status_that_is_documented_and_a_title_of_its_own() {
        // API Gateway's own refusals are in the table too.
        let ours = documented().into_iter().filter_map(|(name, status)| {
            let code: Code = serde_json::from_value(name.as_str().into()).ok()?;
            Some((name, code, status))
        });
        let mut titles = HashSet::new();
        for (name, code, status) in ours {
            let problem = Problem::new(code, "once").at("seats");
            let document = serde_json::to_value(problem.document("9f1c")).unwrap();
            assert_eq!((&document["code"], &document["status"]), (&name.as_str().into(), &status.into()));
            assert_eq!(document["type"], format!("{TYPE_BASE}#{}", name.to_lowercase()));
            assert_eq!((&document["detail"], &document["field"]), (&"once".into(), &"seats".into()));
            assert_eq!(document["instance"], "9f1c");
            assert!(titles.insert(document["title"].to_string()), "{name} has another's title");
        }
        assert!(titles.len() > 50, "{} codes are no whole table", titles.len());
    }

    #[test]
    fn a_store_that_may_work_later_is_told_apart_from_one_that_never_will() {
        let later = Problem::from(StoreError::Unavailable("throttled".into()));
        let never = Problem::from(ListError::Store(StoreError::Broken("no such table".into())));
        assert_eq!((later.code, never.code), (Code::ServiceUnavailable, Code::InternalError));
        assert!(!never.detail.contains("table"), "what broke is nobody's business: {}", never.detail);
    }

    #[test]
    fn a_cursor_of_another_list_is_at_fault_itself() {
        let problem = Problem::from(ListError::Cursor(InvalidCursor));
        assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidCursor, Some("next")));
    }
}
