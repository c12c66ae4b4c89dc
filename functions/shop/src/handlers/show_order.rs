//! Shows readers what is theirs: a choice before it is reserved, an order in each of its states, and all of their orders.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /shop/checkout`, `GET /shop/orders`, `GET /shop/orders/{id}`, `GET /shop/orders/{id}/calendar` |
//! | reads | as get-inventory (AP-10), list-tickets-by-user (AP-56), get-ticket (AP-50), get-payment (AP-30), get-me (AP-80); the reader's access (AP-03) |

use super::choice::{self, Choice};
use crate::{
    api::{Call, Event, List, Payment, Ticket, TicketStatus, User, read, session_of},
    frame::{Audience, CardEntry, Frame},
    order::Stage,
    pages::{Bank, Cancel, OrderPage, OrdersPage, Pay, Row, Summary, Until, signed_in, tickets},
    texts::fill,
    visitor::{encoded, reader},
};
use boxoffice_inventory::{App, handlers::get_inventory};
use boxoffice_kernel::{TicketId, Timestamp, calendar};
use boxoffice_payments::{PaymentStore, handlers::get_payment};
use boxoffice_runtime::{
    Code, Problem,
    auth::{Caller, Gate},
    config::ConfigError,
    http::{self, Answer},
};
use boxoffice_tickets::{
    TicketStore,
    handlers::{get_ticket, list_tickets_by_user},
};
use boxoffice_users::{UserStore, handlers::get_me};
use lambda_http::{
    Request, RequestExt as _,
    http::{Method, StatusCode},
};

/// Everything that this function is made of.
#[derive(Debug)]
pub struct Desk {
    gate: Gate,
    inventory: App,
    tickets: TicketStore,
    payments: PaymentStore,
    users: UserStore,
    cards: CardEntry,
}

impl Desk {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: Gate::from_env()?,
            inventory: App::from_env()?,
            tickets: boxoffice_tickets::store_from_env()?,
            payments: boxoffice_payments::reader_from_env()?,
            users: boxoffice_users::store_from_env()?,
            cards: CardEntry::from_env()?,
        })
    }
}

/// Answers with the page.
pub async fn handle(desk: &Desk, request: Request) -> Answer {
    let frame = Frame::of(&request, Audience::Reader);
    shown(desk, &request, frame.clone()).await.unwrap_or_else(|problem| frame.refuse(&request, &problem))
}

async fn shown(desk: &Desk, request: &Request, frame: Frame) -> Result<Answer, Problem> {
    let here = here(request)?;
    let caller = match reader(&desk.gate, request, &frame, &here, &here).await {
        Ok(caller) => caller,
        Err(answer) => return Ok(answer),
    };
    match http::route(request).as_str() {
        "/shop/checkout" => {
            let parameters = request.query_string_parameters();
            let text = |name| parameters.first(name).unwrap_or_default();
            let choice = Choice::of(text("event"), text("quantity"))?;
            choice::show(&desk.inventory, request, frame, &caller, choice, None).await
        }
        "/shop/orders" => orders(desk, request, frame, caller).await,
        "/shop/orders/{id}" => order(desk, request, frame, caller).await,
        "/shop/orders/{id}/calendar" => calendar_file(desk, request, &frame, caller).await,
        _ => Err(Problem::new(Code::RouteNotFound, "There is no such page.")),
    }
}

