//! Takes the forms of buying: reserves, pays and cancels, and looks up a payment whose buyer comes back from their bank.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /shop/orders`, `POST /shop/orders/{id}/payment`, `GET /shop/orders/{id}/payment`, `POST /shop/orders/{id}/cancellation` |
//! | reads | as create-ticket, process-payment, request-cancellation and get-ticket; get-inventory (AP-10); the reader's access (AP-03) |
//! | writes | as these |
//! | emits | as these |
//! | safe to repeat | as these: the form has the order's idempotency key, and the payment's attempt is the same while its card is |

use super::{
    choice::{self, Choice},
    show_order::AT_BANK,
};
use crate::{
    api::{Call, Payment, Ticket, read, session_of},
    form::{Form, FormSecret, forged},
    frame::{Audience, CardEntry, Frame},
    visitor::{encoded, public_address, reader},
};
use boxoffice_aws::Budget;
use boxoffice_inventory::App;
use boxoffice_kernel::{Amount, TicketId};
use boxoffice_payments::handlers::process_payment;
use boxoffice_runtime::{
    Code, Metrics, Problem,
    auth::{Caller, Gate},
    config::ConfigError,
    http::{self, Answer},
};
use boxoffice_tickets::{
    handlers::{create_ticket, get_ticket, request_cancellation},
    store::{Desk, Sale},
};
use lambda_http::{Request, http::Method};
use serde_json::{Value, json};

/// Everything that this function is made of.
#[derive(Debug)]
pub struct Counter {
    gate: Gate,
    inventory: App,
    desk: Desk,
    orders: Budget,
    sale: Sale,
    payments: boxoffice_payments::App,
    metrics: Metrics,
    cards: CardEntry,
}

impl Counter {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: Gate::from_env()?,
            inventory: App::from_env()?,
            desk: boxoffice_tickets::desk_from_env()?,
            orders: boxoffice_tickets::orders_from_env()?,
            sale: boxoffice_tickets::tickets_and_events_from_env()?,
            payments: boxoffice_payments::App::called_by_buyers()?,
            metrics: Metrics::from_env()?,
            cards: CardEntry::from_env()?,
        })
    }
}

/// Answers with where the reader goes on, or with the page again and what has to be put right.
pub async fn handle(counter: &Counter, request: Request) -> Answer {
    let frame = Frame::of(&request, Audience::Reader);
    submitted(counter, &request, frame.clone()).await.unwrap_or_else(|problem| frame.refuse(&request, &problem))
}

async fn submitted(counter: &Counter, request: &Request, frame: Frame) -> Result<Answer, Problem> {
    let form = Form::of(request);
    let route = http::route(request);
    if route == "/shop/orders" {
        let choice = Choice::of(form.text("event"), form.text("quantity"))?;
        return match reader(&counter.gate, request, &frame, "orders", &choice.path()).await {
            Ok(caller) => {
                check(request, &form, &caller)?;
                reserve(counter, request, frame, caller, choice, &form).await
            }
            Err(answer) => Ok(answer),
        };
    }
    let id: TicketId = http::path(request, "id", Code::InvalidId)?;
    let back = format!("orders/{id}");
    let here = if route.ends_with("cancellation") { format!("{back}/cancellation") } else { format!("{back}/payment") };
    let caller = match reader(&counter.gate, request, &frame, &here, &back).await {
        Ok(caller) => caller,
        Err(answer) => return Ok(answer),
    };
    if request.method() == Method::GET {
        return look_up(counter, request, &frame, caller, id).await;
    }
    check(request, &form, &caller)?;
    if route.ends_with("cancellation") {
        cancel(counter, request, &frame, caller, id).await
    } else {
        pay(counter, request, &frame, caller, id, form.text("card")).await
    }
}

/// Refuses a form that is not one of this session's.
fn check(request: &Request, form: &Form, caller: &Caller) -> Result<(), Problem> {
    FormSecret::of(request).ok_or_else(forged)?.check(session_of(Some(caller)), form)
}

