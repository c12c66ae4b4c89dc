//! Events that are moved or renamed after tickets were booked: the event's current date decides, and its buyers are told. AP-52, AP-59 to AP-61,
//! AP-281, AP-282.

use crate::fixture::{BoxOffice, fresh_key, made, order_by};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::Limit;
use boxoffice_inventory::{Inventory, domain::Revision};
use boxoffice_kernel::{Amount, InventoryId, TicketId, Timestamp, UserId};
use boxoffice_runtime::event::Delivered;
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{CancellationReason, Status, Ticket, Unchanged},
    handlers::announce_event_change,
    store::ChangeError,
};
use serde_json::json;

fn past() -> Timestamp {
    "2020-01-01T20:00:00.000Z".parse().unwrap()
}

fn future(days: u32) -> Timestamp {
    Timestamp::now().plus_seconds(days * 86_400)
}

/// Writes a date into an item, as though the time had come.
async fn date(database: &Database, table: Table, key: (String, &str), date: Timestamp) {
    let text = |value: String| AttributeValue::S(value);
    database
        .client()
        .update_item()
        .table_name(database.table(table))
        .key("pk", text(key.0))
        .key("sk", text(key.1.to_owned()))
        .update_expression("SET eventDate = :date")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":date", text(date.to_string()))
        .send()
        .await
        .unwrap();
}

/// The event begins then.
async fn begins(database: &Database, event: InventoryId, at: Timestamp) {
    date(database, Table::Inventory, (format!("INV#{event}"), "TERMS"), at).await;
}

/// The ticket's copy says that its event begins then.
async fn copy_says(database: &Database, ticket: TicketId, at: Timestamp) {
    date(database, Table::Tickets, (format!("TKT#{ticket}"), "TICKET"), at).await;
}

impl BoxOffice {
    async fn paid(&self, event: InventoryId) -> Ticket {
        let ticket = self.ticket(event, 1).await;
        self.sale.confirm(ticket.id, &trace()).await.unwrap();
        self.stored(ticket.id).await
    }

    async fn revise(&self, event: InventoryId, revision: Revision) -> Inventory {
        self.inventory.update(event, &revision, &trace()).await.unwrap()
    }

    async fn tickets_to(&self, event: InventoryId) -> Vec<TicketId> {
        let page = self.tickets.list_by_event(event, Limit::default(), None).await.unwrap();
        page.items.iter().map(|ticket| ticket.id).collect()
    }
}

fn renamed(name: &str) -> Revision {
    Revision { event_name: Some(name.parse().unwrap()), ..Revision::default() }
}

#[tokio::test]
async fn a_ticket_to_an_event_that_was_moved_earlier_is_not_cancelled_once_that_has_begun() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_from(10, future(30)).await;
        let (paid, unpaid) = (office.paid(event.id).await, office.ticket(event.id, 1).await);
        begins(&database, event.id, past()).await;
        for ticket in [&paid, &unpaid] {
            let refused = office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await;
            assert!(
                matches!(refused, Err(ChangeError::Unchanged(Unchanged::EventBegan(at))) if at == past()),
                "{refused:?}"
            );
        }
        office.sale.complete(paid.id, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_ticket_to_an_event_that_was_moved_later_is_cancelled_and_not_completed_until_then() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_from(10, future(30)).await;
        let ticket = office.paid(event.id).await;
        copy_says(&database, ticket.id, past()).await;
        let early = office.sale.complete(ticket.id, &trace()).await;
        assert!(matches!(early, Err(ChangeError::Unchanged(Unchanged::EventToCome(_)))), "{early:?}");
        assert_eq!(office.stored(ticket.id).await.status, Status::Confirmed);
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn upcoming_are_the_tickets_whose_event_is_to_come_as_it_is_now() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let (later, over) = (office.on_sale_from(10, future(30)).await, office.on_sale_from(10, future(30)).await);
        let user = UserId::generate();
        let moved_later = made(office.book(&order_by(user, later.id, 1), &fresh_key()).await);
        made(office.book(&order_by(user, over.id, 1), &fresh_key()).await);
        copy_says(&database, moved_later.id, past()).await;
        begins(&database, over.id, past()).await;
        assert_eq!(office.sale.count_upcoming(user, Timestamp::now()).await.unwrap(), 1);
        begins(&database, later.id, past()).await;
        assert_eq!(office.sale.count_upcoming(user, Timestamp::now()).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_off_sale_keeps_its_date_for_the_tickets_that_are_being_undone() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_from(10, future(30)).await;
        let ticket = office.ticket(event.id, 1).await;
        office.inventory.release(ticket.id, "HoldExpired", &trace()).await.unwrap();
        office.inventory.delete(event.id, &trace()).await.unwrap();
        assert_eq!(office.sale.count_upcoming(ticket.user_id, Timestamp::now()).await.unwrap(), 1);
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tickets_stay_on_their_event_s_list_through_a_rename_and_mix_with_no_other_event() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let name = event.terms.event_name.clone();
        let before = office.ticket(event.id, 1).await.id;
        office.revise(event.id, renamed("Encore")).await;
        let after = office.ticket(event.id, 1).await.id;
        // Another event takes the name that is free.
        let mut terms = event.terms.clone();
        terms.event_name = name.clone();
        let heir = Inventory::open(InventoryId::generate(), terms, Timestamp::now());
        office.inventory.create(&heir, &trace()).await.unwrap();
        let other = office.ticket(heir.id, 1).await.id;

        assert_eq!(office.tickets_to(event.id).await, [after, before]);
        assert_eq!(office.tickets_to(heir.id).await, [other]);
        // By name it is the event that has the name now.
        assert_eq!(office.sale.event_named(&name).await.unwrap(), Some(heir.id));
        assert_eq!(office.sale.event_named(&"Encore".parse().unwrap()).await.unwrap(), Some(event.id));
    })
    .await;
}

