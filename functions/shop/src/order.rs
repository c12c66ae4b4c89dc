//! An order's state as its buyer should see it. No I/O.

use crate::{
    api::{Payment, PaymentStatus, Ticket, TicketStatus},
    frame::origin,
};
use boxoffice_kernel::Timestamp;

/// The state of an order for its buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It can be paid.
    Payable {
        /// Whether a card was declined.
        declined: bool,
    },
    /// The buyer's bank wants to see them, on this page.
    AtBank(String),
    /// The provider has not answered yet. Nobody knows whether it will be paid, so the page does not say either.
    Waiting,
    /// It is paid, and about to be confirmed.
    Paid,
    /// It is confirmed.
    Confirmed,
    /// It is being cancelled.
    Cancelling,
    /// Nobody paid in time.
    Late,
    /// Its payment was declined too often.
    Refused,
    /// It is cancelled.
    Cancelled,
    /// The event has taken place.
    Over,
}

impl Stage {
    /// The state of this ticket with this payment.
    ///
    /// A payment that the provider is asked about decides before the clock does: it may still succeed, and `Late` would be a lie.
    pub fn of(ticket: &Ticket, payment: &Payment, now: Timestamp) -> Self {
        match ticket.status {
            TicketStatus::Completed => Self::Over,
            TicketStatus::Cancelled => match ticket.cancellation_reason.as_deref() {
                Some("HOLD_EXPIRED") => Self::Late,
                Some("PAYMENT_DECLINED") => Self::Refused,
                _ => Self::Cancelled,
            },
            _ if ticket.cancellation_requested_at.is_some() => Self::Cancelling,
            TicketStatus::Confirmed => Self::Confirmed,
            TicketStatus::Pending => match payment.status {
                PaymentStatus::Pending if now >= ticket.hold_expires_at => Self::Late,
                PaymentStatus::Pending => Self::Payable { declined: payment.last_error.is_some() },
                PaymentStatus::Processing => match payment.next_action.as_ref().map(|action| &action.redirect_url) {
                    // The page links to it, so it must be an address of the web, whoever made it up.
                    Some(Some(url)) if now < ticket.hold_expires_at && origin(url).is_some() => {
                        Self::AtBank(url.clone())
                    }
                    _ => Self::Waiting,
                },
                PaymentStatus::Success => Self::Paid,
                PaymentStatus::Failed => Self::Refused,
                PaymentStatus::Expired => Self::Late,
                PaymentStatus::Refunded | PaymentStatus::Other => Self::Cancelling,
            },
        }
    }

    /// Whether the page moves on by itself.
    pub fn moves(&self) -> bool {
        matches!(self, Self::Waiting | Self::Paid | Self::Cancelling)
    }

    /// Whether the buyer may ask to cancel.
    pub fn is_cancellable(&self) -> bool {
        matches!(self, Self::Payable { .. } | Self::Confirmed)
    }

    /// Whether the same choice is offered again.
    pub fn ended(&self) -> bool {
        matches!(self, Self::Late | Self::Refused | Self::Cancelled)
    }

    /// The name of the state in the page, by which its script sees that there is news.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Payable { .. } => "payable",
            Self::AtBank(_) => "bank",
            Self::Waiting => "waiting",
            Self::Paid => "paid",
            Self::Confirmed => "confirmed",
            Self::Cancelling => "cancelling",
            Self::Late => "late",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Over => "over",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// An order with this status.
    pub(crate) fn ticket(status: &str, more: serde_json::Value) -> Ticket {
        let mut ticket = json!({
            "id": "tkt_01970000000070008000000000000001", "inventoryId": "inv_01970000000070008000000000000001",
            "eventName": "Late Show, at the <Wheel>", "eventDate": "2035-06-01T20:00:00.000Z", "quantity": 2,
            "totalAmount": 99.8, "currency": "EUR", "status": status,
            "paymentId": "pay_01970000000070008000000000000001", "holdExpiresAt": "2035-05-01T10:10:00.000Z", "version": 2
        });
        ticket.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(ticket).unwrap()
    }

    fn payment(status: &str, more: serde_json::Value) -> Payment {
        let mut payment = json!({ "status": status, "triesLeft": 4 });
        payment.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(payment).unwrap()
    }

    #[test]
    fn an_order_is_called_failed_only_when_that_is_known() {
        let (before, after) = ("2035-05-01T10:00:00Z".parse().unwrap(), "2035-05-01T10:20:00Z".parse().unwrap());
        let none = json!({});
        let bank = json!({ "nextAction": { "redirectUrl": "https://bank.example/3ds", "clientSecret": "s" } });
        let script = json!({ "nextAction": { "clientSecret": "s" } });
        let code = json!({ "nextAction": { "redirectUrl": "javascript:alert(1)", "clientSecret": "s" } });
        for (payment_status, more, when_held, when_over) in [
            ("PENDING", &none, Stage::Payable { declined: false }, Stage::Late),
            ("PENDING", &json!({ "lastError": "declined" }), Stage::Payable { declined: true }, Stage::Late),
            ("PROCESSING", &none, Stage::Waiting, Stage::Waiting),
            ("PROCESSING", &script, Stage::Waiting, Stage::Waiting),
            ("PROCESSING", &code, Stage::Waiting, Stage::Waiting),
            ("PROCESSING", &bank, Stage::AtBank("https://bank.example/3ds".into()), Stage::Waiting),
            ("SUCCESS", &none, Stage::Paid, Stage::Paid),
            ("FAILED", &none, Stage::Refused, Stage::Refused),
            ("EXPIRED", &none, Stage::Late, Stage::Late),
            ("REFUNDED", &none, Stage::Cancelling, Stage::Cancelling),
            ("DISPUTED", &none, Stage::Cancelling, Stage::Cancelling),
        ] {
            let payment = payment(payment_status, more.clone());
            let pending = ticket("PENDING", none.clone());
            assert_eq!(Stage::of(&pending, &payment, before), when_held, "{payment_status} while held");
            assert_eq!(Stage::of(&pending, &payment, after), when_over, "{payment_status} when the hold is over");
        }
    }

    #[test]
    fn a_settled_order_is_what_its_ticket_says() {
        let (now, paid) = (Timestamp::now(), payment("SUCCESS", json!({})));
        let asked = json!({ "cancellationRequestedAt": "2035-05-01T11:00:00.000Z" });
        for (status, more, stage) in [
            ("CONFIRMED", json!({}), Stage::Confirmed),
            ("CONFIRMED", asked.clone(), Stage::Cancelling),
            ("PENDING", asked, Stage::Cancelling),
            ("CANCELLED", json!({ "cancellationReason": "HOLD_EXPIRED" }), Stage::Late),
            ("CANCELLED", json!({ "cancellationReason": "PAYMENT_DECLINED" }), Stage::Refused),
            ("CANCELLED", json!({ "cancellationReason": "CANCELLED_BY_BUYER" }), Stage::Cancelled),
            ("COMPLETED", json!({}), Stage::Over),
        ] {
            assert_eq!(Stage::of(&ticket(status, more.clone()), &paid, now), stage, "{status} {more}");
        }
    }
}
