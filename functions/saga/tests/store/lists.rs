//! A saga is on the list of its status, whatever order its steps come in.

use super::*;
use boxoffice_aws::{
    Limit,
    journal::Unfinished::{self, NeedsAttention, Running},
};
use std::collections::BTreeSet;

async fn listed(store: &SagaStore, list: Unfinished) -> Vec<TicketId> {
    let page = store.list(list, Limit::LARGEST, None).await.unwrap();
    page.items.into_iter().map(|saga| saga.ticket_id).collect()
}

/// The list that the item itself names, before a reader looks whether it still belongs there.
async fn entry_of(database: &Database, ticket: TicketId) -> Option<String> {
    let items = database.items(Table::Sagas).await;
    let item = items.into_iter().find(|item| item["pk"].as_s().unwrap().ends_with(&ticket.to_string())).unwrap();
    item.get("gsi1pk").map(|entry| entry.as_s().unwrap().clone())
}

#[tokio::test]
async fn a_saga_is_listed_from_its_claim_until_its_ticket_is_confirmed() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        claim(&store, ticket, "one").await;
        journal.record(ticket, Step::VerifyHold, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!(listed(&store, Running).await, [ticket]);

        journal.record(ticket, Step::ConfirmTicket, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!(listed(&store, Running).await, []);
        assert_eq!(entry_of(&database, ticket).await, None, "a saga that is over costs an index entry");

        store.call_off(ticket, None, CallOff::BookingCancelled, "back").await.unwrap();
        assert_eq!(listed(&store, Running).await, [ticket]);
        journal.record(ticket, Step::CancelTicket, &entry(StepStatus::Compensated)).await.unwrap();
        assert_eq!((listed(&store, Running).await, entry_of(&database, ticket).await), (vec![], None));
    })
    .await;
}

#[tokio::test]
async fn a_saga_that_is_stuck_is_on_the_operators_list_until_it_is_compensated() {
    for_each_dynamodb(|database| async move {
        let (store, journal, ticket) = (store(&database), journal(&database), TicketId::generate());
        claim(&store, ticket, "one").await;
        journal.record(ticket, Step::ReversePayment, &entry(StepStatus::Failed)).await.unwrap();
        journal.record(ticket, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!((listed(&store, Running).await, listed(&store, NeedsAttention).await), (vec![], vec![ticket]));

        // The undo of the other execution goes on, and does not make it less of a case.
        journal.record(ticket, Step::ReversePayment, &entry(StepStatus::Compensated)).await.unwrap();
        assert_eq!((listed(&store, Running).await, listed(&store, NeedsAttention).await), (vec![], vec![ticket]));

        journal.record(ticket, Step::CancelTicket, &entry(StepStatus::Compensated)).await.unwrap();
        assert_eq!((listed(&store, Running).await, listed(&store, NeedsAttention).await), (vec![], vec![]));
        // A late word of an execution that got stuck makes no case of it.
        journal.record(ticket, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!((listed(&store, NeedsAttention).await, entry_of(&database, ticket).await), (vec![], None));
    })
    .await;
}

#[tokio::test]
async fn a_booking_called_off_while_it_was_confirmed_is_still_on_its_way_back() {
    for_each_dynamodb(|database| async move {
        let (store, journal) = (store(&database), journal(&database));
        for _ in 0..6 {
            let ticket = TicketId::generate();
            claim(&store, ticket, "one").await;
            let confirmed = entry(StepStatus::Completed);
            let (confirmed, called_off) = tokio::join!(
                journal.record(ticket, Step::ConfirmTicket, &confirmed),
                store.call_off(ticket, None, CallOff::BookingCancelled, "back"),
            );
            confirmed.unwrap();
            called_off.unwrap();
            assert!(listed(&store, Running).await.contains(&ticket), "lost from the list");
        }
    })
    .await;
}

#[tokio::test]
async fn lists_go_on_from_page_to_page_newest_first() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let mut tickets: Vec<TicketId> = (0..7).map(|_| TicketId::generate()).collect();
        for ticket in &tickets {
            claim(&store, *ticket, "one").await;
        }
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.list(Running, "3".parse().unwrap(), cursor).await.unwrap();
            found.extend(page.items.into_iter().map(|saga| saga.ticket_id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        tickets.reverse();
        assert_eq!(found, tickets);
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_was_never_claimed_gets_no_saga_from_a_step() {
    for_each_dynamodb(|database| async move {
        let (store, ticket) = (store(&database), TicketId::generate());
        journal(&database).record(ticket, Step::RecordStuckBooking, &entry(StepStatus::Completed)).await.unwrap();
        assert_eq!(store.get(ticket).await.unwrap(), None);
        assert!(claim(&store, ticket, "one").await, "what is left of a failed claim stands in the way of the next");
    })
    .await;
}

/// The writes that two executions of one saga can make.
const WRITES: [Write; 6] = [
    Write::Step(Step::ConfirmTicket, StepStatus::Completed),
    Write::Step(Step::ConfirmTicket, StepStatus::Failed),
    Write::Step(Step::ReversePayment, StepStatus::Compensated),
    Write::Step(Step::RecordStuckBooking, StepStatus::Completed),
    Write::CallOff(CallOff::BookingCancelled),
    Write::CallOff(CallOff::RedriveRequested),
];

#[derive(Debug, Clone, Copy)]
enum Write {
    Step(Step, StepStatus),
    CallOff(CallOff),
}

#[tokio::test]
async fn in_every_order_the_entry_is_what_the_steps_say() {
    for_each_dynamodb(|database| async move {
        let (store, journal) = (store(&database), journal(&database));
        let mut running = JoinSet::new();
        for first in WRITES {
            let (store, journal) = (store.clone(), journal.clone());
            running.spawn(async move {
                for writes in WRITES.map(|second| WRITES.map(|third| [first, second, third])).concat() {
                    let ticket = TicketId::generate();
                    claim(&store, ticket, "one").await;
                    for write in writes {
                        match write {
                            Write::Step(step, status) => journal.record(ticket, step, &entry(status)).await.unwrap(),
                            Write::CallOff(because) => {
                                drop(store.call_off(ticket, None, because, "back").await.unwrap());
                            }
                        }
                    }
                }
            });
        }
        running.join_all().await;
        let items = database.items(Table::Sagas).await;
        assert_eq!(items.len(), WRITES.len().pow(3));
        let mut seen = BTreeSet::new();
        for item in items {
            let entry = item.get("gsi1pk").map(|entry| entry.as_s().unwrap().clone());
            let ticket: TicketId = item["ticketId"].as_s().unwrap().parse().unwrap();
            let saga = store.get(ticket).await.unwrap().unwrap();
            let list = saga.status().list().map(|list| format!("SAGA#{}#", list.name()));
            let same = match (&entry, &list) {
                (Some(entry), Some(list)) => entry.starts_with(list),
                (entry, list) => entry.is_none() && list.is_none(),
            };
            assert!(same, "on {entry:?}, and should be on {list:?}: {saga:?}");
            seen.insert(list);
        }
        assert_eq!(seen.len(), 3, "not every list was met: {seen:?}");
    })
    .await;
}
