//! Each page's template, with what it shows.

use crate::{
    api::{Event, Ticket, TicketStatus},
    enrolment::Enrolment,
    frame::Frame,
    language::{Calendar, Language},
    texts::{count, fill},
};
use askama::Template;
use boxoffice_kernel::{Amount, Timestamp};

/// From so few tickets on a page says how many are left.
const FEW: u32 = 20;

/// A date, as a leaf of a calendar and in words.
#[derive(Debug, Clone)]
pub struct Date {
    /// For programs.
    pub iso: String,
    /// In words.
    pub moment: String,
    /// The day of the month.
    pub day: u32,
    /// The month in a few letters.
    pub month: String,
    /// The weekday in a few letters.
    pub weekday: String,
}

impl Date {
    /// This instant in this language.
    pub fn of(language: Language, instant: Timestamp) -> Self {
        Self {
            iso: instant.to_string(),
            moment: language.moment(instant),
            day: Calendar::of(instant).day,
            month: language.month_leaf(instant),
            weekday: language.weekday_leaf(instant),
        }
    }
}

/// An event in a list, or at the head of its page.
#[derive(Debug, Clone)]
pub struct Card {
    /// Where its page is.
    pub link: String,
    /// Its name.
    pub name: String,
    /// Where it takes place.
    pub place: String,
    /// When it begins.
    pub date: Date,
    /// The price of a ticket.
    pub price: String,
    /// How many tickets are left, where they are few.
    pub left: Option<String>,
}

impl Card {
    /// The card of this event.
    pub fn of(frame: &Frame, event: &Event) -> Self {
        let (language, t) = (frame.language, frame.t);
        let left = match event.available_seats {
            0 => Some(t.sold_out.to_owned()),
            1..=FEW => Some(count(language, t.left_one, t.left_many, event.available_seats)),
            _ => None,
        };
        Self {
            link: frame.to(&format!("events/{}", event.id)),
            name: event.event_name.clone(),
            place: event.location.clone(),
            date: Date::of(language, event.event_date),
            price: language.money(event.price, event.currency),
            left,
        }
    }
}

/// The events on sale.
#[derive(Debug, Template)]
#[template(path = "list.html")]
pub struct ListPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The words that are looked for.
    pub query: &'a str,
    /// The events.
    pub cards: Vec<Card>,
    /// The text where there are none.
    pub nothing: String,
    /// Where the list goes on.
    pub more: Option<String>,
}

/// An event.
#[derive(Debug, Template)]
#[template(path = "event.html")]
pub struct EventPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The event.
    pub card: Card,
    /// Its id.
    pub id: String,
    /// The number of tickets in the field.
    pub quantity: u32,
    /// The most tickets that the field takes.
    pub most: u32,
    /// The price in minor units, for the script.
    pub minor: u64,
    /// The currency, for the script.
    pub currency: &'static str,
    /// Why nothing can be bought, in short and in full.
    pub closed: Option<(&'static str, &'static str)>,
}

/// The subject of an order.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The event's name.
    pub name: String,
    /// When it begins.
    pub date: Date,
    /// Where it takes place, where that is known.
    pub place: Option<String>,
    /// How many tickets.
    pub tickets: String,
    /// Their price.
    pub total: String,
}

impl Summary {
    /// The summary of so many tickets to this event.
    pub fn chosen(frame: &Frame, event: &Event, quantity: u32, total: Amount) -> Self {
        Self {
            name: event.event_name.clone(),
            date: Date::of(frame.language, event.event_date),
            place: Some(event.location.clone()),
            tickets: tickets(frame, quantity),
            total: frame.language.money(total, event.currency),
        }
    }

    /// The summary of this order.
    pub fn of_order(frame: &Frame, ticket: &Ticket, place: Option<String>) -> Self {
        Self {
            name: ticket.event_name.clone(),
            date: Date::of(frame.language, ticket.event_date),
            place,
            tickets: tickets(frame, ticket.quantity.get()),
            total: frame.language.money(ticket.total_amount, ticket.currency),
        }
    }
}

/// `2 tickets`.
pub fn tickets(frame: &Frame, quantity: u32) -> String {
    count(frame.language, frame.t.tickets_one, frame.t.tickets_many, quantity)
}

