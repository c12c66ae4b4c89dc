//! `make demo`: books real tickets on a running stack, and shows what became of each.
//!
//! Five buyers of one small show. Whatever they do, every seat is available, held or sold, and the demo ends with an error if anything is not as it should
//! be: it looks at what it shows, money at the payment provider included.

mod screen;
mod timeline;

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, PaymentStatus, Seats, Show, ensure,
    model::Cents,
    story::{Body, in_days},
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
    let hugo = show.order(2).booked().await?;

    screen.chapter("Ana books 2 seats and pays at once");
    let ana = screen.while_working("Ana's card is charged", ana(&show)).await?;
    screen.story(&ana, show.seats().await?).await?;

    screen.chapter("Ben's card is declined");
    let ben = screen.while_working("Ben's card is declined, and all is undone", ben(&show)).await?;
    screen.story(&ben, show.seats().await?).await?;

    screen.chapter("Cleo pays later, then changes her mind");
    let cleo = screen.while_working("Cleo pays, then cancels", cleo(&show)).await?;
    screen.story(&cleo, show.seats().await?).await?;

    screen.chapter("Hugo books 2 seats and never pays");
    screen.while_working("Hugo's hold runs out", hugo.until_cancelled("HOLD_EXPIRED")).await?;
    screen.story(&hugo, show.seats().await?).await?;

    screen.chapter("Dana takes every seat that is left, and Eve comes too late");
    let dana = screen.while_working("Dana's card is charged", dana(&show)).await?;
    screen.story(&dana, show.seats().await?).await?;
    screen.refusal("Eve", &eve(&show).await?);

    ensure!(
        show.seats().await? == (Seats { available: 0, held: 0, sold: 8 }),
        "the show should be sold out; its seats are {}",
        show.seats().await?
    );
    screen.end(began.elapsed());
    Ok(())
}

async fn small_show(house: &BoxOffice) -> Outcome<Show> {
    let number = uuid::Uuid::now_v7().simple().to_string();
    let name = format!("An Evening by the Ferris Wheel {}", number.get(28..).unwrap_or_default());
    let body = Body::of(serde_json::json!({
        "eventName": name, "eventDate": in_days(30), "totalSeats": 8,
        "price": Cents(4990), "currency": "EUR", "location": "Prater, Vienna",
    }));
    house.show_with(&body).await
}

async fn sold(show: &Show, expected: u32) -> Outcome<()> {
    let seats = show.seats().await?;
    ensure!(seats.sold == expected, "{expected} seats should be sold; the seats are {seats}");
    Ok(())
}

async fn ana(show: &Show) -> Outcome<Booking> {
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    sold(show, 2).await?;
    Ok(booking)
}

async fn ben(show: &Show) -> Outcome<Booking> {
    let booking = show.order(1).paid_with(Card::Declined).booked().await?;
    booking.until_cancelled("PAYMENT_DECLINED").await?;
    sold(show, 2).await?;
    Ok(booking)
}

async fn cleo(show: &Show) -> Outcome<Booking> {
    let booking = show.order(1).booked().await?;
    booking.until_payable().await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;
    sold(show, 3).await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    let payment = booking.payment().await?.status;
    ensure!(payment == PaymentStatus::Refunded, "Cleo should have her money back; her payment is {payment:?}");
    sold(show, 2).await?;
    Ok(booking)
}

async fn dana(show: &Show) -> Outcome<Booking> {
    let left = show.seats().await?.available;
    let booking = show.order(left).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    Ok(booking)
}

/// Gets the refusal's words.
async fn eve(show: &Show) -> Outcome<String> {
    let problem = show.order(1).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;
    Ok(format!("{} {}: {}", problem.status, problem.code, problem.detail))
}
