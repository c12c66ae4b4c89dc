//! Many clients at one event's seats, every call recorded with its times, and some order found that explains all answers, or none.

use aws_sdk_dynamodb::Client;
use boxoffice_admissions::AdmissionStore;
use boxoffice_aws::{
    UserDirectory,
    attribute::{number, text},
    client,
};
use boxoffice_inventory::{
    Inventory, InventoryStore,
    domain::{NotForSale, PurchaseLimits, Terms},
};
use boxoffice_kernel::{
    Amount, Currency, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, TicketId, Timestamp, UserId,
};
use boxoffice_payments::PaymentStore;
use boxoffice_sequences::{
    history::{Call, Did, Shard, Unexplained, explain},
    wire::{Stream, on_the_wire, overtaken},
};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    TicketStore,
    store::{BookError, Desk, EventRef, Order, Outcome as Booked, Sale},
};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{sync::Barrier, task::JoinSet};

const CLIENTS: u32 = 8;
const ROUNDS: u32 = 10;

/// One event's seats, and what was done to them.
#[derive(Clone)]
struct Recorded {
    client: Client,
    table: String,
    event: InventoryId,
    shards: Vec<u32>,
    inventory: InventoryStore,
    desk: Desk,
    sale: Sale,
    log: Arc<Mutex<Vec<Call>>>,
}

fn quantity(seats: u32) -> Quantity {
    Quantity::new(seats).unwrap()
}

impl Recorded {
    async fn open(database: &Database, shards: &[u32]) -> Self {
        let (client, events) = (database.client(), database.event_store());
        let inventory = InventoryStore::new(client.clone(), database.table(Table::Inventory), events.clone());
        let tickets = TicketStore::new(client.clone(), database.table(Table::Tickets), events.clone());
        let payments = PaymentStore::new(client.clone(), database.table(Table::Payments), events.clone());
        let admissions = AdmissionStore::new(client.clone(), database.table(Table::Admissions), events);
        let event = InventoryId::generate();
        let terms = Terms {
            event_name: event.to_string().parse().unwrap(),
            event_date: Timestamp::now().plus_seconds(86_400),
            total_seats: quantity(shards.iter().sum()),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
            limits: PurchaseLimits::WIDEST,
        };
        let mut on_sale = Inventory::open(event, terms, Timestamp::now());
        on_sale.shards = shards
            .iter()
            .zip(0..)
            .map(|(&available, number)| boxoffice_inventory::domain::Shard {
                number,
                available,
                held: 0,
                sold: 0,
                reserved: 0,
            })
            .collect();
        inventory.create(&on_sale, &trace()).await.unwrap();
        Self {
            client,
            table: database.table(Table::Inventory).to_owned(),
            event,
            shards: shards.to_vec(),
            desk: Desk::new(
                tickets.clone(),
                inventory.clone(),
                payments,
                UserDirectory::new(database.table(Table::Users)),
                600,
            ),
            sale: Sale::new(tickets, inventory.clone(), admissions),
            inventory,
            log: Arc::default(),
        }
    }

    fn note(&self, invoked: Instant, did: Did) {
        let returned = Some(Instant::now());
        self.log.lock().unwrap().push(Call { invoked, returned, did });
    }

    /// The effect of a move of a ticket's seats on each of its shards.
    async fn moved(&self, ticket: TicketId, one: Shard) -> Did {
        let reservation = self.inventory.reservation(ticket).await.unwrap().unwrap();
        let change =
            |seats: i64| Shard { available: one.available * seats, held: one.held * seats, sold: one.sold * seats };
        Did::Move(reservation.allocations.iter().map(|it| (it.shard, change(it.seats.into()))).collect())
    }

