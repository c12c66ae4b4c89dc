//! Pays for a ticket, or shows what there is to pay: the payment itself was written with the booking, one for each ticket.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /payments` |
//! | reads | the payment (AP-30); with a token what `process-payment` reads |
//! | writes | with a token what `process-payment` writes |
//! | emits | with a token what `process-payment` emits |
//! | safe to repeat | it makes no payment, and charging is safe to repeat |

use super::answer::{PaymentView, charged, example, shown};
use crate::{
    App,
    domain::{Method, MethodToken, Payment, Status},
    gateway::PaymentGateway,
};
use boxoffice_kernel::{Amount, TicketId, UserId};
use boxoffice_runtime::{Code, Problem, address, http, http::Answer};
use lambda_http::Request;
use serde::Deserialize;

/// The payment, and the facts that the caller expects of it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPayment {
    /// The ticket to pay for.
    ticket_id: TicketId,
    /// The payer: the owner of the ticket.
    user_id: Option<UserId>,
    /// How much: what the ticket costs.
    amount: Option<Amount>,
    /// How. Without a token to charge it must be what the booking named.
    payment_method: Option<Method>,
    /// The provider's token of what to charge; without one, the payment is only shown.
    payment_method_token: Option<MethodToken>,
}

impl NewPayment {
    /// Whether the ticket's payment is the one that the caller means.
    fn must_mean(&self, payment: &Payment) -> Result<(), Problem> {
        if self.user_id.is_some_and(|user| user != payment.user_id) {
            let detail = "The ticket and its payment belong to another user.";
            return Err(Problem::new(Code::Forbidden, detail).at("userId"));
        }
        if self.amount.is_some_and(|amount| amount != payment.money.amount) {
            let detail = format!("The ticket costs {} {}.", payment.money.amount, payment.money.currency);
            return Err(Problem::new(Code::InvalidAmount, detail).at("amount"));
        }
        let names_another = self.payment_method.is_some_and(|method| method != payment.method);
        if names_another && self.payment_method_token.is_none() {
            let detail = format!(
                "The payment is by {}. To pay in another way, send its paymentMethodToken too.",
                payment.method
            );
            return Err(Problem::new(Code::PaymentMethodMismatch, detail).at("paymentMethod"));
        }
        Ok(())
    }
}

fn refine(field: &str) -> Option<Code> {
    (field == "amount").then_some(Code::InvalidAmount)
}

/// Pays for a ticket, or shows its payment.
///
/// A booking makes its own payment with its ticket. With a `paymentMethodToken` this charges it, as
/// `POST /payments/{id}/process` does; without one it shows it.
///
/// # Errors
/// When there is no such payment, it is not the one that is meant, it was declined or cannot be paid any more, or the provider does not answer.
#[utoipa::path(
    post,
    path = "/payments",
    operation_id = "create-payment",
    tag = "payments",
    request_body(content = NewPayment, example = json!({
        "ticketId": "tkt_01970000000070008000000000000001",
        "amount": 99.8,
        "paymentMethod": "CREDIT_CARD",
        "paymentMethodToken": "pm_card_visa"
    })),
    responses(
        (
            status = 201,
            description = "The payment: charged where there was something to charge, or PROCESSING while the buyer or the provider has something to do",
            body = PaymentView,
            headers(("Location" = String, description = "Where the payment is")),
            example = json!(example(Status::Success))
        ),
        (status = 402, description = "`PAYMENT_DECLINED`: the provider will not take it"),
        (status = 404, description = "`PAYMENT_NOT_FOUND`: no such ticket"),
        (status = 409, description = "`PAYMENT_NOT_PENDING`: it was paid or ended before. `HOLD_EXPIRED`: too late. \
            `PAYMENT_METHOD_MISMATCH`: it is to be paid in another way, and there is no token to change that. \
            `PAYMENT_METHOD_UNAVAILABLE`: the account does not take this method, or its money would arrive after the hold")
    )
)]
pub async fn handle<G: PaymentGateway>(app: &App<G>, request: Request) -> Result<Answer, Problem> {
    let new: NewPayment = http::body(&request, refine)?;
    let payment = shown(&app.store, new.ticket_id.payment(), http::caller(&request)?).await?;
    new.must_mean(&payment)?;
    let id = payment.id;
    let view = match &new.payment_method_token {
        None => PaymentView::from(payment),
        Some(token) => {
            let card = (new.payment_method, token);
            charged(app.pay(&payment, card, &address::of(&request), &http::trace(&request)).await?)?
        }
    };
    Answer::created(&view, format!("/payments/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::{Currency, Money, Timestamp};

    fn payment() -> Payment {
        let (money, now) =
            (Money { amount: Amount::from_minor(9980).unwrap(), currency: Currency::Eur }, Timestamp::now());
        Payment::of(TicketId::generate(), UserId::generate(), money, now.plus_seconds(60), now)
    }

    fn meaning(payment: &Payment) -> NewPayment {
        NewPayment {
            ticket_id: payment.ticket_id,
            user_id: Some(payment.user_id),
            amount: Some(payment.money.amount),
            payment_method: Some(payment.method),
            payment_method_token: None,
        }
    }

    fn refused(new: &NewPayment, payment: &Payment) -> Option<(Code, String)> {
        new.must_mean(payment).err().map(|problem| (problem.code, problem.field.unwrap_or_default()))
    }

    #[test]
    fn a_wrong_expectation_of_the_caller_is_refused() {
        let payment = payment();
        let right = || meaning(&payment);
        assert_eq!(refused(&right(), &payment), None);
        let silent = NewPayment { user_id: None, amount: None, payment_method: None, ..right() };
        assert_eq!(refused(&silent, &payment), None);

        let strangers = NewPayment { user_id: Some(UserId::generate()), ..right() };
        assert_eq!(refused(&strangers, &payment), Some((Code::Forbidden, "userId".into())));
        let cheaper = NewPayment { amount: Some(Amount::from_minor(9979).unwrap()), ..right() };
        assert_eq!(refused(&cheaper, &payment), Some((Code::InvalidAmount, "amount".into())));
    }

    #[test]
    fn another_method_is_named_only_with_what_to_charge() {
        let payment = payment();
        let other = || NewPayment { payment_method: Some(Method::Paypal), ..meaning(&payment) };
        assert_eq!(refused(&other(), &payment), Some((Code::PaymentMethodMismatch, "paymentMethod".into())));
        let chargeable = NewPayment { payment_method_token: Some("pm_paypal".parse().unwrap()), ..other() };
        assert_eq!(refused(&chargeable, &payment), None);
    }
}
