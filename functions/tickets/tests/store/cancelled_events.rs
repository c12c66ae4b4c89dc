//! The walk over the bookings of a cancelled event: AP-470 to AP-473. The saga that each request starts is played by hand ([`BoxOffice::undo`]).

use crate::fixture::{BoxOffice, fresh_key, order, quantity};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::{
    Item, Limit,
    journal::{Entry, StepStatus},
};
use boxoffice_inventory::{
    Cancellation,
    cancellation::{Case, CaseCode, State},
    domain::NotForSale,
};
use boxoffice_kernel::{InventoryId, TicketId, Timestamp, UserId};
use boxoffice_payments::domain::Status as PaymentStatus;
use boxoffice_saga::SagaStore;
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{CancellationReason, Status},
    store::{BookError, Outcome},
    walk::{Progress, Run, Walk},
};
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};
use tokio::task::JoinSet;

fn text(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// The work, unless it is dropped half done at its so many-th turn, like a function whose machine goes away.
async fn killed_after<F: Future>(turns: usize, work: F) -> Option<F::Output> {
    let (mut work, mut left) = (pin!(work), turns);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

fn sagas(database: &Database) -> SagaStore {
    SagaStore::new(database.client(), database.table(Table::Sagas))
}

impl BoxOffice {
    /// A walk that requests so many cancellations a second: five times as many a step.
    fn walk(&self, database: &Database, per_second: u32) -> Walk {
        Walk::new(self.sale.clone(), self.payments.clone(), sagas(database), quantity(per_second))
    }

    async fn cancel_event(&self, event: InventoryId) -> Run {
        let reason = "The headliner is ill".parse().unwrap();
        let walk = self.inventory.cancel(event, &reason, UserId::generate(), &trace()).await.unwrap();
        Run { inventory_id: event, run: walk.run, execution: format!("execution-{}", walk.run) }
    }

    async fn cancellation(&self, event: InventoryId) -> Cancellation {
        self.inventory.cancellation(event).await.unwrap().unwrap()
    }

    async fn booked(&self, database: &Database, event: InventoryId, seats: u32, paid: bool) -> TicketId {
        let ticket = self.ticket(event, seats).await.id;
        if paid {
            self.sale.confirm(ticket, &trace()).await.unwrap();
            payment_is(database, ticket, "SUCCESS").await;
        }
        ticket
    }

    /// The undo of a called-off booking, in the order of its saga.
    async fn undo(&self, database: &Database, ticket: TicketId) {
        self.admissions.revoke(ticket, &trace()).await.unwrap();
        let payment = self.payments.get(ticket.payment()).await.unwrap().unwrap();
        if payment.status == PaymentStatus::Success {
            payment_is(database, ticket, "REFUNDED").await;
        }
        self.inventory.close(ticket, "EventCancelled", &trace()).await.unwrap();
        self.tickets.cancel(ticket, CancellationReason::BookingFailed, &trace()).await.unwrap();
    }

    /// Steps until the walk is at a later pass, or over.
    async fn pass(&self, walk: &Walk, run: &Run) -> Progress {
        let before = self.cancellation(run.inventory_id).await.pass;
        loop {
            let progress = walk.step(run, &trace()).await.unwrap();
            if self.cancellation(run.inventory_id).await.pass > before {
                return progress;
            }
            assert!(matches!(progress, Progress::Walking(_)), "{progress:?}");
        }
    }
}

async fn payment_is(database: &Database, ticket: TicketId, status: &str) {
    let update = database.client().update_item().table_name(database.table(Table::Payments));
    let update = update.key("pk", text(format_args!("PAY#{}", ticket.payment()))).key("sk", text("PAYMENT"));
    let update = update.update_expression("SET #status = :status").condition_expression("attribute_exists(pk)");
    let update = update.expression_attribute_names("#status", "status");
    update.expression_attribute_values(":status", text(status)).send().await.unwrap();
}

/// How often the cancellation of each ticket was requested.
async fn requests(database: &Database) -> BTreeMap<String, usize> {
    let mut requests = BTreeMap::new();
    for event in database.events().await.into_iter().filter(|it| it.event_type == "TicketCancellationRequested") {
        *requests.entry(event.aggregate_id).or_default() += 1;
    }
    requests
}

/// The tickets that a walk should have asked for once, and did not.
async fn not_once(database: &Database, tickets: &[TicketId]) -> Vec<TicketId> {
    let requests = requests(database).await;
    tickets.iter().copied().filter(|ticket| requests.get(&ticket.to_string()) != Some(&1)).collect()
}

#[tokio::test]
async fn a_walk_that_is_killed_again_and_again_cancels_every_booking_once() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_in_shards(&[40, 40]).await;
        let mut tickets = Vec::new();
        for number in 0..36 {
            tickets.push(office.booked(&database, event.id, 1 + number % 2, number % 3 == 0).await);
        }
        let walk = office.walk(&database, 1);
        let mut run = office.cancel_event(event.id).await;
        let (mut kills, mut restarts) = (0, 0);
        while office.cancellation(event.id).await.pass == 1 {
            // The first one is killed for certain: no step is done when it is polled once.
            let polls = if kills == 0 { 1 } else { fastrand::usize(1..120) };
            let step = killed_after(polls, walk.step(&run, &trace())).await;
            kills += usize::from(step.is_none());
            // Mostly the state machine tries again; now and then the execution is gone, and somebody resumes.
            if step.is_none() && fastrand::u8(..4) == 0 {
                run = office.cancel_event(event.id).await;
                restarts += 1;
            }
            assert!(kills < 2_000, "no progress after {restarts} restarts");
        }
        assert!(kills > 0, "nothing was killed");
        assert_eq!(not_once(&database, &tickets).await, []);

        for ticket in &tickets {
            office.undo(&database, *ticket).await;
        }
        let mut progress = None;
        while progress != Some(Progress::Done) {
            progress = killed_after(fastrand::usize(1..120), walk.step(&run, &trace())).await.transpose().unwrap();
            if office.cancellation(event.id).await.state() == State::Done {
                break;
            }
        }
        let done = office.cancellation(event.id).await;
        let tally = done.account().tally;
        assert_eq!((tally.walked, tally.cancelled, tally.refunded, tally.open, tally.failed), (36, 36, 12, 0, 0));
        assert_eq!((done.state(), done.unaccounted_seats), (State::Done, 0));
        assert_eq!(database.seats(event.id).await.counts(), (80, 0, 0));
        for ticket in tickets {
            let ticket = office.stored(ticket).await;
            assert_eq!(ticket.cancellation_reason, Some(CancellationReason::EventCancelled));
        }
    })
    .await;
}