    async fn book(&self, seats: u32) -> Option<TicketId> {
        let user_id = UserId::generate();
        let order = Order {
            caller: user_id,
            user_id,
            event: EventRef::Id(self.event),
            quantity: quantity(seats),
            instruction: None,
            expected_total: None,
        };
        let key: IdempotencyKey = TicketId::generate().to_string().parse().unwrap();
        let (invoked, fingerprint) = (Instant::now(), Fingerprint::of(&["order"]));
        let booked = self.desk.book(&order, &key, &fingerprint, &trace()).await;
        let returned = Some(Instant::now());
        let (did, ticket) = match booked {
            Ok(Booked::Created(ticket)) => {
                (self.moved(ticket.id, Shard { available: -1, held: 1, sold: 0 }).await, Some(ticket.id))
            }
            // With one shard, a refusal has a moment at which it was true.
            Err(BookError::NotForSale(NotForSale::SoldOut { .. })) if self.shards.len() == 1 => {
                (Did::Refuse(seats.into()), None)
            }
            Err(BookError::NotForSale(NotForSale::SoldOut { .. })) => return None,
            // Others got ahead every time: nothing was written.
            Err(BookError::Store(error)) => {
                assert!(error.to_string().contains("others got ahead"), "{error}");
                return None;
            }
            other => panic!("{other:?}"),
        };
        self.log.lock().unwrap().push(Call { invoked, returned, did });
        ticket
    }

    async fn confirm(&self, ticket: TicketId) {
        let invoked = Instant::now();
        self.sale.confirm(ticket, &trace()).await.unwrap();
        let returned = Some(Instant::now());
        let did = self.moved(ticket, Shard { available: 0, held: -1, sold: 1 }).await;
        self.log.lock().unwrap().push(Call { invoked, returned, did });
    }

    async fn release(&self, ticket: TicketId, from: Shard) {
        let invoked = Instant::now();
        self.inventory.release(ticket, "BookingCancelled", &trace()).await.unwrap();
        let returned = Some(Instant::now());
        let did = self.moved(ticket, from).await;
        self.log.lock().unwrap().push(Call { invoked, returned, did });
    }

    async fn read(&self) -> Inventory {
        let invoked = Instant::now();
        let inventory = self.inventory.get(self.event).await.unwrap().unwrap();
        for shard in &inventory.shards {
            let seen = Shard { available: shard.available.into(), held: shard.held.into(), sold: shard.sold.into() };
            self.note(invoked, Did::See(shard.number, seen));
        }
        inventory
    }

    /// Everything a client does, in a row of its own.
    async fn act(self, client: u32) {
        for round in 0..ROUNDS {
            let choice = client * 5 + round * 3;
            let ticket = self.book(1 + choice % 4).await;
            self.read().await;
            let Some(ticket) = ticket else { continue };
            match choice % 4 {
                0 => self.release(ticket, Shard { available: 1, held: -1, sold: 0 }).await,
                1 => {
                    self.confirm(ticket).await;
                    self.release(ticket, Shard { available: 1, held: 0, sold: -1 }).await;
                }
                2 => self.confirm(ticket).await,
                _ => self.release(ticket, Shard { available: 1, held: -1, sold: 0 }).await,
            }
        }
    }

    /// A box office that reads and then writes: what it read, less a seat, and without a condition.
    async fn hold_naively(self, all_have_read: Arc<Barrier>) {
        let shard = self.read().await.shards[0];
        all_have_read.wait().await;
        let invoked = Instant::now();
        let write = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(format_args!("INV#{}", self.event)))
            .key("sk", text("SHARD#000"))
            .update_expression("SET available = :available, held = :held")
            .expression_attribute_values(":available", number(shard.available - 1))
            .expression_attribute_values(":held", number(shard.held + 1));
        write.send().await.unwrap();
        self.note(invoked, Did::Move(vec![(0, Shard { available: -1, held: 1, sold: 0 })]));
        self.read().await;
    }

    async fn history(&self, clients: JoinSet<()>) -> Vec<Call> {
        clients.join_all().await;
        self.log.lock().unwrap().clone()
    }

    async fn by_everybody(&self) -> Vec<Call> {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(self.clone().act(client));
        }
        self.history(clients).await
    }

    fn explain(&self, history: &[Call]) -> Result<(), Unexplained> {
        let seats = |&available: &u32| Shard { available: available.into(), held: 0, sold: 0 };
        let start: Vec<_> = (0..).zip(self.shards.iter().map(seats)).collect();
        explain(history, &start)
    }
}

