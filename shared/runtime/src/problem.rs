//! Every refusal of the API, as RFC 9457 problem details.

use boxoffice_aws::{ListError, StoreError, page::InvalidCursor};
use lambda_http::http::StatusCode;
use serde::Serialize;

/// The machine-readable reason for a refusal. The first group is the list of the reference system (`docs/migrating.md`); the others follow
/// its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ProblemCode)]
pub enum Code {
    /// A field breaks its rule.
    ValidationError,
    /// The password is easy to guess.
    WeakPassword,
    /// A device is not of the application that push messages go to.
    PushEndpointUnknown,
    /// A token from a mail or a text message is not one, was used, or is too old.
    ProofInvalid,
    /// A quantity is not a whole number in range.
    InvalidQuantity,
    /// An amount differs from the amount due.
    InvalidAmount,
    /// A price is not a positive amount with two decimals.
    InvalidPrice,
    /// The requested change of seats is impossible.
    InvalidInventory,
    /// A date is malformed, or not in the future.
    InvalidEventDate,
    /// Another event on sale has this name.
    InventoryAlreadyExists,
    /// Fewer seats are left than requested.
    InventoryUnavailable,
    /// No such ticket.
    TicketNotFound,
    /// The ticket is already cancelled.
    TicketAlreadyCancelled,
    /// A dependency is unavailable; retry.
    ServiceUnavailable,

    /// The body is not valid JSON, or not the JSON that this call takes.
    InvalidJson,
    /// The body has an unknown field.
    UnknownField,
    /// The body exceeds the size limit.
    BodyTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// The cursor does not belong to this list.
    InvalidCursor,
    /// An id is malformed.
    InvalidId,
    /// No such event on sale.
    InventoryNotFound,
    /// No such admission.
    AdmissionNotFound,
    /// No such check-in list.
    CheckInListNotFound,
    /// No such device.
    DeviceNotFound,
    /// A device's one-time token is not one, was used, or is too old.
    EnrolmentInvalid,
    /// The admission has no passage to undo.
    NothingToUndo,
    /// A ticket of the booking has been used at a door.
    AdmissionUsed,
    /// No such payment.
    PaymentNotFound,
    /// This ticket has no saga (yet).
    SagaNotFound,
    /// No such path.
    RouteNotFound,
    /// The path does not support the method.
    MethodNotAllowed,
    /// The resource has changed since it was read; read it again.
    VersionConflict,
    /// The event has held or sold seats.
    InventoryInUse,
    /// The event has already started.
    SalesClosed,
    /// Its organiser cancelled the event.
    EventCancelled,
    /// The event was not cancelled.
    CancellationNotFound,
    /// The total exceeds the largest possible payment.
    TotalTooLarge,
    /// The seats no longer cost what the caller was shown.
    PriceChanged,
    /// The buyer would have more seats than the event's terms allow.
    PurchaseLimitExceeded,
    /// The `Idempotency-Key` header is missing.
    IdempotencyKeyRequired,
    /// The key was already used for a different request.
    IdempotencyKeyReused,
    /// The payment is no longer PENDING.
    PaymentNotPending,
    /// The payment was created for another payment method.
    PaymentMethodMismatch,
    /// The account does not accept the payment method.
    PaymentMethodUnavailable,
    /// The payment holds no money to refund.
    PaymentNotRefundable,
    /// The payment has no such refund.
    RefundNotFound,
    /// The refund does not wait for an operator.
    RefundNotFailed,
    /// The hold ended before the payment.
    HoldExpired,
    /// The payment provider declined the charge.
    PaymentDeclined,
    /// The request carries no access token.
    AuthenticationRequired,
    /// The access token has expired.
    TokenExpired,
    /// The access token is not valid.
    TokenInvalid,
    /// The access token's session has ended.
    TokenRevoked,
    /// The caller has to log in again first.
    ReauthenticationRequired,
    /// The caller may not do this.
    Forbidden,
    /// Wrong username or password.
    InvalidCredentials,
    /// The password is right, and the code of the second factor is missing.
    SecondFactorRequired,
    /// The code of the second factor is wrong, or was used.
    SecondFactorInvalid,
    /// The caller's role needs a second factor, and their session began without one.
    SecondFactorMissing,
    /// An ADMIN has suspended the account.
    AccountSuspended,
    /// The refresh token is not valid any more.
    RefreshTokenInvalid,
    /// Too many failed log-ins or orders; wait before the next one.
    TooManyAttempts,
    /// Too many cards of a buyer or an address were declined; wait before the next one.
    TooManyDeclines,
    /// No such user.
    UserNotFound,
    /// No such session, or it has ended.
    SessionNotFound,
    /// Another user has this username.
    UsernameTaken,
    /// Another user has verified this email address.
    EmailTaken,
    /// The user has a ticket to an upcoming event.
    UserHasTickets,
    /// No such notification.
    NotificationNotFound,
    /// The status cannot change this way, or not by hand.
    IllegalTransition,
    /// Only what is cancelled or completed can be deleted.
    NotSettled,
    /// The saga does not need attention.
    SagaNotStuck,
    /// The saga is already compensated.
    SagaAlreadyCompensated,
    /// No such queue.
    QueueNotFound,
    /// The selection of events is empty or unbounded.
    InvalidSelector,
    /// A bug or a misconfiguration; the log has the details.
    InternalError,
}

