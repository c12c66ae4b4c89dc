//! Delivery is at least once: the same event may come again, at any moment.

use boxoffice_e2e::{Booking, BoxOffice, Card, Outcome, Seats, Verdict, ensure, tables::StoredEvent};

/// Makes the start of this booking's saga come twice more, straight and over the bus, and sees that both end having done nothing.
async fn start_again(house: &BoxOffice, booking: &Booking) -> Outcome<()> {
    let id = booking.id();
    let before = (booking.now().await?, booking.history().await?.to_string());
    let mut executions = house.machine.until_started(id, 1).await?;
    let first = executions.remove(0);

    let again = house.machine.start_again(&first).await?;
    let ended = house.machine.until_ended(&again).await?;
    ensure!(ended.status == "SUCCEEDED", "the second start of {id} should end quietly; it ended {}", ended.status);

    let created = first_event(booking).await?;
    house.bus.repeat(&created).await?;
    for execution in house.machine.until_started(id, 3).await? {
        if execution.arn != first.arn {
            let ended = house.machine.until_ended(&execution).await?;
            ensure!(ended.status == "SUCCEEDED", "{} ended {}", ended.arn, ended.status);
        }
    }
    let after = (booking.now().await?, booking.history().await?.to_string());
    ensure!(before == after, "a second start changed {id}: {before:?} became {after:?}");
    Ok(())
}

async fn first_event(booking: &Booking) -> Outcome<StoredEvent> {
    let events = booking.history().await?.ticket;
    events.into_iter().next().ok_or_else(|| boxoffice_e2e::Failure::new("the ticket has no event"))
}

#[tokio::test]
async fn a_second_start_while_the_first_waits_for_the_buyer_does_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).booked().await?;
    booking.until_awaited().await?;

    start_again(&house, &booking).await?;
    booking.pay(Card::Good).await?.with_status(200)?;
    booking.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed\n\
         seats: InventoryReserved InventorySold\n\
         payment: PaymentInitiated PaymentProcessing PaymentCompleted\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_second_start_after_the_first_ended_does_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    start_again(&house, &booking).await?;

    assert_eq!(show.seats().await?, Seats { available: 9, held: 0, sold: 1 });
    booking.check_money().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_start_after_everything_was_undone_does_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).paid_with(Card::Declined).booked().await?;
    booking.declined_for_good().await?;

    start_again(&house, &booking).await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_second_wish_to_cancel_refunds_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    let before = booking.history().await?;
    let known = house.machine.executions_about(booking.id()).await?.len();
    for stored in &before.ticket {
        if stored.event.metadata.event_type == "TicketCancellationRequested" {
            house.bus.repeat(stored).await?;
        }
    }
    for execution in house.machine.until_started(booking.id(), known + 1).await? {
        house.machine.until_ended(&execution).await?;
    }

    assert_eq!(booking.history().await?.to_string(), before.to_string());
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    booking.check_money().await?;
    Ok(())
}
