//! The lists that tickets are on: AP-56 to AP-60.

use crate::fixture::{BoxOffice, fresh_key, made, order, order_by};
use boxoffice_aws::{Cursor, Limit, ListError, Page};
use boxoffice_kernel::{InventoryId, TicketId, Timestamp, UserId};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{CancellationReason, Status, Ticket},
    store::Order,
};
use std::{collections::BTreeSet, time::Duration};

fn limit(items: u32) -> Limit {
    items.to_string().parse().unwrap()
}

fn ids(tickets: &[Ticket]) -> Vec<TicketId> {
    tickets.iter().map(|ticket| ticket.id).collect()
}

/// One of the lists.
#[derive(Debug, Clone)]
enum Which {
    All,
    OfUser(UserId),
    Being(Status),
    To(InventoryId),
}

impl BoxOffice {
    async fn page(&self, which: &Which, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Ticket>, ListError> {
        match which {
            Which::All => self.tickets.list_all(limit, cursor).await,
            Which::OfUser(user) => self.tickets.list_by_user(*user, limit, cursor).await,
            Which::Being(status) => self.tickets.list_by_status(*status, limit, cursor).await,
            Which::To(event) => self.tickets.list_by_event(*event, limit, cursor).await,
        }
    }

    /// A list, read to its end in pages of so many.
    async fn listed(&self, which: &Which, at_a_time: u32) -> Vec<TicketId> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.page(which, limit(at_a_time), cursor).await.unwrap();
            assert!(page.items.len() <= limit(at_a_time).get());
            found.extend(ids(&page.items));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return found,
            }
        }
    }
}

#[tokio::test]
async fn every_list_has_its_tickets_newest_first_and_no_others() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let (concert, play) = (office.on_sale(50).await, office.on_sale(50).await);
        let (ada, bob) = (UserId::generate(), UserId::generate());
        let mut booked = Vec::new();
        for number in 0..6 {
            let (user, event) =
                (if number % 3 == 0 { bob } else { ada }, if number % 2 == 0 { &concert } else { &play });
            booked.push(made(office.book(&order_by(user, event.id, 1), &fresh_key()).await));
        }
        for ticket in &booked[..2] {
            office.sale.confirm(ticket.id, &trace()).await.unwrap();
        }
        let newest_first = |wanted: &dyn Fn(&(usize, &Ticket)) -> bool| -> Vec<TicketId> {
            booked.iter().enumerate().rev().filter(wanted).map(|(_, ticket)| ticket.id).collect()
        };
        for at_a_time in [1, 2, 100] {
            for (which, expected) in [
                (Which::All, newest_first(&|_| true)),
                (Which::OfUser(ada), newest_first(&|(_, ticket)| ticket.user_id == ada)),
                (Which::OfUser(bob), newest_first(&|(_, ticket)| ticket.user_id == bob)),
                (Which::OfUser(UserId::generate()), Vec::new()),
                (Which::Being(Status::Confirmed), newest_first(&|(number, _)| *number < 2)),
                (Which::Being(Status::Pending), newest_first(&|(number, _)| *number >= 2)),
                (Which::Being(Status::Completed), Vec::new()),
                (Which::To(play.id), newest_first(&|(number, _)| number % 2 == 1)),
                (Which::To(InventoryId::generate()), Vec::new()),
            ] {
                assert_eq!(office.listed(&which, at_a_time).await, expected, "{which:?}, {at_a_time} at a time");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_shows_the_tickets_as_they_are_now() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
        let page = office.tickets.list_all(Limit::default(), None).await.unwrap();
        assert_eq!((page.items, page.next), (vec![office.stored(ticket.id).await], None));
    })
    .await;
}

#[tokio::test]
async fn reading_to_the_end_loses_and_repeats_nothing_while_others_book_and_pay() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(100).await;
        let mut before = Vec::new();
        for _ in 0..25 {
            before.push(office.ticket(event.id, 1).await.id);
        }
        let (mut found, mut cursor): (Vec<TicketId>, _) = (Vec::new(), None);
        loop {
            let page = office.page(&Which::All, limit(4), cursor).await.unwrap();
            found.extend(ids(&page.items));
            let late = office.ticket(event.id, 1).await;
            office.sale.confirm(late.id, &trace()).await.unwrap();
            office.sale.confirm(before[found.len() % before.len()], &trace()).await.unwrap();
            let Some(next) = page.next else { break };
            cursor = Some(next);
        }
        before.reverse();
        assert_eq!(found, before);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_on_the_list_of_the_status_it_has_and_of_no_other() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let (event, soon) = (office.on_sale(10).await, office.on_sale_from(10, Timestamp::now().plus_seconds(2)).await);
        let (paid, unpaid) = (office.ticket(soon.id, 1).await.id, office.ticket(event.id, 1).await.id);
        let lists = async || {
            let mut lists = Vec::new();
            for status in Status::ALL {
                lists.push(office.listed(&Which::Being(status), 20).await);
            }
            lists
        };
        assert_eq!(lists().await, [vec![unpaid, paid], vec![], vec![], vec![]]);
        office.sale.confirm(paid, &trace()).await.unwrap();
        assert_eq!(lists().await, [vec![unpaid], vec![paid], vec![], vec![]]);
        office.sale.request_cancellation(unpaid, UserId::generate(), &trace()).await.unwrap();
        assert_eq!(lists().await, [vec![unpaid], vec![paid], vec![], vec![]]);
        office.tickets.cancel(unpaid, CancellationReason::HoldExpired, &trace()).await.unwrap();
        assert_eq!(lists().await, [vec![], vec![paid], vec![unpaid], vec![]]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        office.sale.complete(paid, &trace()).await.unwrap();
        assert_eq!(lists().await, [vec![], vec![], vec![unpaid], vec![paid]]);
        office.tickets.delete(unpaid, &trace()).await.unwrap();
        assert_eq!(lists().await, [vec![], vec![], vec![], vec![paid]]);
    })
    .await;
}

