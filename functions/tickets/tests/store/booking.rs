//! From an order to a ticket: AP-54.

use crate::fixture::{BoxOffice, HOLD_SECONDS, fresh_key, made, order, order_by, quantity, replayed};
use boxoffice_inventory::domain::{MAX_PER_ORDER, MAX_SHARDS, NotForSale, ReservationState, Revision};
use boxoffice_kernel::{Amount, Currency, InventoryId, Money, Timestamp, UserId};
use boxoffice_payments::{
    Instruction,
    domain::{Method, Status as PaymentStatus},
};
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{CancellationReason, Status},
    store::{BookError, EventRef, Order, Outcome},
};
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::test]
async fn an_order_makes_a_ticket_at_the_events_price_with_its_seats_held() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let order = order(event.id, 2);
        let ticket = made(office.book(&order, &fresh_key()).await);

        assert_eq!(office.stored(ticket.id).await, ticket);
        assert_eq!((ticket.status, ticket.version, ticket.user_id), (Status::Pending, 1, order.user_id));
        assert_eq!((ticket.price, ticket.total.minor()), (event.terms.price, 9980));
        assert_eq!(ticket.hold_expires_at, ticket.created_at.plus_seconds(HOLD_SECONDS));
        assert_eq!(database.seats(event.id).await.counts(), (8, 2, 0));
        let reservation = office.inventory.reservation(ticket.id).await.unwrap().unwrap();
        assert_eq!((reservation.state, reservation.quantity), (ReservationState::Held, quantity(2)));
        assert_eq!(office.instruction(ticket.id).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_has_its_payment_from_the_moment_it_is_booked() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let by_debit_card = Instruction { method: Method::DebitCard, token: None };
        let charged = Instruction { method: Method::Paypal, token: Some("pm_card".parse().unwrap()) };
        for (instruction, method, status) in [
            (None, Method::CreditCard, PaymentStatus::Pending),
            (Some(by_debit_card), Method::DebitCard, PaymentStatus::Pending),
            (Some(charged), Method::Paypal, PaymentStatus::Processing),
        ] {
            let ticket = made(office.book(&Order { instruction, ..order(event.id, 2) }, &fresh_key()).await);
            let payment = office.payments.get(ticket.id.payment()).await.unwrap().unwrap();
            assert_eq!((payment.ticket_id, payment.user_id), (ticket.id, ticket.user_id));
            assert_eq!((payment.status, payment.method, payment.version), (status, method, 1));
            assert_eq!(payment.money, Money { amount: ticket.total, currency: ticket.price.currency });
            assert_eq!((payment.payable_until, payment.created_at), (ticket.hold_expires_at, ticket.created_at));
            assert_eq!(database.history(payment.id).await, ["PaymentInitiated"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_method_whose_money_arrives_after_the_hold_is_refused_and_nothing_is_booked() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        for token in [None, Some("pm_sepa".parse().unwrap())] {
            let instruction = Some(Instruction { method: Method::BankTransfer, token });
            let refused = office.book(&Order { instruction, ..order(event.id, 2) }, &fresh_key()).await;
            assert!(matches!(refused, Err(BookError::SettlesTooLate(_))), "{refused:?}");
        }
        assert_eq!(database.seats(event.id).await.counts(), (10, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_booking_gathered_from_as_many_shards_as_an_order_has_seats_fits_into_one_transaction() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_in_shards(&[1; MAX_SHARDS as usize]).await;
        let instruction = Some(Instruction { method: Method::CreditCard, token: Some("pm_card".parse().unwrap()) });
        let largest = Order { instruction, ..order(event.id, MAX_PER_ORDER) };
        let ticket = made(office.book(&largest, &fresh_key()).await);
        let left = i64::from(MAX_SHARDS - MAX_PER_ORDER);
        assert_eq!(database.seats(event.id).await.counts(), (left, MAX_PER_ORDER.into(), 0));
        assert!(office.instruction(ticket.id).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn the_ticket_and_its_seats_are_stated_as_events_that_say_what_was_written() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 2).await;

        let of_ticket = database.events_of(ticket.id).await;
        assert_eq!(of_ticket.len(), 1);
        assert_eq!((of_ticket[0].event_type.as_str(), of_ticket[0].version), ("TicketCreated", 1));
        assert_eq!(
            of_ticket[0].data(),
            json!({
                "ticketId": ticket.id,
                "userId": ticket.user_id,
                "inventoryId": event.id,
                "reservationId": ticket.id.reservation(),
                "paymentId": ticket.id.payment(),
                "eventName": event.terms.event_name,
                "eventDate": event.terms.event_date,
                "quantity": 2,
                "pricePerTicket": 49.9,
                "totalAmount": 99.8,
                "currency": "EUR",
                "holdExpiresAt": ticket.hold_expires_at,
            })
        );
        let of_seats = database.events_of(ticket.id.reservation()).await;
        assert_eq!(of_seats.len(), 1);
        assert_eq!(of_seats[0].event_type, "InventoryReserved");
        assert_eq!(of_seats[0].data()["quantity"], 2);
    })
    .await;
}

#[tokio::test]
async fn an_event_is_booked_by_its_name_too() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let by_name = Order { event: EventRef::Name(event.terms.event_name.clone()), ..order(event.id, 1) };
        assert_eq!(made(office.book(&by_name, &fresh_key()).await).inventory_id, event.id);
    })
    .await;
}

