//! `make demo`: books real tickets on a running stack, and shows what became of each.
//!
//! Six buyers of one small show, each with an account of their own. At every moment each seat is available, held or sold, and the demo ends with an error
//! if anything is not as it should be: it looks at what it shows, money at the payment provider and mail included.

mod screen;
mod timeline;

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, PaymentStatus, Person, Seats, Show, ensure,
    mailbox::Mail,
    model::Cents,
    story::{Body, fresh, in_days, random},
};
use screen::Screen;
use std::{process::ExitCode, time::Instant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let screen = Screen::of_this_terminal();
    match demo(&screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failed(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn demo(screen: &Screen) -> Outcome<()> {
    let began = Instant::now();
    let house = BoxOffice::open().await?;
    house.api.health().await.map_err(|failure| failure.during("the stack is not healthy (`make logs`)"))?;
    let show = small_show(&house).await?;
    screen.title(&show, &house.stack.api_url);

    // His hold runs out beside everything else.
    let hugo = show.order_of(&registered(&house, "Hugo").await?, 2).booked().await?;

    screen.chapter("Ana registers");
    let (ana, welcome) = screen.while_working("Ana is welcomed", welcomed(&house, "Ana")).await?;
    screen.mail(&welcome);

    screen.chapter("Ana logs in, books 2 seats and pays at once");
    let (booking, mail) = screen.while_working("Ana's card is charged", books_and_pays(&house, &show, &ana)).await?;
    screen.story(&booking, show.seats().await?).await?;
    screen.mail(&mail);

    screen.chapter("Ben's card is declined, and he pays with another");
    let ben = registered(&house, "Ben").await?;
    let ben = screen.while_working("Ben's card is declined, and he tries another", is_declined(&show, &ben)).await?;
    screen.story(&ben, show.seats().await?).await?;

    screen.chapter("Cleo pays later, then changes her mind");
    let cleo = registered(&house, "Cleo").await?;
    let cleo = screen.while_working("Cleo pays, then cancels", changes_her_mind(&show, &cleo)).await?;
    screen.story(&cleo, show.seats().await?).await?;

    screen.chapter("Hugo books 2 seats and never pays");
    screen.while_working("Hugo's hold runs out", hugo.until_cancelled("HOLD_EXPIRED")).await?;
    screen.story(&hugo, show.seats().await?).await?;

    screen.chapter("Dana takes every seat that is left, and Eve comes too late");
    let dana = registered(&house, "Dana").await?;
    let dana = screen.while_working("Dana's card is charged", takes_the_rest(&show, &dana)).await?;
    screen.story(&dana, show.seats().await?).await?;
    screen.refusal("Eve", &is_too_late(&show, &registered(&house, "Eve").await?).await?);

    ensure!(
        show.seats().await? == (Seats { available: 0, held: 0, sold: 8 }),
        "the show should be sold out; its seats are {}",
        show.seats().await?
    );
    screen.end(began.elapsed());
    // Something to buy for whoever opens the shop now.
    let next = house.show_with(&show_of("A Night on the Ferris Wheel", 200)).await?;
    screen.shop(&next, &house.stack.api_url);
    Ok(())
}

async fn small_show(house: &BoxOffice) -> Outcome<Show> {
    house.show_with(&show_of("An Evening by the Ferris Wheel", 8)).await
}

fn show_of(title: &str, seats: u32) -> Body {
    let number = uuid::Uuid::now_v7().simple().to_string();
    let name = format!("{title} {}", number.get(28..).unwrap_or_default());
    Body::of(serde_json::json!({
        "eventName": name, "eventDate": in_days(30), "totalSeats": seats,
        "price": Cents(4990), "currency": "EUR", "location": "Prater, Vienna",
    }))
}

async fn sold(show: &Show, expected: u32) -> Outcome<()> {
    let seats = show.seats().await?;
    ensure!(seats.sold == expected, "{expected} seats should be sold; the seats are {seats}");
    Ok(())
}

async fn registered(house: &BoxOffice, name: &str) -> Outcome<Person> {
    let username = format!("{}.{:08x}", name.to_lowercase(), random(u32::MAX));
    let particulars = Body::of(serde_json::json!({
        "username": username, "email": format!("{username}@example.org"), "password": fresh("a secret"),
        "firstName": name, "lastName": "Buyer",
    }));
    Person::register_as(&house.api, &particulars).await
}

async fn welcomed(house: &BoxOffice, name: &str) -> Outcome<(Person, Mail)> {
    let person = registered(house, name).await?;
    house.verified(&person).await?;
    let mail = house.mailbox.until_mailed_about(person.email(), "Welcome").await?;
    Ok((person, mail))
}

async fn books_and_pays(house: &BoxOffice, show: &Show, ana: &Person) -> Outcome<(Booking, Mail)> {
    let booking = show.order_of(ana, 2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    sold(show, 2).await?;
    let mail = house.mailbox.until_mailed_about(ana.email(), "confirmed").await?;
    Ok((booking, mail))
}

async fn is_declined(show: &Show, ben: &Person) -> Outcome<Booking> {
    let booking = show.order_of(ben, 1).paid_with(Card::Declined).booked().await?;
    booking.until_awaited().await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    sold(show, 3).await?;
    Ok(booking)
}

async fn changes_her_mind(show: &Show, cleo: &Person) -> Outcome<Booking> {
    let booking = show.order_of(cleo, 1).booked().await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    sold(show, 4).await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    let payment = booking.payment().await?.status;
    ensure!(payment == PaymentStatus::Refunded, "Cleo should have her money back; her payment is {payment:?}");
    sold(show, 3).await?;
    Ok(booking)
}

async fn takes_the_rest(show: &Show, dana: &Person) -> Outcome<Booking> {
    let left = show.seats().await?.available;
    let booking = show.order_of(dana, left).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    Ok(booking)
}

/// Gets the refusal's words.
async fn is_too_late(show: &Show, eve: &Person) -> Outcome<String> {
    let problem = show.order_of(eve, 1).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;
    Ok(format!("{} {}: {}", problem.status, problem.code, problem.detail))
}
