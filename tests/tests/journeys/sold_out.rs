//! No seat is sold twice, and none is kept from a buyer.

use boxoffice_e2e::{BoxOffice, Card, Seats, Verdict};

#[tokio::test]
async fn sold_out_event_refuses_with_conflict() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(2).await?;
    show.order(2).paid_with(Card::Good).booked().await?.until_confirmed().await?;

    let problem = show.order(1).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;

    assert_eq!(problem.field.as_deref(), Some("quantity"));
    assert_eq!(show.seats().await?, Seats { available: 0, held: 0, sold: 2 });
    Ok(())
}

#[tokio::test]
async fn an_order_for_more_than_is_left_takes_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(5).await?;
    show.order(3).booked().await?;

    show.order(3).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;
    assert_eq!(show.seats().await?, Seats { available: 2, held: 3, sold: 0 });
    show.order(2).booked().await?;
    assert_eq!(show.seats().await?, Seats { available: 0, held: 5, sold: 0 });
    Ok(())
}

#[tokio::test]
async fn a_cancelled_ticket_s_seats_can_be_bought_by_another() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(1).await?;
    let first = show.order(1).paid_with(Card::Good).booked().await?;
    first.until_confirmed().await?;
    show.order(1).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;

    first.cancel().await?.with_status(202)?;
    first.until_cancelled("CANCELLED_BY_BUYER").await?;
    show.order(1).paid_with(Card::Good).booked().await?.until_confirmed().await?;

    assert_eq!(show.seats().await?, Seats { available: 0, held: 0, sold: 1 });
    Ok(())
}

#[tokio::test]
async fn an_order_larger_than_a_shard_is_served_from_several() -> Verdict {
    let house = BoxOffice::open().await?;
    // Two shards of 60 seats, of which these two orders leave 20 each.
    let show = house.show(120).await?;
    for _ in 0..2 {
        show.order(40).paid_with(Card::Good).booked().await?.until_confirmed().await?;
    }

    let booking = show.order(30).paid_with(Card::Good).booked().await?;
    assert_eq!(show.seats().await?.total(), 120);
    booking.until_confirmed().await?;
    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 110 });
    show.order(11).sent().await?.refusal(409, "INVENTORY_UNAVAILABLE")?;

    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    assert_eq!(show.seats().await?, Seats { available: 40, held: 0, sold: 80 });
    Ok(())
}