#[tokio::test]
async fn an_order_at_another_total_than_its_buyer_was_shown_books_nothing() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let euros = |minor| Some(Money { amount: Amount::from_minor(minor).unwrap(), currency: Currency::Eur });
        let (shown, key) = (Order { expected_total: euros(9980), ..order(event.id, 2) }, fresh_key());
        let revision = Revision { price: Some(Amount::from_minor(9900).unwrap()), ..Revision::default() };
        office.inventory.update(event.id, &revision, &trace()).await.unwrap();

        let refused = office.book(&shown, &key).await;
        let Err(BookError::PriceChanged { now, expected }) = refused else { panic!("{refused:?}") };
        assert_eq!((Some(now), Some(expected)), (euros(19800), shown.expected_total));
        assert_eq!(database.seats(event.id).await.counts(), (10, 0, 0));
        // The same order, at what it costs now, is a new one even under the same key.
        let agreed = Order { expected_total: euros(19800), ..shown.clone() };
        let ticket = made(office.book(&agreed, &key).await);
        assert_eq!(ticket.total.minor(), 19800);

        // The same number of another currency is another total.
        let francs = Revision { currency: Some(Currency::Chf), ..Revision::default() };
        office.inventory.update(event.id, &francs, &trace()).await.unwrap();
        let refused = office.book(&agreed, &fresh_key()).await;
        assert!(matches!(refused, Err(BookError::PriceChanged { .. })), "{refused:?}");
        // Repeated, the first order is answered with its ticket, whatever it would cost now.
        assert_eq!(replayed(office.book(&agreed, &key).await), ticket);
    })
    .await;
}

#[tokio::test]
async fn a_buyer_pays_the_price_shown_or_books_nothing() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(1000).await;
        let price = |minor| Money { amount: Amount::from_minor(minor).unwrap(), currency: Currency::Eur };
        let mut buyers = JoinSet::new();
        for number in 0..30 {
            let (office, shown) = (office.clone(), price(if number % 2 == 0 { 4990 } else { 9900 }));
            let order = Order { expected_total: Some(shown), ..order(event.id, 1) };
            buyers.spawn(async move { (shown, office.book(&order, &fresh_key()).await) });
        }
        for round in 0..6 {
            let to = if round % 2 == 0 { 9900 } else { 4990 };
            let revision = Revision { price: Some(Amount::from_minor(to).unwrap()), ..Revision::default() };
            // A crowd may keep one change out; the next comes all the same.
            let _ = office.inventory.update(event.id, &revision, &trace()).await;
        }
        for (shown, outcome) in buyers.join_all().await {
            match outcome {
                Ok(Outcome::Created(ticket)) => assert_eq!(ticket.total, shown.amount),
                Err(BookError::PriceChanged { now, expected }) => assert_ne!(now, expected),
                Err(BookError::Store(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_is_booked_for_under_an_id_that_is_no_user_s() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let (admin, buyer, gone) = (UserId::generate(), UserId::generate(), UserId::generate());
        office.user(&database, buyer, &[]).await;
        office.user(&database, gone, &["deletedAt"]).await;
        let by_admin = |user_id| Order { caller: admin, ..order_by(user_id, event.id, 2) };
        let key = fresh_key();
        for nobody in [UserId::generate(), gone] {
            let refused = office.book(&by_admin(nobody), &key).await;
            assert!(matches!(refused, Err(BookError::NoSuchBuyer)), "{refused:?}");
        }
        assert_eq!(database.seats(event.id).await.counts(), (10, 0, 0));
        assert_eq!(made(office.book(&by_admin(buyer), &key).await).user_id, buyer);
    })
    .await;
}

#[tokio::test]
async fn the_same_order_sent_again_gives_the_same_ticket_and_writes_nothing() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let (order, key) = (order(event.id, 2), fresh_key());
        let first = made(office.book(&order, &key).await);
        let written = database.events().await.len();
        for _ in 0..3 {
            assert_eq!(replayed(office.book(&order, &key).await), first);
        }
        assert_eq!(database.seats(event.id).await.counts(), (8, 2, 0));
        assert_eq!(database.events().await.len(), written);
    })
    .await;
}

