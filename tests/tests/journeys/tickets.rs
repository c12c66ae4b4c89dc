//! A ticket after its booking: its status by hand, and its end.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Outcome, Seats, TicketStatus, Verdict,
    model::Ticket,
    platform,
    story::{Body, fresh, fresh_id, in_days, in_seconds},
    wait::{Look, SOON, until},
};
use serde_json::json;

/// A paid ticket of an event that is over.
pub(crate) async fn a_booking_of_a_past_event(house: &BoxOffice) -> Outcome<Booking> {
    // Long enough to book, pay and confirm in, and short enough to wait for.
    let show = house.show_with(&Body::show(10).with("eventDate", in_seconds(15))).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    house.manager.patch_status(booking.id(), "COMPLETED").send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
    until("the event is over", SOON, async || {
        let reply = house.manager.patch_status(booking.id(), "COMPLETED").send().await?;
        if reply.status == 409 {
            return Ok(Look::NotYet(reply.body));
        }
        reply.answer::<Ticket>(200).map(Look::Done)
    })
    .await?;
    Ok(booking)
}

#[tokio::test]
async fn nobody_confirms_a_ticket_by_hand() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    for who in [&house.buyer, &house.admin] {
        for status in ["CONFIRMED", "PENDING"] {
            who.patch_status(booking.id(), status).send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
        }
    }
    for status in ["SOLD", "confirmed", ""] {
        house.buyer.patch_status(booking.id(), status).send().await?.refusal(400, "VALIDATION_ERROR")?;
    }
    let path = format!("/tickets/{}/status", booking.id());
    let without = house.buyer.call(reqwest::Method::PATCH, &path).send().await?;
    platform::refused_by_either(&without, 400, "VALIDATION_ERROR").await?;
    let nobody_s = fresh_id("tkt");
    house.admin.patch_status(&nobody_s, "CANCELLED").send().await?.refusal(404, "TICKET_NOT_FOUND")?;

    assert_eq!(booking.now().await?.status, TicketStatus::Pending);
    assert_eq!(booking.history().await?.ticket.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_status_of_cancelled_cancels_as_cancelling_does() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;

    // A manager runs events; whose ticket it is decides whether to go.
    house.manager.patch_status(booking.id(), "CANCELLED").send().await?.refusal(403, "FORBIDDEN")?;
    let ticket: Ticket = house.buyer.patch_status(booking.id(), "CANCELLED").send().await?.answer(202)?;
    assert!(ticket.cancellation_requested_at.is_some(), "{ticket:?}");
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    assert_eq!(show.seats().await?, Seats { available: 10, held: 0, sold: 0 });
    house.buyer.patch_status(booking.id(), "CANCELLED").send().await?.refusal(409, "TICKET_ALREADY_CANCELLED")?;
    house.admin.patch_status(booking.id(), "CONFIRMED").send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
    Ok(())
}