/// The choice, before it is reserved.
#[derive(Debug, Template)]
#[template(path = "checkout.html")]
pub struct CheckoutPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The choice.
    pub summary: Summary,
    /// The form's token.
    pub token: String,
    /// The order's idempotency key: of two presses of the button, one makes the order.
    pub key: String,
    /// The event.
    pub event: String,
    /// How many tickets.
    pub quantity: u32,
    /// The total that is shown, in minor units.
    pub minor: u64,
    /// Its currency.
    pub currency: &'static str,
    /// Where the choice is changed.
    pub change: String,
}

/// The values of the forms that were sent and came back; never a password.
#[derive(Debug, Clone, Default)]
pub struct SessionValues {
    /// The name of a log-in.
    pub username: String,
    /// Whether the account has a second factor, whose code is asked for.
    pub asks_code: bool,
    /// The mail address of a registration.
    pub email: String,
    /// The given name of a registration.
    pub first_name: String,
    /// The family name of a registration.
    pub last_name: String,
}

/// Logging in and registering.
#[derive(Debug, Template)]
#[template(path = "session.html")]
pub struct SessionPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
    /// Where to go on.
    pub to: String,
    /// The values of the form that came back.
    pub values: SessionValues,
    /// The rule for a password.
    pub password_hint: String,
    /// The last thing that was done, or the reason to log in.
    pub notice: Option<&'static str>,
    /// Whether somebody who is logged in does so again: they do not register.
    pub is_again: bool,
}

/// The code that verifies a mail address.
#[derive(Debug, Template)]
#[template(path = "verification.html")]
pub struct VerificationPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
    /// Where the code went; nothing where no address waits for one.
    pub lead: Option<String>,
    /// That another code is on its way.
    pub sent: Option<String>,
    /// The code that came back.
    pub code: String,
}

/// Asking for a code for a new password.
#[derive(Debug, Template)]
#[template(path = "forgotten.html")]
pub struct ForgottenPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
    /// The mail address that came back.
    pub email: String,
}

/// The code and the new password.
#[derive(Debug, Template)]
#[template(path = "reset.html")]
pub struct ResetPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
    /// The code that came back.
    pub code: String,
    /// The rule for a password.
    pub password_hint: String,
}

/// Adding a second factor, and removing it.
#[derive(Debug, Template)]
#[template(path = "factor.html")]
pub struct FactorPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
}

/// The secret for an authenticator app, and its first code.
#[derive(Template)]
#[template(path = "enrolment.html")]
pub struct EnrolmentPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
    /// The secret.
    pub enrolment: Enrolment,
}

/// The recovery codes, this once.
#[derive(Template)]
#[template(path = "recovery.html")]
pub struct RecoveryPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The codes.
    pub codes: Vec<String>,
}

/// Until when an order is held.
#[derive(Debug, Clone)]
pub struct Until {
    /// For the script.
    pub iso: String,
    /// In words.
    pub text: String,
}

/// The form that pays.
#[derive(Debug, Clone)]
pub struct Pay {
    /// Where it goes.
    pub action: String,
    /// The token of the card that was entered, or nothing.
    pub card: String,
    /// The button's label.
    pub label: String,
    /// Where another card is entered.
    pub other: String,
    /// The total in minor units, for Stripe's script.
    pub minor: u64,
    /// Its currency, as Stripe spells it.
    pub currency: String,
}

/// The way to the buyer's bank, and back.
#[derive(Debug, Clone)]
pub struct Bank {
    /// The bank's page.
    pub url: String,
    /// The page that looks up how it went.
    pub back: String,
}

/// The form that cancels.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Where it goes.
    pub action: String,
    /// The policy on the money.
    pub policy: &'static str,
}

/// An order, in each of its states.
#[derive(Debug, Template)]
#[template(path = "order.html")]
pub struct OrderPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The step of buying; 0 once it is over.
    pub step: u8,
    /// The state's name, for the script.
    pub stage: &'static str,
    /// The last thing that went wrong.
    pub notice: Option<&'static str>,
    /// The meaning of the state.
    pub lead: Option<String>,
    /// The subject of the order.
    pub summary: Summary,
    /// The form's token.
    pub token: String,
    /// Until when it is held.
    pub until: Option<Until>,
    /// The form that pays.
    pub pay: Option<Pay>,
    /// The way to the bank.
    pub bank: Option<Bank>,
    /// Where the same choice is made again.
    pub again: Option<String>,
    /// Where the calendar file is.
    pub calendar: Option<String>,
    /// The form that cancels.
    pub cancel: Option<Cancel>,
    /// The order.
    pub id: String,
}