async fn reserve(
    counter: &Counter,
    request: &Request,
    frame: Frame,
    caller: Caller,
    choice: Choice,
    form: &Form,
) -> Result<Answer, Problem> {
    let total = form.text("total").parse().ok().and_then(|minor| Amount::from_minor(minor).ok());
    let body = json!({
        "inventoryId": choice.event,
        "quantity": choice.quantity,
        "expectedTotal": total,
        "currency": form.text("currency"),
    });
    let call = Call::new(request, Method::POST, "/tickets", Some(caller)).body(body).key(form.text("key")).request()?;
    match create_ticket::handle(&counter.desk, &counter.orders, &counter.metrics, call).await {
        Ok(answer) => {
            let ticket: Ticket = read(&answer)?;
            Ok(frame.see(&format!("orders/{}", ticket.id)))
        }
        Err(problem) => choice::show(&counter.inventory, request, frame, &caller, choice, Some(&problem)).await,
    }
}

/// Charges the card whose token the form has; a form without one leads to where a card is entered. However it goes, the order's page says so: it reads what is
/// recorded, and that is the truth also for whoever pressed twice.
async fn pay(
    counter: &Counter,
    request: &Request,
    frame: &Frame,
    caller: Caller,
    id: TicketId,
    card: &str,
) -> Result<Answer, Problem> {
    let order = format!("orders/{id}");
    let address = public_address(request);
    if card.is_empty() {
        // Nothing is charged yet, but another's order leads nowhere either.
        let call = Call::new(request, Method::GET, "/tickets/{id}", Some(caller)).path("id", id).request()?;
        get_ticket::handle(&counter.sale.tickets, call).await?;
        return Ok(match (&counter.cards.hosted, address) {
            (Some(page), Some(address)) => {
                let separator = if page.contains('?') { '&' } else { '?' };
                let back = encoded(&format!("{address}/{order}"));
                Answer::see_other(format!("{page}{separator}return_url={back}"))
            }
            _ => frame.see(&format!("{order}?notice=card")),
        });
    }
    let body = json!({ "paymentMethod": "CREDIT_CARD", "paymentMethodToken": card });
    let call = process(request, caller, id, body)?;
    let payments = counter.payments.clone();
    let payments = match address {
        Some(address) => payments.returning_to(format!("{address}/{order}/payment")),
        None => payments,
    };
    let notice = match process_payment::handle(&payments, call).await {
        Ok(answer) => {
            let payment: Payment = read(&answer)?;
            payment.next_action.and_then(|action| action.redirect_url).map(|_| AT_BANK)
        }
        Err(problem) => match problem.code {
            Code::Forbidden | Code::PaymentNotFound | Code::InternalError => return Err(problem),
            Code::ValidationError => Some("card"),
            Code::PaymentMethodUnavailable => Some("method"),
            Code::ServiceUnavailable => Some("later"),
            Code::TooManyDeclines => Some("declines"),
            _ => None,
        },
    };
    Ok(match notice {
        Some(notice) => frame.see(&format!("{order}?notice={notice}")),
        None => frame.see(&order),
    })
}

fn process(request: &Request, caller: Caller, id: TicketId, body: Value) -> Result<Request, Problem> {
    let call = Call::new(request, Method::POST, "/payments/{id}/process", Some(caller));
    call.path("id", id.payment()).body(body).request()
}

/// Asks the provider how a payment went, and shows the order. The webhook says the same, sooner or later.
async fn look_up(
    counter: &Counter,
    request: &Request,
    frame: &Frame,
    caller: Caller,
    id: TicketId,
) -> Result<Answer, Problem> {
    let call = process(request, caller, id, json!({}))?;
    match process_payment::handle(&counter.payments, call).await {
        Err(problem) if matches!(problem.code, Code::Forbidden | Code::PaymentNotFound) => Err(problem),
        // Declined, ended, not tried, or no answer: the order's page shows which.
        _ => Ok(frame.see(&format!("orders/{id}"))),
    }
}

async fn cancel(
    counter: &Counter,
    request: &Request,
    frame: &Frame,
    caller: Caller,
    id: TicketId,
) -> Result<Answer, Problem> {
    let call = Call::new(request, Method::PATCH, "/tickets/{id}/cancel", Some(caller)).path("id", id).request()?;
    match request_cancellation::handle(&counter.sale, call).await {
        Ok(_) => Ok(frame.see(&format!("orders/{id}"))),
        Err(problem) => match problem.code {
            Code::Forbidden | Code::TicketNotFound | Code::InternalError => Err(problem),
            Code::TicketAlreadyCancelled => Ok(frame.see(&format!("orders/{id}"))),
            Code::ServiceUnavailable => Ok(frame.see(&format!("orders/{id}?notice=later"))),
            _ => Ok(frame.see(&format!("orders/{id}?notice=uncancelled"))),
        },
    }
}