#[tokio::test]
async fn a_replay_shows_the_ticket_as_it_is_now() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let (order, key) = (order(event.id, 2), fresh_key());
        let ticket = made(office.book(&order, &key).await);
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        assert_eq!(replayed(office.book(&order, &key).await).status, Status::Confirmed);
    })
    .await;
}

#[tokio::test]
async fn a_key_used_for_another_order_is_refused() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let (first, key) = (order(event.id, 2), fresh_key());
        made(office.book(&first, &key).await);
        let other = Order { quantity: quantity(3), ..first };
        let refused = office.book(&other, &key).await;
        assert!(matches!(refused, Err(BookError::KeyReused)), "{refused:?}");
        assert_eq!(database.seats(event.id).await.counts(), (8, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn keys_of_different_users_have_nothing_to_do_with_each_other() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let key = fresh_key();
        let (ours, theirs) = (order(event.id, 2), order(event.id, 2));
        let first = made(office.book(&ours, &key).await);
        let second = made(office.book(&theirs, &key).await);
        assert_ne!(first.id, second.id);
        assert_eq!(database.seats(event.id).await.counts(), (6, 4, 0));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_its_callers_whoever_the_ticket_is_for() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let (own, key) = (order(event.id, 2), fresh_key());
        office.user(&database, own.user_id, &[]).await;
        let by_admin = Order { caller: UserId::generate(), ..own.clone() };
        let (first, second) = (made(office.book(&own, &key).await), made(office.book(&by_admin, &key).await));
        assert_ne!(first.id, second.id);
        assert_eq!(first.user_id, second.user_id);
        assert_eq!(replayed(office.book(&by_admin, &key).await), second);
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_ticket_has_been_deleted_makes_no_other() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let (order, key) = (order(event.id, 2), fresh_key());
        let ticket = made(office.book(&order, &key).await);
        office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.unwrap();
        office.tickets.delete(ticket.id, &trace()).await.unwrap();
        let refused = office.book(&order, &key).await;
        assert!(matches!(refused, Err(BookError::Deleted)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn one_order_sent_many_times_at_once_makes_one_ticket() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        // With seats to spare, and with none: a replay must not be mistaken for a refusal.
        for seats in [20, 1] {
            let event = office.on_sale(seats).await;
            let (order, key) = (order(event.id, 1), fresh_key());
            let mut running = JoinSet::new();
            for _ in 0..8 {
                let (office, order, key) = (office.clone(), order.clone(), key.clone());
                running.spawn(async move { office.book(&order, &key).await.unwrap() });
            }
            let mut tickets = Vec::new();
            let mut new = 0;
            for booked in running.join_all().await {
                match booked {
                    boxoffice_tickets::store::Outcome::Created(ticket) => {
                        new += 1;
                        tickets.push(ticket.id);
                    }
                    boxoffice_tickets::store::Outcome::Replayed(ticket) => tickets.push(ticket.id),
                }
            }
            tickets.dedup();
            assert_eq!((new, tickets.len()), (1, 1));
            assert_eq!(database.seats(event.id).await.held, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn an_order_for_more_than_is_left_is_refused_and_writes_nothing() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(3).await;
        office.ticket(event.id, 2).await;
        let (tickets, events) = (database.items(Table::Tickets).await.len(), database.events().await.len());
        let (order, key) = (order(event.id, 2), fresh_key());
        let refused = office.book(&order, &key).await;
        assert!(
            matches!(refused, Err(BookError::NotForSale(NotForSale::SoldOut { available: 1, wanted: 2 }))),
            "{refused:?}"
        );
        assert_eq!(database.seats(event.id).await.counts(), (1, 2, 0));
        assert_eq!((database.items(Table::Tickets).await.len(), database.events().await.len()), (tickets, events));
        // A refusal does not use the key up: once there are seats, the same order gets them.
        office
            .inventory
            .update(event.id, &Revision { total_seats: Some(quantity(5)), ..Revision::default() }, &trace())
            .await
            .unwrap();
        made(office.book(&order, &key).await);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_has_begun_or_is_not_on_sale_is_not_booked() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let begun = office.on_sale_from(3, Timestamp::now()).await;
        let refused = office.book(&order(begun.id, 1), &fresh_key()).await;
        assert!(matches!(refused, Err(BookError::NotForSale(NotForSale::Begun(_)))), "{refused:?}");

        let unknown = office.book(&order(InventoryId::generate(), 1), &fresh_key()).await;
        assert!(matches!(unknown, Err(BookError::NoSuchEvent)), "{unknown:?}");
        let nameless = Order { event: EventRef::Name("Nothing".parse().unwrap()), ..order(begun.id, 1) };
        let unknown = office.book(&nameless, &fresh_key()).await;
        assert!(matches!(unknown, Err(BookError::NoSuchEvent)), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn a_ticket_keeps_the_price_it_was_booked_at_and_the_next_pays_the_new_one() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let before = office.ticket(event.id, 1).await;
        let dearer = Revision { price: Some(Amount::from_minor(10_000).unwrap()), ..Revision::default() };
        office.inventory.update(event.id, &dearer, &trace()).await.unwrap();
        let after = office.ticket(event.id, 1).await;
        assert_eq!(office.stored(before.id).await.total.minor(), 4990);
        assert_eq!(after.total.minor(), 10_000);
    })
    .await;
}

#[tokio::test]
async fn tickets_booked_while_the_price_changes_cost_what_the_event_said_when_the_seats_were_taken() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(30).await;
        let mut running = JoinSet::new();
        for _ in 0..10 {
            let office = office.clone();
            running.spawn(async move { office.ticket(event.id, 1).await.total.minor() });
        }
        for price in [5000, 6000] {
            let revision = Revision { price: Some(Amount::from_minor(price).unwrap()), ..Revision::default() };
            office.inventory.update(event.id, &revision, &trace()).await.unwrap();
        }
        for paid in running.join_all().await {
            assert!([4990, 5000, 6000].contains(&paid), "{paid}");
        }
        assert_eq!(office.ticket(event.id, 1).await.total.minor(), 6000);
        assert_eq!(database.seats(event.id).await.counts(), (19, 11, 0));
    })
    .await;
}

#[tokio::test]
async fn a_payment_instruction_is_left_for_the_payment_and_nowhere_else() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let secret = "pm_card_only_the_provider_may_read";
        let instruction = Instruction { method: Method::DebitCard, token: Some(secret.parse().unwrap()) };
        let order = Order { instruction: Some(instruction.clone()), ..order(event.id, 1) };
        let ticket = made(office.book(&order, &fresh_key()).await);
        assert_eq!(office.instruction(ticket.id).await, Some(instruction));

        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        for event in database.events().await {
            assert!(!event.detail.contains(secret), "{} tells the token", event.event_type);
        }
        for table in [Table::Events, Table::Tickets, Table::Inventory, Table::Sagas] {
            for item in database.items(table).await {
                assert!(!format!("{item:?}").contains(secret), "{table:?} has the token");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_order_leaves_no_payment_and_nothing_to_charge() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(1).await;
        office.ticket(event.id, 1).await;
        let before = database.items(Table::Payments).await.len();
        let instruction = Instruction { method: Method::CreditCard, token: Some("pm_card".parse().unwrap()) };
        let refused = office.book(&Order { instruction: Some(instruction), ..order(event.id, 1) }, &fresh_key()).await;
        assert!(matches!(refused, Err(BookError::NotForSale(_))), "{refused:?}");
        assert_eq!(database.items(Table::Payments).await.len(), before);
    })
    .await;
}
