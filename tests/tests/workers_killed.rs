//! Every Lambda process is killed, again and again, in the middle of 50 bookings; then nothing is left half done.
//!
//! **Destructive**, and so a program of its own that cargo runs by itself, after the others: a test beside it would see its own requests die.
//! It needs the embedded emulator on this machine and kills only that emulator's functions (see [`boxoffice_e2e::workers`]); the
//! emulator starts new ones by itself.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Failure, Outcome, SagaStatus, Seats, TicketStatus, Verdict, ensure,
    story::Order,
    wait::{AFTER_ALL_RETRIES, Look, until},
    workers,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

const BOOKINGS: u32 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_half_done() -> Verdict {
    let house = BoxOffice::open().await?;
    house
        .bus
        .listening(async |listener| {
            let show = house.show(BOOKINGS * 2).await?;
            house.buyer.token().await?;
            let booked = Arc::new(AtomicUsize::new(0));
            let mut buyers = JoinSet::new();
            for (number, card) in
                (0..BOOKINGS).zip([Some(Card::Good), Some(Card::Good), Some(Card::Declined), None].into_iter().cycle())
            {
                let order = show.order(1 + number % 3);
                let order = match card {
                    Some(card) => order.paid_with(card),
                    None => order,
                };
                let booked = booked.clone();
                buyers.spawn(async move {
                    let booking = book_until_answered(&order).await;
                    booked.fetch_add(1, Ordering::SeqCst);
                    booking
                });
            }

            // While the first book, while others book and their sagas run, and when only sagas run.
            let mut killed = 0;
            for moment in [1, 15, 30, 50] {
                until(format_args!("{moment} are booked"), AFTER_ALL_RETRIES, async || {
                    let so_far = booked.load(Ordering::SeqCst);
                    Ok(Look::done_if(so_far >= moment, so_far))
                })
                .await?;
                killed += workers::kill(&house.stack)?;
            }
            ensure!(killed >= 4, "only {killed} processes were killed: this was no crash");
            let mut bookings = Vec::new();
            for booking in buyers.join_all().await {
                bookings.push(booking?);
            }

            let (mut sold, mut stored) = (0, Vec::new());
            for booking in &bookings {
                let (ticket, saga) = booking.until_settled(AFTER_ALL_RETRIES).await?;
                ensure!(
                    saga.status != SagaStatus::NeedsAttention,
                    "{} needs attention after a crash that every retry outlives:\n{}",
                    booking.id(),
                    saga.transcript()
                );
                booking.check_money().await?;
                sold += if ticket.status == TicketStatus::Confirmed { ticket.quantity } else { 0 };
                stored.extend(booking.history().await?.all());
            }
            all_are_known(&house, show.id(), &bookings).await?;
            let expected = Seats { available: BOOKINGS * 2 - sold, held: 0, sold };
            let seats = show.seats().await?;
            ensure!(seats == expected, "{seats} instead of {expected}");
            // Each stored event was published, although its publisher was killed.
            listener.until_heard(&stored, AFTER_ALL_RETRIES).await
        })
        .await?;
    Ok(())
}

/// A buyer whose connection broke cannot know whether the booking was made, and asks again under the same key until told.
async fn book_until_answered(order: &Order) -> Outcome<Booking> {
    let asking = async {
        loop {
            match order.sent().await {
                Ok(reply) if reply.status == 201 => return order.got(&reply),
                Ok(reply) if reply.status < 500 => {
                    return Err(Failure::new(format!("a crash turned an order into {reply:?}")));
                }
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    };
    let answered = tokio::time::timeout(AFTER_ALL_RETRIES, asking).await;
    answered.unwrap_or_else(|_| Err(Failure::new("an order was never answered")))
}

/// No ticket exists that no buyer was told of: one key, one booking, even across a crash.
async fn all_are_known(house: &BoxOffice, inventory_id: &str, bookings: &[Booking]) -> Outcome<()> {
    let items = house.tables.items_where("TicketsTable", "inventoryId", inventory_id).await?;
    let pending: Vec<_> =
        items.iter().filter(|item| item.get("status").is_some_and(|status| status == "PENDING")).collect();
    ensure!(pending.is_empty(), "still pending: {pending:?}");
    let tickets = items.iter().filter(|item| item.get("status").is_some()).count();
    ensure!(tickets == bookings.len(), "{tickets} tickets of {} bookings", bookings.len());
    Ok(())
}
