//! Admissions are issued with the confirmation, and revoked with the wish to cancel: AP-55 with AP-501, AP-52 with AP-504, and AP-503.

use crate::fixture::BoxOffice;
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_admission::Serial;
use boxoffice_admissions::domain::{Block, BlockState, Standing};
use boxoffice_kernel::TicketId;
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{Status, Ticket},
    store::ChangeError,
};
use std::collections::BTreeSet;
use tokio::task::JoinSet;

impl BoxOffice {
    async fn block(&self, ticket: TicketId) -> Block {
        self.admissions.block(ticket).await.unwrap().expect("a block")
    }

    async fn confirmed(&self, database: &Database, seats: u32) -> Ticket {
        let event = self.on_sale(seats.max(10)).await;
        let ticket = self.ticket(event.id, seats).await;
        self.sale.confirm(ticket.id, &trace()).await.unwrap();
        assert_eq!(database.seats(event.id).await.sold, i64::from(seats));
        ticket
    }
}

fn issued(block: &Block) -> String {
    block.at(1).unwrap().id.to_string()
}

#[tokio::test]
async fn a_confirmation_issues_an_admission_a_seat_and_a_repetition_none() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let ticket = office.confirmed(&database, 3).await;
        let block = office.block(ticket.id).await;
        assert_eq!((block.state, block.quantity, block.used), (BlockState::Issued, ticket.quantity, 0));
        assert_eq!((block.user_id, block.inventory_id), (ticket.user_id, ticket.inventory_id));
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        assert_eq!(office.block(ticket.id).await, block);
        assert_eq!(database.history(issued(&block)).await, ["AdmissionsIssued"]);
    })
    .await;
}

#[tokio::test]
async fn confirmations_at_once_share_no_serial_and_each_serial_finds_its_ticket() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(60).await;
        let mut running = JoinSet::new();
        for seats in 1..=8 {
            let office = office.clone();
            running.spawn(async move {
                let ticket = office.ticket(event.id, seats).await;
                office.sale.confirm(ticket.id, &trace()).await.unwrap();
                office.block(ticket.id).await
            });
        }
        let mut serials = BTreeSet::new();
        for block in running.join_all().await {
            for place in 1..=block.quantity.get() {
                let admission = block.at(place).unwrap();
                assert!(serials.insert(admission.serial), "{} was issued twice", admission.serial);
                let found = office.admissions.with_serial(event.id, admission.serial).await.unwrap();
                assert_eq!(found.map(|found| found.ticket_id), Some(block.ticket_id));
            }
        }
        assert_eq!(serials.len(), 36);
        assert_eq!(office.admissions.with_serial(event.id, Serial(u32::MAX)).await.unwrap(), None);
        assert_eq!(office.admissions.with_serial(event.id, Serial(0)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_wish_to_cancel_revokes_the_admissions_with_it() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let ticket = office.confirmed(&database, 2).await;
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
        let block = office.block(ticket.id).await;
        assert_eq!(block.state, BlockState::Revoked);
        // The saga's undo finds nothing left to revoke.
        office.admissions.revoke(ticket.id, &trace()).await.unwrap();
        assert_eq!(office.block(ticket.id).await, block);
        assert_eq!(database.history(issued(&block)).await, ["AdmissionsIssued", "AdmissionsRevoked"]);
    })
    .await;
}

/// Counts an entry as a door does, whatever else it writes.
async fn enters(database: &Database, ticket: TicketId) -> bool {
    let update = database
        .client()
        .update_item()
        .table_name(database.table(Table::Admissions))
        .key("pk", AttributeValue::S(format!("TKT#{ticket}")))
        .key("sk", AttributeValue::S("BLOCK".into()))
        .update_expression("SET used = used + :one")
        .condition_expression("#state = :issued")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":one", AttributeValue::N("1".into()))
        .expression_attribute_values(":issued", AttributeValue::S("ISSUED".into()));
    update.send().await.is_ok()
}

#[tokio::test]
async fn a_used_ticket_is_not_cancelled_on_a_wish_and_is_revoked_by_an_undo() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let ticket = office.confirmed(&database, 2).await;
        assert!(enters(&database, ticket.id).await);
        let refused = office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Used)), "{refused:?}");
        let stored = office.stored(ticket.id).await;
        assert_eq!((stored.status, stored.cancellation_requested_at), (Status::Confirmed, None));
        office.admissions.revoke(ticket.id, &trace()).await.unwrap();
        assert_eq!(office.block(ticket.id).await.state, BlockState::Revoked);
        assert!(!enters(&database, ticket.id).await);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_that_was_taken_back_before_its_confirmation_gets_no_admissions() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 2).await;
        for _ in 0..2 {
            office.admissions.revoke(ticket.id, &trace()).await.unwrap();
        }
        assert_eq!(office.admissions.standing(ticket.id).await.unwrap(), Some(Standing::Barred));
        let refused = office.sale.confirm(ticket.id, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::TakenBack)), "{refused:?}");
        assert_eq!(office.stored(ticket.id).await.status, Status::Pending);
        assert_eq!(database.seats(event.id).await.counts(), (8, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_and_an_undo_at_once_leave_no_admission_that_nobody_revokes() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(40).await;
        for _ in 0..20 {
            let ticket = office.ticket(event.id, 1).await;
            let trace = trace();
            let (confirmed, revoked) =
                tokio::join!(office.sale.confirm(ticket.id, &trace), office.admissions.revoke(ticket.id, &trace));
            revoked.unwrap();
            match office.admissions.standing(ticket.id).await.unwrap() {
                Some(Standing::Block(block)) => {
                    confirmed.unwrap();
                    assert_eq!(block.state, BlockState::Revoked);
                }
                Some(Standing::Barred) => assert!(matches!(confirmed, Err(ChangeError::TakenBack)), "{confirmed:?}"),
                None => panic!("the undo left nothing"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_ticket_of_many_seats_is_confirmed_in_one_transaction() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_in_shards(&[1; 90]).await;
        // The largest order there is, gathered from as many shards as it has seats.
        let ticket = office.ticket(event.id, 60).await;
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        let block = office.block(ticket.id).await;
        assert_eq!(block.at(60).map(|last| last.serial), Some(Serial(block.first + 59)));
    })
    .await;
}