impl Code {
    /// The name on the wire, such as `TICKET_NOT_FOUND`.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }

    /// The HTTP status of the refusal.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ValidationError
            | Self::WeakPassword
            | Self::ProofInvalid
            | Self::EnrolmentInvalid
            | Self::PushEndpointUnknown
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
            | Self::ReauthenticationRequired
            | Self::InvalidCredentials
            | Self::SecondFactorRequired
            | Self::SecondFactorInvalid
            | Self::RefreshTokenInvalid => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::SecondFactorMissing | Self::AccountSuspended => StatusCode::FORBIDDEN,
            Self::TooManyAttempts | Self::TooManyDeclines => StatusCode::TOO_MANY_REQUESTS,
            Self::TicketNotFound
            | Self::AdmissionNotFound
            | Self::CheckInListNotFound
            | Self::DeviceNotFound
            | Self::UserNotFound
            | Self::SessionNotFound
            | Self::NotificationNotFound
            | Self::InventoryNotFound
            | Self::PaymentNotFound
            | Self::RefundNotFound
            | Self::SagaNotFound
            | Self::QueueNotFound
            | Self::CancellationNotFound
            | Self::RouteNotFound => StatusCode::NOT_FOUND,
            Self::InvalidInventory
            | Self::InventoryAlreadyExists
            | Self::InventoryUnavailable
            | Self::TicketAlreadyCancelled
            | Self::AdmissionUsed
            | Self::NothingToUndo
            | Self::VersionConflict
            | Self::InventoryInUse
            | Self::SalesClosed
            | Self::EventCancelled
            | Self::TotalTooLarge
            | Self::PriceChanged
            | Self::PurchaseLimitExceeded
            | Self::PaymentNotPending
            | Self::PaymentMethodMismatch
            | Self::PaymentMethodUnavailable
            | Self::PaymentNotRefundable
            | Self::RefundNotFailed
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
            Self::WeakPassword => "The password is easy to guess",
            Self::PushEndpointUnknown => "The device belongs to another application",
            Self::ProofInvalid => "The token from the message is not valid",
            Self::InvalidQuantity => "Invalid number of seats",
            Self::InvalidPrice => "Invalid price",
            Self::InvalidAmount => "The amount differs from the amount due",
            Self::InvalidInventory => "The seats cannot be changed this way",
            Self::InvalidEventDate => "Invalid date",
            Self::InventoryAlreadyExists => "An event with this name is already on sale",
            Self::InventoryUnavailable => "Not enough seats left",
            Self::TicketNotFound => "No such ticket",
            Self::AdmissionNotFound => "No such admission",
            Self::CheckInListNotFound => "No such check-in list",
            Self::DeviceNotFound => "No such device",
            Self::EnrolmentInvalid => "The one-time token is not valid",
            Self::NothingToUndo => "There is no passage to undo",
            Self::AdmissionUsed => "A ticket of the booking has been used",
            Self::TicketAlreadyCancelled => "The ticket is already cancelled",
            Self::ServiceUnavailable => "A dependency is unavailable",
            Self::InvalidJson => "The body is not valid JSON for this call",
            Self::UnknownField => "The body has an unknown field",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::InvalidCursor => "The cursor does not belong to this list",
            Self::InvalidId => "Malformed id",
            Self::InventoryNotFound => "No such event on sale",
            Self::PaymentNotFound => "No such payment",
            Self::SagaNotFound => "This ticket has no saga",
            Self::RouteNotFound => "No such path",
            Self::MethodNotAllowed => "The path does not support this method",
            Self::VersionConflict => "The resource has changed since it was read",
            Self::InventoryInUse => "Seats are held or sold",
            Self::SalesClosed => "Sales are closed",
            Self::EventCancelled => "The event is cancelled",
            Self::CancellationNotFound => "The event is not cancelled",
            Self::TotalTooLarge => "The total exceeds the largest possible payment",
            Self::PriceChanged => "The price has changed",
            Self::PurchaseLimitExceeded => "The purchase limit is exceeded",
            Self::IdempotencyKeyRequired => "The Idempotency-Key header is missing",
            Self::IdempotencyKeyReused => "The Idempotency-Key was used for another request",
            Self::PaymentNotPending => "The payment is not pending",
            Self::PaymentMethodMismatch => "The payment was created for another payment method",
            Self::PaymentMethodUnavailable => "The payment method is not accepted",
            Self::PaymentNotRefundable => "The payment cannot be refunded so",
            Self::RefundNotFound => "No such refund",
            Self::RefundNotFailed => "The refund has not failed",
            Self::HoldExpired => "The hold ended before the payment",
            Self::PaymentDeclined => "The payment was declined",
            Self::AuthenticationRequired => "This call needs an access token",
            Self::TokenExpired => "The access token has expired",
            Self::TokenInvalid => "Invalid access token",
            Self::TokenRevoked => "The session has ended",
            Self::ReauthenticationRequired => "A recent log-in is required",
            Self::Forbidden => "Not allowed",
            Self::InvalidCredentials => "Wrong username or password",
            Self::SecondFactorRequired => "The second factor is missing",
            Self::SecondFactorInvalid => "The code of the second factor is not valid",
            Self::SecondFactorMissing => "This role needs a second factor",
            Self::AccountSuspended => "The account is suspended",
            Self::RefreshTokenInvalid => "The refresh token is not valid any more",
            Self::TooManyAttempts => "Too many attempts",
            Self::TooManyDeclines => "Too many cards were declined",
            Self::UserNotFound => "No such user",
            Self::SessionNotFound => "No such session",
            Self::UsernameTaken => "This username is taken",
            Self::EmailTaken => "Another account has verified this email address",
            Self::UserHasTickets => "The user has tickets to upcoming events",
            Self::NotificationNotFound => "No such notification",
            Self::IllegalTransition => "The status cannot change this way",
            Self::NotSettled => "Not cancelled or completed yet",
            Self::SagaNotStuck => "The saga is not stuck",
            Self::SagaAlreadyCompensated => "The saga is already compensated",
            Self::QueueNotFound => "No such queue",
            Self::InvalidSelector => "Invalid selection of events",
            Self::InternalError => "Something went wrong on our side",
        }
    }
}

/// A refusal: its [`Code`], a detail for people, and the field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// An explanation of this occurrence, for people.
    pub detail: String,
    /// The field, parameter or header at fault, in the caller's own spelling.
    pub field: Option<String>,
    /// A header of the response, such as `Allow`.
    pub header: Option<(&'static str, String)>,
}

/// The page that describes every problem type; the fragment is the code.
const TYPE_BASE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/problems.md");

/// A refusal as it is sent ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// The page that describes this type of problem.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    kind: String,
    /// The type of problem, in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The type of problem, for programs.
    code: Code,
    /// An explanation of this occurrence, for people.
    detail: &'a str,
    /// The field, parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The correlation id under which the logs have this occurrence.
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
                let detail = "The request was not decided. Retry it, with the same Idempotency-Key if you sent one.";
                Self::new(Code::ServiceUnavailable, detail)
            }
            StoreError::Broken(cause) => {
                tracing::error!(cause, "store broken");
                Self::new(Code::InternalError, "Something went wrong on our side. Quote `instance` when you report it.")
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
