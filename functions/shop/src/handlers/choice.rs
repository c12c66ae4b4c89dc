//! The page that checks a choice, which one function shows and another shows again with what has to be put right.

use super::show_shop;
use crate::{
    api::{Call, Event, read, session_of},
    form::random,
    frame::Frame,
    pages::{CheckoutPage, Summary},
    texts::{count, fill},
};
use boxoffice_inventory::{App, handlers::get_inventory};
use boxoffice_kernel::{InventoryId, Quantity};
use boxoffice_runtime::{Code, Problem, auth::Caller, http::Answer};
use lambda_http::{
    Request,
    http::{Method, StatusCode},
};

/// A choice: so many tickets to an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) event: InventoryId,
    /// As it was typed into the field; nothing where that is no number.
    pub(super) quantity: Option<u32>,
}

impl Choice {
    /// The choice that these texts name.
    ///
    /// # Errors
    /// When the event is none.
    pub(super) fn of(event: &str, quantity: &str) -> Result<Self, Problem> {
        let event = event.parse().map_err(|error| Problem::new(Code::InvalidId, format!("event {error}.")))?;
        Ok(Self { event, quantity: quantity.trim().parse().ok() })
    }

    /// The path of its page below `/shop/`.
    pub(super) fn path(self) -> String {
        format!("checkout?event={}&quantity={}", self.event, self.quantity.unwrap_or_default())
    }
}

/// Shows the choice as it is now, with a new key; where it cannot be reserved, the event with the reason. `refusal` is why it was not reserved a moment ago.
pub(super) async fn show(
    inventory: &App,
    request: &Request,
    mut frame: Frame,
    caller: &Caller,
    choice: Choice,
    refusal: Option<&Problem>,
) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let call = Call::new(request, Method::GET, "/inventory/{id}", None).path("id", choice.event).request()?;
    let event: Event = read(&get_inventory::handle(inventory, call).await?)?;
    let (t, language) = (frame.t, frame.language);
    let status = refusal.map_or(StatusCode::OK, |problem| problem.code.status());
    let wanted = choice.quantity.unwrap_or_default();
    let most = event.most();
    let quantity = Quantity::new(wanted).ok().filter(|_| wanted <= most);
    let back = |frame: Frame, text: String, status: StatusCode| {
        let field = event.is_bookable().then_some("quantity");
        let frame = frame.page(event.event_name.clone(), format!("events/{}", event.id)).fault(field, text);
        Ok(show_shop::shown(&frame, &event, status, wanted))
    };
    let conflict = if refusal.is_some() { status } else { StatusCode::CONFLICT };
    if !event.on_sale {
        return back(frame, t.closed.to_owned(), conflict);
    }
    if event.available_seats == 0 {
        return back(frame, t.error_gone.to_owned(), conflict);
    }
    let Some((quantity, total)) = quantity.and_then(|it| Some((it, event.price.times(it).ok()?))) else {
        if wanted > event.available_seats {
            let text = count(language, t.error_left_one, t.error_left_many, event.available_seats);
            return back(frame, text, conflict);
        }
        let text = fill(t.error_quantity, "n", &language.number(most.into()));
        return back(frame, text, StatusCode::UNPROCESSABLE_ENTITY);
    };
    let fault = refusal.map(|problem| match problem.code {
        Code::PriceChanged => fill(t.error_price, "total", &language.money(total, event.currency)),
        Code::InventoryUnavailable => t.error_busy.to_owned(),
        Code::SalesClosed | Code::EventCancelled => t.closed_text.to_owned(),
        Code::InvalidQuantity | Code::TotalTooLarge => fill(t.error_quantity, "n", &language.number(most.into())),
        _ if status.is_server_error() => t.error_busy.to_owned(),
        // A limit of the event or of the buyer.
        _ if problem.field.as_deref() == Some("quantity") => t.error_limit.to_owned(),
        _ => t.error_other.to_owned(),
    });
    let frame = frame.page(t.checkout_title, choice.path());
    let frame = fault.into_iter().fold(frame, |frame, text| frame.fault(None, text));
    let page = CheckoutPage {
        summary: Summary::chosen(&frame, &event, wanted, total),
        token: secret.token(session_of(Some(caller))),
        key: random()?,
        event: event.id.to_string(),
        quantity: quantity.get(),
        minor: total.minor(),
        currency: event.currency.code(),
        change: frame.to(&format!("events/{}", event.id)),
        frame: &frame,
    };
    Ok(frame.answer(status, &page))
}