/// How many calls were under way at the busiest moment.
fn most_at_once(history: &[Call]) -> usize {
    let under_way =
        |moment| history.iter().filter(|call| call.invoked <= moment && Some(moment) < call.returned).count();
    history.iter().map(|call| under_way(call.invoked)).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_explains_what_everybody_was_told_of_one_shard() {
    for_each_dynamodb(|database| async move {
        let seats = Recorded::open(&database, &[12]).await;
        let history = seats.by_everybody().await;
        let refusals = history.iter().filter(|call| matches!(call.did, Did::Refuse(_))).count();
        println!(
            "{}: {} calls, {refusals} refusals, {} at once",
            database.name(),
            history.len(),
            most_at_once(&history)
        );
        assert!(most_at_once(&history) > 2, "hardly anybody met anybody");
        assert!(refusals > 0, "nobody was refused");
        seats.explain(&history).unwrap_or_else(|unexplained| panic!("{unexplained}"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_of_writes_explains_what_everybody_was_told_of_each_of_several_shards() {
    for_each_dynamodb(|database| async move {
        let seats = Recorded::open(&database, &[3, 3, 3, 3]).await;
        let history = seats.by_everybody().await;
        let several = |call: &&Call| matches!(&call.did, Did::Move(changes) if changes.len() > 1);
        assert!(history.iter().any(|call| several(&call)), "no hold was of several shards");
        assert!(most_at_once(&history) > 2, "hardly anybody met anybody");
        seats.explain(&history).unwrap_or_else(|unexplained| panic!("{unexplained}"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_log_with_one_impossible_answer_is_refused() {
    for_each_dynamodb(|database| async move {
        let seats = Recorded::open(&database, &[12]).await;
        let mut history = seats.by_everybody().await;
        // The last read is told what was true before anybody began: each number possible, the time not.
        let untouched = Shard { available: 12, held: 0, sold: 0 };
        let stale = |call: &&mut Call| matches!(&call.did, Did::See(_, seen) if *seen != untouched);
        history.sort_by_key(|call| call.invoked);
        seats.explain(&history).unwrap_or_else(|unexplained| panic!("before it was doctored: {unexplained}"));
        history.iter_mut().rev().find(stale).expect("a read after a write").did = Did::See(0, untouched);
        let refused = seats.explain(&history).expect_err("a stale read was explained");
        assert!(refused.to_string().contains("no order explains"), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_box_office_that_reads_and_then_writes_is_refused() {
    for_each_dynamodb(|database| async move {
        let seats = Recorded::open(&database, &[12]).await;
        let (mut clients, all_have_read) = (JoinSet::new(), Arc::new(Barrier::new(CLIENTS as usize)));
        for _ in 0..CLIENTS {
            clients.spawn(seats.clone().hold_naively(Arc::clone(&all_have_read)));
        }
        let history = seats.history(clients).await;
        seats.explain(&history).expect_err("seats that were held and not counted were explained");
    })
    .await;
}

/// An invocation is held up at each of its requests in turn, while another confirms the same ticket: a retry that its caller did not wait for.
#[tokio::test]
async fn a_confirmation_that_another_invocation_overtakes_is_confirmed_too() {
    for_each_dynamodb(|database| async move {
        let recorded = Recorded::open(&database, &[40]).await;
        let wire = on_the_wire(database.sdk_config(), database.table(Table::Events), &Stream::default());
        let (wired, events) = (client::dynamodb(&wire), database.event_store());
        let sale = Sale::new(
            TicketStore::new(wired.clone(), database.table(Table::Tickets), events.clone()),
            InventoryStore::new(wired.clone(), database.table(Table::Inventory), events.clone()),
            AdmissionStore::new(wired, database.table(Table::Admissions), events),
        );
        let mut held_up = 0;
        for request in 0..6 {
            let ticket = recorded.book(2).await.unwrap();
            let trace = trace();
            let (ran, other) = overtaken(request, sale.confirm(ticket, &trace), sale.confirm(ticket, &trace)).await;
            held_up += u32::from(ran.met);
            let one = ran.answer.unwrap();
            assert!(one.is_ok() && other.is_ok(), "held up at request {request}: {one:?}, {other:?}");
        }
        assert!(held_up >= 3, "the ticket is read, then the seats, then both are written");
    })
    .await;
}