/// The control: a walk that remembers its place before it has asked loses the bookings of every page that it is killed in.
#[tokio::test]
async fn a_walk_that_moves_on_before_it_asks_loses_bookings() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(40).await;
        let mut tickets = Vec::new();
        for _ in 0..12 {
            tickets.push(office.ticket(event.id, 1).await.id);
        }
        let (mut place, organiser) = (None, UserId::generate());
        for kill_at in [2, usize::MAX, 2] {
            let page = office.tickets.list_by_event(event.id, Limit::at_most(4), place).await.unwrap();
            place = page.next;
            let ask = async {
                for ticket in &page.items {
                    office.sale.withdraw(ticket.id, organiser, &trace()).await.unwrap();
                }
            };
            killed_after(kill_at, ask).await;
        }
        assert_eq!(place, None);
        assert!(!not_once(&database, &tickets).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_booking_made_while_the_event_is_cancelled_is_refused_or_cancelled() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_in_shards(&[100; 6]).await.id;
        let booked = Arc::new(AtomicUsize::new(0));
        let mut buyers = JoinSet::new();
        for _ in 0..12 {
            let (office, booked) = (office.clone(), Arc::clone(&booked));
            buyers.spawn(async move {
                let mut tickets = Vec::new();
                loop {
                    match office.book(&order(event, 1), &fresh_key()).await {
                        Ok(Outcome::Created(ticket)) => tickets.push(ticket.id),
                        Err(BookError::NotForSale(NotForSale::Cancelled(_))) => return tickets,
                        // The cancellation's transaction and the bookings collide; the caller would try again.
                        Err(BookError::Store(_)) => {}
                        other => panic!("{other:?}"),
                    }
                    booked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while booked.load(Ordering::SeqCst) < 15 {
            tokio::task::yield_now().await;
        }
        let run = loop {
            let reason = "The headliner is ill".parse().unwrap();
            match office.inventory.cancel(event, &reason, UserId::generate(), &trace()).await {
                Ok(walk) => break Run { inventory_id: event, run: walk.run, execution: "one".into() },
                Err(error) => {
                    assert!(error.to_string().contains("collid") || error.to_string().contains("ahead"), "{error}");
                }
            }
        };
        let walk = office.walk(&database, 100);
        office.pass(&walk, &run).await;
        let tickets: Vec<_> = buyers.join_all().await.into_iter().flatten().collect();
        assert!(tickets.len() >= 15);
        assert_eq!(not_once(&database, &tickets).await, []);
        assert_eq!(office.cancellation(event).await.account().tally.walked as usize, tickets.len());
    })
    .await;
}

#[tokio::test]
async fn one_execution_walks_and_an_event_delivered_twice_starts_no_second() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(40).await;
        for _ in 0..7 {
            office.ticket(event.id, 1).await;
        }
        let walk = office.walk(&database, 1);
        let run = office.cancel_event(event.id).await;
        assert_eq!(walk.step(&run, &trace()).await.unwrap(), Progress::Walking(5));
        let twin = Run { execution: "its twin".into(), ..run.clone() };
        assert_eq!(walk.step(&twin, &trace()).await.unwrap(), Progress::Overtaken);
        assert_eq!(requests(&database).await.len(), 5, "a step asks for no more than the rate allows");
        let resumed = office.cancel_event(event.id).await;
        assert_eq!(walk.step(&run, &trace()).await.unwrap(), Progress::Overtaken);
        office.pass(&walk, &resumed).await;
        assert_eq!(
            (requests(&database).await.len(), office.cancellation(event.id).await.account().tally.walked),
            (7, 7)
        );
    })
    .await;
}

