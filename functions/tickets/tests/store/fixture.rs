//! What every test here begins with.

use boxoffice_inventory::{Inventory, InventoryStore, domain::Terms};
use boxoffice_kernel::{
    Amount, Currency, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, TicketId, Timestamp, UserId,
};
use boxoffice_payments::{Instruction, PaymentStore};
use boxoffice_testing::{Database, Table, trace};
use boxoffice_tickets::{
    TicketStore,
    domain::Ticket,
    store::{BookError, Booked, Desk, EventRef, Order, Sale},
};

pub(crate) const HOLD_SECONDS: u32 = 600;

/// The stores that a booking goes through, over one test's tables.
#[derive(Debug, Clone)]
pub(crate) struct BoxOffice {
    pub(crate) inventory: InventoryStore,
    pub(crate) tickets: TicketStore,
    pub(crate) payments: PaymentStore,
    pub(crate) desk: Desk,
    pub(crate) sale: Sale,
}

pub(crate) fn quantity(seats: u32) -> Quantity {
    Quantity::new(seats).unwrap()
}

pub(crate) fn fresh_key() -> IdempotencyKey {
    TicketId::generate().to_string().parse().unwrap()
}

/// What the order says, as the handler takes its fingerprint: differing orders have differing ones.
pub(crate) fn fingerprint(order: &Order) -> Fingerprint {
    Fingerprint::of(&[&format!("{:?}", order.event), &order.quantity.to_string()])
}

pub(crate) fn order(event: InventoryId, seats: u32) -> Order {
    order_by(UserId::generate(), event, seats)
}

pub(crate) fn order_by(user_id: UserId, event: InventoryId, seats: u32) -> Order {
    Order { caller: user_id, user_id, event: EventRef::Id(event), quantity: quantity(seats), instruction: None }
}

impl BoxOffice {
    pub(crate) fn new(database: &Database) -> Self {
        let (client, events) = (database.client(), database.event_store());
        let inventory = InventoryStore::new(client.clone(), database.table(Table::Inventory), events.clone());
        let tickets = TicketStore::new(client.clone(), database.table(Table::Tickets), events.clone());
        let payments_table = database.table(Table::Payments);
        let payments = PaymentStore::new(client, payments_table, events);
        let desk = Desk::new(tickets.clone(), inventory.clone(), payments_table, HOLD_SECONDS);
        let sale = Sale::new(tickets.clone(), inventory.clone());
        Self { inventory, tickets, payments, desk, sale }
    }

    /// An event on sale at 49.90 EUR with so many seats.
    pub(crate) async fn on_sale(&self, seats: u32) -> Inventory {
        self.on_sale_from(seats, Timestamp::now().plus_seconds(86_400)).await
    }

    /// The same, beginning then.
    pub(crate) async fn on_sale_from(&self, seats: u32, event_date: Timestamp) -> Inventory {
        let id = InventoryId::generate();
        let terms = Terms {
            event_name: id.to_string().parse().unwrap(),
            event_date,
            total_seats: quantity(seats),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
        };
        self.put_on_sale(Inventory::open(id, terms, Timestamp::now())).await
    }

    /// An event on sale with its seats on several shards, which in production only a large event has.
    pub(crate) async fn on_sale_in_shards(&self, seats: &[u32]) -> Inventory {
        let id = InventoryId::generate();
        let terms = Terms {
            event_name: id.to_string().parse().unwrap(),
            event_date: Timestamp::now().plus_seconds(86_400),
            total_seats: quantity(seats.iter().sum()),
            price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
            location: "Hall".parse().unwrap(),
        };
        let mut inventory = Inventory::open(id, terms, Timestamp::now());
        let shard = |(&available, number)| boxoffice_inventory::domain::Shard {
            number,
            available,
            held: 0,
            sold: 0,
            reserved: 0,
        };
        inventory.shards = seats.iter().zip(0..).map(shard).collect();
        self.put_on_sale(inventory).await
    }

    async fn put_on_sale(&self, inventory: Inventory) -> Inventory {
        self.inventory.create(&inventory, &trace()).await.unwrap();
        inventory
    }

    /// Books under this key.
    pub(crate) async fn book(&self, order: &Order, key: &IdempotencyKey) -> Result<Booked, BookError> {
        self.desk.book(order, key, &fingerprint(order), &trace()).await
    }

    /// A new ticket of so many seats.
    pub(crate) async fn ticket(&self, event: InventoryId, seats: u32) -> Ticket {
        made(self.book(&order(event, seats), &fresh_key()).await)
    }

    /// The ticket as it lies in the table.
    pub(crate) async fn stored(&self, id: TicketId) -> Ticket {
        self.tickets.get(id).await.unwrap().unwrap()
    }

    /// The payment instruction left for a ticket.
    pub(crate) async fn instruction(&self, ticket: TicketId) -> Option<Instruction> {
        self.payments.instruction(ticket.payment()).await.unwrap()
    }
}

/// The ticket of a booking that was not a replay.
pub(crate) fn made(booked: Result<Booked, BookError>) -> Ticket {
    match booked {
        Ok(Booked::New(ticket)) => ticket,
        other => panic!("no new ticket: {other:?}"),
    }
}

/// The ticket of a booking that was a replay.
pub(crate) fn replayed(booked: Result<Booked, BookError>) -> Ticket {
    match booked {
        Ok(Booked::Replayed(ticket)) => ticket,
        other => panic!("no replay: {other:?}"),
    }
}