#[tokio::test]
async fn each_live_ticket_s_buyer_is_told_once_of_a_change() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let (event, other) = (office.on_sale(10).await, office.on_sale(10).await);
        let (pending, paid) = (office.ticket(event.id, 2).await, office.paid(event.id).await);
        let (cancelled, wished) = (office.ticket(event.id, 1).await, office.paid(event.id).await);
        office.tickets.cancel(cancelled.id, CancellationReason::HoldExpired, &trace()).await.unwrap();
        office.sale.request_cancellation(wished.id, wished.user_id, &trace()).await.unwrap();
        let elsewhere = office.ticket(other.id, 1).await;
        let untold = [office.stored(cancelled.id).await, office.stored(wished.id).await, elsewhere];

        let revision = Revision { event_date: Some(future(40)), location: Some("Arena".parse().unwrap()), ..renamed("Encore") };
        let now = office.revise(event.id, revision).await;
        assert_eq!(office.sale.tell_of_change(event.id, &trace()).await.unwrap(), 2);
        assert_eq!(office.sale.tell_of_change(event.id, &trace()).await.unwrap(), 0);

        for before in [&pending, &paid] {
            let told = office.stored(before.id).await;
            assert_eq!((told.version, told.status), (before.version + 1, before.status));
            assert_eq!((told.event.name.as_str(), told.event.location.as_str()), ("Encore", "Arena"));
            assert_eq!((told.event.date, told.event.version), (now.terms.event_date, 2));
            assert_eq!((told.price, told.total), (before.price, before.total));
            let stated = database.events_of(before.id).await.pop().unwrap();
            assert_eq!(stated.event_type, "TicketEventChanged");
            let data = stated.data();
            assert_eq!((&data["eventName"], &data["location"]), (&json!("Encore"), &json!("Arena")));
            let previous = json!({
                "eventName": event.terms.event_name, "eventDate": event.terms.event_date, "location": event.terms.location
            });
            assert_eq!((&data["eventDate"], &data["previous"]), (&json!(now.terms.event_date), &previous));
        }
        for before in untold {
            assert_eq!(office.stored(before.id).await, before);
        }
        // The saga goes on as before.
        office.sale.confirm(pending.id, &trace()).await.unwrap();
        assert_eq!(
            database.history(pending.id).await,
            ["TicketCreated", "TicketEventChanged", "TicketConfirmed"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_walk_that_broke_off_goes_on_where_it_stopped_and_two_at_once_tell_each_buyer_once() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(200).await;
        let mut tickets = Vec::new();
        // More than a page.
        for _ in 0..105 {
            tickets.push(office.ticket(event.id, 1).await.id);
        }
        office.revise(event.id, renamed("Encore")).await;
        let trace = trace();
        let (one, other) =
            tokio::join!(office.sale.tell_of_change(event.id, &trace), office.sale.tell_of_change(event.id, &trace));
        assert_eq!(one.unwrap() + other.unwrap(), 105);
        for id in tickets {
            assert_eq!(database.history(id).await, ["TicketCreated", "TicketEventChanged"]);
        }
    })
    .await;
}

#[tokio::test]
async fn only_a_change_of_name_date_or_place_is_announced() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        let mut announced = Vec::new();
        for revision in [
            Revision { price: Some(Amount::from_minor(100).unwrap()), ..Revision::default() },
            Revision { total_seats: Some(crate::fixture::quantity(20)), ..Revision::default() },
            Revision { location: Some("Arena".parse().unwrap()), ..Revision::default() },
        ] {
            office.revise(event.id, revision).await;
            let stated = database.events_of(event.id).await.pop().unwrap();
            let delivered: Delivered = serde_json::from_value(json!({
                "detail": serde_json::from_str::<serde_json::Value>(&stated.detail).unwrap()
            }))
            .unwrap();
            announced.push(announce_event_change::run(&office.sale, delivered).await.unwrap().tickets);
        }
        assert_eq!(announced, [0, 0, 1]);
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketEventChanged"]);
    })
    .await;
}