#[tokio::test]
async fn bookings_that_cannot_be_cancelled_are_cases_and_are_looked_at_again() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(40).await;
        let [used, stuck, plain] = [
            office.booked(&database, event.id, 2, true).await,
            office.booked(&database, event.id, 3, true).await,
            office.booked(&database, event.id, 1, true).await,
        ];
        let door = database.client().update_item().table_name(database.table(Table::Admissions));
        let door = door.key("pk", text(format_args!("TKT#{used}"))).key("sk", text("BLOCK"));
        let door = door.update_expression("SET used = used + :one");
        door.expression_attribute_values(":one", AttributeValue::N("1".into())).send().await.unwrap();

        let (walk, run) = (office.walk(&database, 10), office.cancel_event(event.id).await);
        office.pass(&walk, &run).await;
        office.undo(&database, plain).await;
        let (sagas, now) = (sagas(&database), Timestamp::now());
        let entry = Entry {
            status: StepStatus::Completed,
            attempt: 1,
            started_at: now,
            executed_at: now,
            reason: None,
            error_code: None,
            error_message: None,
        };
        let facts = serde_json::json!({ "ticketId": stuck, "userId": UserId::generate() }).as_object().unwrap().clone();
        sagas.claim(stuck, &facts, "back", &entry).await.unwrap();
        sagas.record_stuck(stuck, "back", &entry).await.unwrap();

        assert_eq!(office.pass(&walk, &run).await, Progress::Done);
        let done = office.cancellation(event.id).await;
        let tally = done.account().tally;
        assert_eq!((tally.walked, tally.refunded, tally.failed, tally.failed_seats), (3, 1, 2, 5));
        let mut cases = done.account().cases.clone();
        cases.sort_by_key(|case| case.ticket_id);
        let expected = [(used, CaseCode::AdmissionUsed), (stuck, CaseCode::SagaStuck)];
        assert_eq!(cases, expected.map(|(ticket_id, code)| Case { ticket_id, code }));
        assert_eq!(office.stored(used).await.status, Status::Confirmed);

        // An operator has had the one undone: another walk finds the one case that is left.
        office.undo(&database, stuck).await;
        let run = office.cancel_event(event.id).await;
        assert_eq!(office.pass(&walk, &run).await, Progress::Done);
        let tally = office.cancellation(event.id).await.account().tally;
        assert_eq!((tally.cancelled, tally.refunded, tally.failed), (2, 2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_the_list_does_not_show_yet_keeps_the_walk_going() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(40).await;
        let late = office.ticket(event.id, 1).await.id;
        let listed = listing(&database, late, None).await;
        let (walk, run) = (office.walk(&database, 10), office.cancel_event(event.id).await);
        office.pass(&walk, &run).await;
        let blind = office.cancellation(event.id).await;
        assert_eq!((blind.state(), blind.blind, blind.account().tally.walked), (State::Cancelling, 1, 0));
        listing(&database, late, Some(listed)).await;
        office.pass(&walk, &run).await;
        assert_eq!(not_once(&database, &[late]).await, []);
        office.undo(&database, late).await;
        assert_eq!(office.pass(&walk, &run).await, Progress::Done);
    })
    .await;
}

/// Takes a ticket off its event's list, or puts it back: the index as it is before it has caught up.
async fn listing(database: &Database, ticket: TicketId, back: Option<Item>) -> Item {
    let update = database.client().update_item().table_name(database.table(Table::Tickets));
    let update = update.key("pk", text(format_args!("TKT#{ticket}"))).key("sk", text("TICKET"));
    let update = update.return_values(aws_sdk_dynamodb::types::ReturnValue::UpdatedOld);
    let update = match back {
        None => update.update_expression("REMOVE gsi4pk, gsi4sk"),
        Some(mut entry) => update
            .update_expression("SET gsi4pk = :pk, gsi4sk = :sk")
            .expression_attribute_values(":pk", entry.remove("gsi4pk").unwrap())
            .expression_attribute_values(":sk", entry.remove("gsi4sk").unwrap()),
    };
    update.send().await.unwrap().attributes.unwrap_or_default()
}

#[tokio::test]
async fn an_event_without_bookings_is_at_rest_at_once() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(40).await;
        office.inventory.reserve_by_hand(event.id, quantity(3), &trace()).await.unwrap();
        let (walk, run) = (office.walk(&database, 10), office.cancel_event(event.id).await);
        assert_eq!(walk.step(&run, &trace()).await.unwrap(), Progress::Done);
        assert_eq!(walk.step(&run, &trace()).await.unwrap(), Progress::Overtaken);
    })
    .await;
}
