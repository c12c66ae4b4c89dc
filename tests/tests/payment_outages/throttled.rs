//! The provider wants fewer requests: it answers every second one with 429, which is no outage.
//!
//! `BOXOFFICE_THROTTLED_PAYMENTS=500 BOXOFFICE_THROTTLED_SECONDS=60` makes a sale of it: `make throttled`.

use crate::{Alone, bookings_of};
use boxoffice_e2e::{
    Booking, Card, Failure, Outcome, PaymentStatus, Seats, Verdict, ensure,
    provider::{Fault, Money, Which},
    stack::setting,
    story::Order,
    wait::{AFTER_ALL_RETRIES, Look, until},
};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
};

/// Orders under way at once.
const AT_ONCE: usize = 8;

/// An order that is charged at once, or paid by its buyer, who tries again for as long as they are told to.
async fn bought(order: Order, at_once: bool) -> Outcome<Booking> {
    if at_once {
        let order = order.paid_with(Card::Good);
        return order.got(&order.answered().await?);
    }
    let booking = order.got(&order.answered().await?)?;
    until(format!("{} is paid", booking.id()), AFTER_ALL_RETRIES, async || {
        let reply = booking.pay(Card::Good).await?;
        match reply.status {
            200 => Ok(Look::Done(())),
            502..=504 => Ok(Look::NotYet(reply.body)),
            _ => Err(Failure::new(format!("a buyer is refused: {}", reply.body))),
        }
    })
    .await?;
    Ok(booking)
}

#[tokio::test]
async fn a_provider_that_throttles_half_of_all_calls_undoes_no_booking_and_charges_each_once() -> Verdict {
    LocalSet::new().run_until(throttled_sale()).await
}

async fn throttled_sale() -> Verdict {
    let (payments, seconds) =
        (setting("BOXOFFICE_THROTTLED_PAYMENTS", 24_u32)?, setting("BOXOFFICE_THROTTLED_SECONDS", 3_u64)?);
    let stage = Alone::open().await?;
    let (provider, show) = (stage.house.provider()?, stage.show_of(payments).await?);
    let busy = provider.arm_every(2, &Which::all(bookings_of(&show)), Fault::RateLimit).await?;

    let (began, gate) = (Instant::now(), Rc::new(Semaphore::new(AT_ONCE)));
    let mut buyers = JoinSet::new();
    for number in 0..payments {
        let (order, gate) = (show.order(1), Rc::clone(&gate));
        buyers.spawn_local(async move {
            let _turn = gate.acquire().await.map_err(|error| Failure::of("waiting for a turn", &error))?;
            bought(order, number % 2 == 0).await
        });
    }
    until("the provider has throttled for long enough", AFTER_ALL_RETRIES, async || {
        let (hits, waited) = (provider.hits(&busy).await?, began.elapsed());
        Ok(Look::done_if(hits >= payments / 2 && waited >= Duration::from_secs(seconds), (hits, waited)))
    })
    .await?;
    let throttled = provider.hits(&busy).await?;
    provider.disarm(&busy).await?;

    let mut bookings = Vec::new();
    while let Some(buyer) = buyers.join_next().await {
        bookings.push(buyer.map_err(|error| Failure::of("a buyer", &error))??);
    }
    for booking in &bookings {
        booking.until_confirmed().await?;
    }
    let confirmed_after = began.elapsed();

    for booking in &bookings {
        let (payment, money) = (booking.payment().await?, booking.money().await?);
        let due = Money { charged: show.inventory.price.0, refunded: 0 };
        ensure!(payment.status == PaymentStatus::Success && money == due, "{}: {payment:?}, {money:?}", booking.id());
        ensure!(provider.charges(booking.id()).await? == 1, "{} is charged twice", booking.id());
    }
    assert_eq!(show.seats().await?, Seats { available: 0, held: 0, sold: payments });
    println!(
        "{payments} payments, {throttled} requests throttled in {seconds} s or more: the last is confirmed after {:.0} s",
        confirmed_after.as_secs_f64()
    );
    Ok(())
}
