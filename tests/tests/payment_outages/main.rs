//! A payment provider that fails, in each of the ways in which one does.
//!
//! A program of its own, one test at a time: enough failures open the circuit breaker that all bookings share, and a test beside these would
//! see its own payments refused.

mod lost_answers;
mod stuck;
mod throttled;
mod unavailable;

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, Show,
    model::Cents,
    story::{Body, random},
    wait::{Look, SOON, until},
};
use tokio::sync::{Mutex, MutexGuard};

/// A stack whose payments work, for one test alone.
struct Alone {
    house: BoxOffice,
    _turn: MutexGuard<'static, ()>,
}

impl Alone {
    async fn open() -> Outcome<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let house = BoxOffice::open().await?;
        house.tables.forget_breaker().await?;
        until_payments_work(&house).await?;
        Ok(Self { house, _turn: turn })
    }

    /// A show whose single seat costs what no other does. The provider sees the amount of a payment from its very first request on, so faults can be
    /// ordered for a booking that is yet to be made.
    async fn show(&self) -> Outcome<Show> {
        self.show_of(10).await
    }

    /// The same with so many seats.
    async fn show_of(&self, seats: u32) -> Outcome<Show> {
        let price = Cents(100_000 + u64::from(random(900_000)));
        self.house.show_with(&Body::show(seats).with("price", serde_json::json!(price))).await
    }
}

/// How the provider's requests tell this show's bookings (of one seat) from all others.
fn bookings_of(show: &Show) -> String {
    format!("amount={}&", show.inventory.price.0)
}

/// An earlier test's fault of the payment provider is over when buyers can pay.
async fn until_payments_work(house: &BoxOffice) -> Outcome<()> {
    let show = house.show(100).await?;
    let mut waiting: Option<Booking> = None;
    until("payments work again", SOON, async || {
        let booking = match waiting.take() {
            Some(booking) => booking,
            None => {
                let booking = show.order(1).booked().await?;
                booking.until_awaited().await?;
                booking
            }
        };
        let paid = booking.pay(Card::Good).await?;
        match paid.status {
            200 => Ok(Look::Done(())),
            503 => {
                waiting = Some(booking);
                Ok(Look::NotYet("payments are refused".into()))
            }
            // Its hold is over: the next look books anew.
            _ => Ok(Look::NotYet(paid.body)),
        }
    })
    .await
}