#[tokio::test]
async fn a_ticket_is_completed_by_a_manager_once_its_event_is_over() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = a_booking_of_a_past_event(&house).await?;

    assert_eq!(booking.now().await?.status, TicketStatus::Completed);
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed TicketCompleted\n\
         seats: InventoryReserved InventorySold\n\
         payment: PaymentInitiated PaymentCompleted\n"
    );
    booking.check_money().await?;
    let refused = booking.cancel().await?;
    assert_eq!(refused.status, 409, "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_buyer_completes_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    house.buyer.patch_status(booking.id(), "COMPLETED").send().await?.refusal(403, "FORBIDDEN")?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_ticket_is_out_of_sight_and_its_money_on_record() -> Verdict {
    let house = BoxOffice::open().await?;
    let (buyer, show) = (&house.buyer, house.show(10).await?);
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let path = format!("/tickets/{}", booking.id());
    buyer.delete(&path).send().await?.refusal(409, "NOT_SETTLED")?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    buyer.delete(&path).send().await?.with_status(204)?;

    buyer.get(&path).send().await?.refusal(404, "TICKET_NOT_FOUND")?;
    buyer.delete(&path).send().await?.refusal(404, "TICKET_NOT_FOUND")?;
    booking.cancel().await?.refusal(404, "TICKET_NOT_FOUND")?;
    for list in [
        buyer.get(&format!("/tickets/user/{}", buyer.id())),
        house.admin.get("/tickets").query("limit", "100"),
        house.admin.get("/tickets/status/CANCELLED").query("limit", "100"),
        house.manager.segments(reqwest::Method::GET, ["tickets", "event", show.name()]),
    ] {
        let tickets: Vec<Ticket> = house.api.whole_list(list).await?;
        assert!(tickets.iter().all(|ticket| ticket.id != booking.id()));
    }
    assert_eq!(booking.payment().await?.ticket_id, booking.id());
    assert_eq!(
        booking.history().await?.to_string(),
        "ticket: TicketCreated TicketConfirmed TicketCancellationRequested TicketCancelled TicketDeleted\n\
         seats: InventoryReserved InventorySold InventoryReleased\n\
         payment: PaymentInitiated PaymentCompleted PaymentRefunded\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_ticket_that_is_still_to_be_paid_is_not_deleted() -> Verdict {
    let house = BoxOffice::open().await?;
    let booking = house.show(10).await?.order(1).booked().await?;
    for who in [&house.buyer, &house.admin] {
        who.delete(&format!("/tickets/{}", booking.id())).send().await?.refusal(409, "NOT_SETTLED")?;
    }
    let nobody_s = format!("/tickets/{}", fresh_id("tkt"));
    house.admin.delete(&nobody_s).send().await?.refusal(404, "TICKET_NOT_FOUND")?;
    Ok(())
}

#[tokio::test]
async fn only_an_admin_books_for_somebody_else() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, other) = (house.show(10).await?, house.somebody().await?);

    show.order(1).with("userId", other.id()).sent().await?.refusal(403, "FORBIDDEN")?;
    show.order_of(&house.manager, 1).with("userId", other.id()).sent().await?.refusal(403, "FORBIDDEN")?;
    let booked = show.order_of(&house.admin, 1).with("userId", other.id()).booked().await?;

    let typo = show.order_of(&house.admin, 1).with("userId", fresh_id("usr")).sent().await?;
    assert_eq!(typo.refusal(404, "USER_NOT_FOUND")?.field.as_deref(), Some("userId"));

    assert_eq!(booked.ticket.user_id, other.id());
    assert_eq!(other.ticket(booked.id()).await?.user_id, other.id());
    house.buyer.get(&format!("/tickets/{}", booked.id())).send().await?.refusal(403, "FORBIDDEN")?;
    Ok(())
}

#[tokio::test]
async fn a_buyer_pays_what_they_were_shown_or_books_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show_with(&Body::show(10).with("price", 10).with("currency", "EUR")).await?;
    let shown = |total: f64| show.order(2).with("expectedTotal", total).with("currency", "EUR");

    assert_eq!(shown(20.0).booked().await?.ticket.quantity, 2);
    house.manager.put_inventory(show.id(), &json!({ "price": 99 })).send().await?.with_status(200)?;
    let problem = shown(20.0).sent().await?.refusal(409, "PRICE_CHANGED")?;

    assert_eq!(problem.field.as_deref(), Some("expectedTotal"));
    assert!(problem.detail.contains("198.00 EUR"), "{}", problem.detail);
    assert_eq!(show.seats().await?.held, 2, "of the first booking");
    shown(198.0).booked().await?;
    let half = show.order(2).with("expectedTotal", 198).sent().await?.refusal(400, "VALIDATION_ERROR")?;
    assert_eq!(half.field.as_deref(), Some("currency"));
    Ok(())
}

#[tokio::test]
async fn a_buyer_hears_of_a_rename_and_the_ticket_stays_on_its_event_s_list() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let booking = show.order(1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let (name, begins) = (fresh("Encore"), in_days(60));

    let change = json!({ "eventName": name, "eventDate": begins });
    house.manager.put_inventory(show.id(), &change).send().await?.with_status(200)?;
    until("the ticket says so", SOON, async || {
        let ticket = booking.now().await?;
        Ok(Look::done_if(ticket.event_name == name, ticket))
    })
    .await?;

    let history = booking.history().await?.to_string();
    assert!(history.contains("TicketConfirmed TicketEventChanged"), "{history}");
    for list in [
        house.manager.get(&format!("/tickets/inventory/{}", show.id())),
        house.manager.segments(reqwest::Method::GET, ["tickets", "event", &name]),
    ] {
        let tickets: Vec<Ticket> = house.api.whole_list(list).await?;
        assert_eq!(tickets.iter().map(|ticket| ticket.id.as_str()).collect::<Vec<_>>(), [booking.id()]);
    }
    let by_old_name = house.manager.segments(reqwest::Method::GET, ["tickets", "event", show.name()]);
    assert_eq!(house.api.whole_list::<Ticket>(by_old_name).await?, []);
    Ok(())
}