/// The path of this page below `/shop/`, with the parameters that it is made of.
fn here(request: &Request) -> Result<String, Problem> {
    let parameters = request.query_string_parameters();
    let path = match http::route(request).as_str() {
        "/shop/checkout" => {
            let text = |name| parameters.first(name).unwrap_or_default();
            return Choice::of(text("event"), text("quantity")).map(Choice::path);
        }
        "/shop/orders/{id}" => format!("orders/{}", order_id(request)?),
        "/shop/orders/{id}/calendar" => format!("orders/{}/calendar", order_id(request)?),
        _ => "orders".to_owned(),
    };
    let kept = ["card", "notice", "next"].into_iter().filter_map(|name| {
        let value = parameters.first(name).filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", encoded(value)))
    });
    let query = kept.collect::<Vec<_>>().join("&");
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

fn order_id(request: &Request) -> Result<TicketId, Problem> {
    http::path(request, "id", Code::InvalidId)
}

async fn ticket(desk: &Desk, request: &Request, caller: Caller) -> Result<Ticket, Problem> {
    let id = order_id(request)?;
    let call = Call::new(request, Method::GET, "/tickets/{id}", Some(caller)).path("id", id).request()?;
    read(&get_ticket::handle(&desk.tickets, call).await?)
}

/// The event, unless its organiser has removed it.
async fn event(desk: &Desk, request: &Request, ticket: &Ticket) -> Result<Option<Event>, Problem> {
    let call = Call::new(request, Method::GET, "/inventory/{id}", None).path("id", ticket.inventory_id).request()?;
    match get_inventory::handle(&desk.inventory, call).await {
        Ok(answer) => read(&answer).map(Some),
        Err(problem) if problem.code == Code::InventoryNotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

async fn calendar_file(desk: &Desk, request: &Request, frame: &Frame, caller: Caller) -> Result<Answer, Problem> {
    let ticket = ticket(desk, request, caller).await?;
    let place = event(desk, request, &ticket).await?.map(|event| event.location);
    let summary = format!("{} {}", tickets(frame, ticket.quantity.get()), ticket.id);
    let entry = calendar::Entry {
        ticket: ticket.id,
        version: ticket.version,
        status: match ticket.status {
            TicketStatus::Cancelled => calendar::Status::Cancelled,
            TicketStatus::Pending | TicketStatus::Confirmed | TicketStatus::Completed => calendar::Status::Confirmed,
        },
        name: &ticket.event_name,
        starts_at: ticket.event_date,
        place: place.as_deref(),
        summary: &summary,
    };
    let file = entry.file(Timestamp::now());
    let answer = Answer::content("text/calendar; charset=utf-8", file);
    Ok(answer.with_header("content-disposition", "attachment; filename=\"event.ics\"".to_owned()))
}

async fn orders(desk: &Desk, request: &Request, mut frame: Frame, caller: Caller) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let me = Call::new(request, Method::GET, "/users/me", Some(caller)).request()?;
    let me: User = read(&get_me::handle(&desk.users, me).await?)?;
    let parameters = request.query_string_parameters();
    let next = parameters.first("next").map(ToOwned::to_owned);
    let call = Call::new(request, Method::GET, "/tickets/user/{userId}", Some(caller)).path("userId", caller.user_id);
    let call = call.query("next", next).request()?;
    let found: List<Ticket> = read(&list_tickets_by_user::handle(&desk.tickets, call).await?)?;
    let title = frame.t.my_orders;
    let frame = frame.page(title, "orders");
    let page = OrdersPage {
        token: secret.token(session_of(Some(&caller))),
        who: signed_in(&frame, &format!("{} ({})", me.first_name, me.email)),
        notice: (parameters.first("notice") == Some(VERIFIED)).then_some(frame.t.verified),
        unverified: me.unverified().map(|address| fill(frame.t.unverified, "email", address)),
        rows: found.items.iter().map(|ticket| Row::of(&frame, ticket)).collect(),
        more: found.next.map(|next| frame.to(&format!("orders?next={}", encoded(&next)))),
        frame: &frame,
    };
    Ok(frame.answer(StatusCode::OK, &page))
}

async fn order(desk: &Desk, request: &Request, mut frame: Frame, caller: Caller) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let ticket = ticket(desk, request, caller).await?;
    let call = Call::new(request, Method::GET, "/payments/{id}", Some(caller)).path("id", ticket.payment_id);
    let payment: Payment = read(&get_payment::handle(&desk.payments, call.request()?).await?)?;
    let place = event(desk, request, &ticket).await?.map(|event| event.location);
    let stage = Stage::of(&ticket, &payment, Timestamp::now());
    let token = secret.token(session_of(Some(&caller)));
    let parameters = request.query_string_parameters();
    let asked = |name| parameters.first(name).unwrap_or_default();
    Ok(order_page(frame, &desk.cards, &ticket, &stage, place, token, asked("card"), asked("notice")))
}

/// The page of an order in this state.
#[expect(clippy::too_many_arguments, reason = "one page, made in one place")]
fn order_page(
    frame: Frame,
    cards: &CardEntry,
    ticket: &Ticket,
    stage: &Stage,
    place: Option<String>,
    token: String,
    card: &str,
    notice: &str,
) -> Answer {
    let t = frame.t;
    let path = format!("orders/{}", ticket.id);
    let payment_path = format!("{path}/payment");
    let until = fill(t.reserved_until, "time", &frame.language.time(ticket.hold_expires_at));
    let (step, title, lead) = match stage {
        Stage::Payable { .. } => (3, t.pay_title, None),
        Stage::AtBank(_) => (3, t.bank_title, Some(t.bank_text.to_owned())),
        Stage::Waiting => (3, t.waiting_title, Some(t.waiting_text.to_owned())),
        Stage::Paid => (3, t.paid_title, Some(t.paid_text.to_owned())),
        Stage::Confirmed => (4, t.done_title, Some(t.done_text.to_owned())),
        Stage::Cancelling => (0, t.cancelling_title, Some(t.cancelling_text.to_owned())),
        Stage::Late => {
            let lead = fill(t.late_text, "time", &frame.language.time(ticket.hold_expires_at));
            (0, t.late_title, Some(lead))
        }
        Stage::Refused => (0, t.refused_title, Some(t.refused_text.to_owned())),
        Stage::Cancelled => (0, t.cancelled_title, Some(t.cancelled_text.to_owned())),
        Stage::Over => (0, t.over_title, Some(t.over_text.to_owned())),
    };
    let mut frame = frame.page(title, path.clone());
    let (mut pay, mut bank) = (None, None);
    match stage {
        Stage::Payable { .. } => {
            let is_entered = !card.is_empty();
            frame.stripe = cards.publishable_key.clone().filter(|_| !is_entered && cards.hosted.is_none());
            frame = frame.leading_to(cards.hosted.as_deref());
            let total = frame.language.money(ticket.total_amount, ticket.currency);
            let asks_card = cards.hosted.is_some() && !is_entered;
            pay = Some(Pay {
                action: frame.to(&payment_path),
                card: card.to_owned(),
                label: if asks_card { t.enter_card.to_owned() } else { fill(t.pay_now, "total", &total) },
                other: frame.to(&path),
                minor: ticket.total_amount.minor(),
                currency: ticket.currency.code().to_lowercase(),
            });
        }
        Stage::AtBank(url) => {
            if notice == AT_BANK {
                frame.leads = Some(url.clone());
            }
            bank = Some(Bank { url: url.clone(), back: frame.to(&payment_path) });
        }
        // Each look asks the provider as well, so that no lost webhook keeps a buyer waiting.
        Stage::Waiting => frame.waits = Some(frame.to(&payment_path)),
        _ if stage.moves() => frame.waits = Some(frame.to(&path)),
        _ => {}
    }
    let is_held = matches!(stage, Stage::Payable { .. } | Stage::AtBank(_));
    let is_unpaid = ticket.status == TicketStatus::Pending;
    let page = OrderPage {
        step,
        stage: stage.name(),
        notice: said(&frame, stage, notice),
        lead,
        summary: Summary::of_order(&frame, ticket, place),
        token,
        until: is_held.then(|| Until { iso: ticket.hold_expires_at.to_string(), text: until }),
        pay,
        bank,
        again: stage
            .ended()
            .then(|| frame.to(&format!("checkout?event={}&quantity={}", ticket.inventory_id, ticket.quantity))),
        calendar: (*stage == Stage::Confirmed).then(|| frame.to(&format!("{path}/calendar"))),
        cancel: stage.is_cancellable().then(|| Cancel {
            action: frame.to(&format!("{path}/cancellation")),
            policy: if is_unpaid { t.cancel_unpaid } else { t.cancel_policy },
        }),
        id: ticket.id.to_string(),
        frame: &frame,
    };
    frame.answer(StatusCode::OK, &page)
}

/// The notice of a page that its buyer was sent to so as to go on to their bank.
pub(super) const AT_BANK: &str = "bank";

/// The notice of a page that its reader came to by verifying their address.
pub(super) const VERIFIED: &str = "verified";

/// The last thing that went wrong: the notice that another page sent along, or the decline of the last card.
fn said(frame: &Frame, stage: &Stage, notice: &str) -> Option<&'static str> {
    let t = frame.t;
    match (notice, stage) {
        ("card", Stage::Payable { .. }) => Some(t.notice_card),
        ("method", Stage::Payable { .. }) => Some(t.notice_method),
        ("later", _) => Some(t.notice_later),
        ("declines", Stage::Payable { .. }) => Some(t.notice_declines),
        ("uncancelled", _) => Some(t.notice_uncancelled),
        (_, Stage::Payable { declined: true }) => Some(t.declined),
        _ => None,
    }
}