#[tokio::test]
async fn an_index_that_lags_behind_shows_nothing_that_has_passed() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.unwrap();
        // As the index is for a moment on AWS, and never on a laptop: the entry still says PENDING.
        put_back_on_list(&database, ticket.id, "STATUS#PENDING").await;
        assert_eq!(office.listed(&Which::Being(Status::Pending), 20).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_page_is_full_however_many_have_left_the_list_since_the_index_was_written() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(20).await;
        let mut pending = Vec::new();
        for _ in 0..3 {
            pending.push(office.ticket(event.id, 1).await.id);
        }
        for _ in 0..7 {
            let gone = office.ticket(event.id, 1).await.id;
            office.tickets.cancel(gone, CancellationReason::HoldExpired, &trace()).await.unwrap();
            put_back_on_list(&database, gone, "STATUS#PENDING").await;
        }
        pending.reverse();
        let which = Which::Being(Status::Pending);
        let first = office.page(&which, limit(2), None).await.unwrap();
        assert_eq!((ids(&first.items), first.next.is_some()), (pending[..2].to_vec(), true));
        let second = office.page(&which, limit(2), first.next).await.unwrap();
        assert_eq!((ids(&second.items), second.next), (pending[2..].to_vec(), None));
    })
    .await;
}

#[tokio::test]
async fn a_last_page_that_is_full_names_no_next_one() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let user = UserId::generate();
        for _ in 0..4 {
            made(office.book(&order_by(user, event.id, 1), &fresh_key()).await);
        }
        let first = office.page(&Which::OfUser(user), limit(2), None).await.unwrap();
        let second = office.page(&Which::OfUser(user), limit(2), first.next).await.unwrap();
        assert_eq!((second.items.len(), second.next), (2, None));
    })
    .await;
}

async fn put_back_on_list(database: &Database, ticket: TicketId, list: &str) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let id = ticket.to_string();
    let bucket = id.chars().last().and_then(|digit| digit.to_digit(16)).unwrap() % 8;
    let text = |value: String| AttributeValue::S(value);
    database
        .client()
        .update_item()
        .table_name(database.table(Table::Tickets))
        .key("pk", text(format!("TKT#{id}")))
        .key("sk", text("TICKET".into()))
        .update_expression("SET gsi3pk = :partition, gsi3sk = :id")
        .expression_attribute_values(":partition", text(format!("{list}#{bucket}")))
        .expression_attribute_values(":id", text(id))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deleted_ticket_is_on_no_list_even_when_its_money_is_given_back_after_that() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_from(10, Timestamp::now().plus_seconds(2)).await;
        let (ticket, other) = (office.ticket(event.id, 1).await, office.ticket(event.id, 1).await);
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        office.sale.complete(ticket.id, &trace()).await.unwrap();
        let lists = async || {
            let mut listed = BTreeSet::new();
            let statuses = Status::ALL.map(Which::Being);
            for which in [Which::All, Which::OfUser(ticket.user_id), Which::To(event.id)].iter().chain(&statuses) {
                listed.extend(office.listed(which, 20).await);
            }
            listed
        };
        assert_eq!(lists().await, BTreeSet::from([ticket.id, other.id]));
        office.tickets.delete(ticket.id, &trace()).await.unwrap();
        assert_eq!(lists().await, BTreeSet::from([other.id]));
        assert_eq!(office.tickets.get(ticket.id).await.unwrap(), None);

        office.tickets.cancel(ticket.id, CancellationReason::PaymentRefunded, &trace()).await.unwrap();
        assert_eq!(lists().await, BTreeSet::from([other.id]));
        assert_eq!(office.tickets.get(ticket.id).await.unwrap(), None);
        assert_eq!(
            database.history(ticket.id).await,
            ["TicketCreated", "TicketConfirmed", "TicketCompleted", "TicketDeleted", "TicketCancelled"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_one_list_is_refused_by_every_other() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let user = UserId::generate();
        for _ in 0..3 {
            made(office.book(&order_by(user, event.id, 1), &fresh_key()).await);
        }
        let page = office.page(&Which::OfUser(user), limit(1), None).await.unwrap();
        assert!(page.next.is_some());
        for other in [Which::All, Which::OfUser(UserId::generate()), Which::Being(Status::Pending)] {
            let refused = office.page(&other, limit(1), page.next.clone()).await;
            assert!(matches!(refused, Err(ListError::Cursor(_))), "{other:?}: {refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn upcoming_are_the_tickets_that_may_still_admit_over_all_pages() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(200).await;
        let user = UserId::generate();
        let book = async |order: Order| made(office.book(&order, &fresh_key()).await).id;
        // More than the largest page has.
        for _ in 0..Limit::LARGEST.get() {
            book(order_by(user, event.id, 1)).await;
        }
        let (confirmed, cancelled) = (book(order_by(user, event.id, 1)).await, book(order_by(user, event.id, 1)).await);
        office.sale.confirm(confirmed, &trace()).await.unwrap();
        office.tickets.cancel(cancelled, CancellationReason::HoldExpired, &trace()).await.unwrap();
        book(order(event.id, 1)).await;

        let count = async |now| office.sale.count_upcoming(user, now).await.unwrap();
        assert_eq!(count(Timestamp::now()).await, 101);
        assert_eq!(count(Timestamp::now().plus_seconds(90_000)).await, 0);
        assert_eq!(office.sale.count_upcoming(UserId::generate(), Timestamp::now()).await.unwrap(), 0);
    })
    .await;
}