/// An order in a list.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where its page is.
    pub link: String,
    /// The event's name.
    pub name: String,
    /// When it begins.
    pub date: Date,
    /// How many tickets.
    pub tickets: String,
    /// Their price.
    pub total: String,
    /// The order's state.
    pub state: &'static str,
}

impl Row {
    /// The row of this order.
    pub fn of(frame: &Frame, ticket: &Ticket) -> Self {
        Self {
            link: frame.to(&format!("orders/{}", ticket.id)),
            name: ticket.event_name.clone(),
            date: Date::of(frame.language, ticket.event_date),
            tickets: tickets(frame, ticket.quantity.get()),
            total: frame.language.money(ticket.total_amount, ticket.currency),
            state: match ticket.status {
                TicketStatus::Pending => frame.t.state_pending,
                TicketStatus::Confirmed => frame.t.state_confirmed,
                TicketStatus::Cancelled => frame.t.state_cancelled,
                TicketStatus::Completed => frame.t.state_completed,
            },
        }
    }
}

/// The orders of the reader.
#[derive(Debug, Template)]
#[template(path = "orders.html")]
pub struct OrdersPage<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The form's token.
    pub token: String,
    /// The user who is logged in.
    pub who: String,
    /// The last thing that was done.
    pub notice: Option<&'static str>,
    /// That the mail address waits to be verified.
    pub unverified: Option<String>,
    /// The orders.
    pub rows: Vec<Row>,
    /// Where the list goes on.
    pub more: Option<String>,
}

/// `You are logged in as Ada.`
pub fn signed_in(frame: &Frame, name: &str) -> String {
    fill(frame.t.signed_in, "name", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frame::Audience, order::tests::ticket, visitor::tests::asked};
    use serde_json::json;

    #[test]
    fn a_name_of_markup_is_text() {
        let frame = Frame::of(&asked("GET", "/shop/orders", &[]), Audience::Reader).page("My orders", "orders");
        let mut order = ticket("CONFIRMED", json!({}));
        order.event_name = "<script>alert(1)</script>\" onload=x".into();
        let rows = vec![Row::of(&frame, &order)];
        let page = OrdersPage {
            frame: &frame,
            token: "t".into(),
            who: "<b>Ada</b>".into(),
            notice: None,
            unverified: Some("<b>Ada</b>".into()),
            rows,
            more: None,
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("<b>Ada"), "{html}");
        assert!(html.contains("&#60;script&#62;alert(1)"), "{html}");
    }

    #[test]
    fn a_secret_is_a_picture_and_a_key_and_needs_no_style_of_its_own() {
        let frame =
            Frame::of(&asked("POST", "/shop/second-factor", &[]), Audience::Reader).page("App", "second-factor");
        let uri = "otpauth://totp/Box%20Office:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Box%20Office";
        let enrolment = Enrolment::of(uri).unwrap();
        let html = EnrolmentPage { frame: &frame, token: "t".into(), enrolment }.render().unwrap();
        assert!(html.contains("<code id=\"key\">GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ</code>"), "{html}");
        assert!(html.contains("<svg class=\"qr\"") && !html.contains("style="), "{html}");
        assert!(html.len() < 20 * 1024, "{}", html.len());
        // The form brings the address back, so that a wrong code shows the same secret.
        assert!(html.contains("name=\"uri\" value=\"otpauth://totp/Box%20Office:ada?secret="), "{html}");
    }

    #[test]
    fn few_tickets_are_counted_and_many_are_not() {
        let frame = Frame::of(&asked("GET", "/shop?lang=de", &[]), Audience::Everybody);
        let left = |seats: u32| {
            let event: Result<Event, _> = serde_json::from_value(json!({
                "id": "inv_01970000000070008000000000000001", "eventName": "Late Show", "eventDate": "2035-06-01T20:00:00Z",
                "location": "Vienna", "price": 49.9, "currency": "EUR", "availableSeats": seats, "onSale": true
            }));
            let event = event.unwrap();
            Card::of(&frame, &event).left
        };
        assert_eq!(left(0).as_deref(), Some("Ausverkauft"));
        assert_eq!(left(1).as_deref(), Some("noch 1 Ticket"));
        assert_eq!(left(20).as_deref(), Some("noch 20 Tickets"));
        assert_eq!(left(21), None);
    }
}
