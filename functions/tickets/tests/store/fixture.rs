//! The fixture of these tests.

use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_admissions::AdmissionStore;
use boxoffice_aws::{AccessRegister, Item, UserDirectory};
use boxoffice_inventory::{
    Inventory, InventoryStore,
    domain::{PurchaseLimits, Terms},
};
use boxoffice_kernel::{
    Amount, Currency, Fingerprint, IdempotencyKey, InventoryId, Money, Quantity, TicketId, Timestamp, UserId,
};
use boxoffice_payments::{Instruction, PaymentStore};
use boxoffice_testing::{Database, Table, trace};
use boxoffice_tickets::{
    TicketStore,
    domain::Ticket,
    store::{BookError, Desk, EventRef, Order, Outcome, Sale},
};

pub(crate) const HOLD_SECONDS: u32 = 600;

/// The stores that a booking goes through, over one test's tables.
#[derive(Debug, Clone)]
pub(crate) struct BoxOffice {
    pub(crate) inventory: InventoryStore,
    pub(crate) tickets: TicketStore,
    pub(crate) payments: PaymentStore,
    pub(crate) admissions: AdmissionStore,
    pub(crate) desk: Desk,
    pub(crate) sale: Sale,
}

pub(crate) fn quantity(seats: u32) -> Quantity {
    Quantity::new(seats).unwrap()
}

pub(crate) fn fresh_key() -> IdempotencyKey {
    TicketId::generate().to_string().parse().unwrap()
}

/// The canonical order, as the handler takes its fingerprint: different orders differ.
pub(crate) fn fingerprint(order: &Order) -> Fingerprint {
    Fingerprint::of(&[&format!("{:?}", order.event), &order.quantity.to_string()])
}

pub(crate) fn order(event: InventoryId, seats: u32) -> Order {
    order_by(UserId::generate(), event, seats)
}

pub(crate) fn order_by(user_id: UserId, event: InventoryId, seats: u32) -> Order {
    let event = EventRef::Id(event);
    Order { caller: user_id, user_id, event, quantity: quantity(seats), instruction: None, expected_total: None }
}

impl BoxOffice {
    pub(crate) fn new(database: &Database) -> Self {
        let (client, events) = (database.client(), database.event_store());
        let inventory = InventoryStore::new(client.clone(), database.table(Table::Inventory), events.clone());
        let tickets = TicketStore::new(client.clone(), database.table(Table::Tickets), events.clone());
        let payments = PaymentStore::new(client, database.table(Table::Payments), events);
        let users = UserDirectory::new(database.table(Table::Users));
        let desk = Desk::new(tickets.clone(), inventory.clone(), payments.clone(), users, HOLD_SECONDS);
        let admissions =
            AdmissionStore::new(database.client(), database.table(Table::Admissions), database.event_store());
        let sale = Sale::new(tickets.clone(), inventory.clone(), admissions.clone());
        Self { inventory, tickets, payments, admissions, desk, sale }
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
            limits: PurchaseLimits::WIDEST,
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
            limits: PurchaseLimits::WIDEST,
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
    pub(crate) async fn book(&self, order: &Order, key: &IdempotencyKey) -> Result<Outcome, BookError> {
        self.desk.book(order, key, &fingerprint(order), &trace()).await
    }

    /// A new ticket of so many seats.
    pub(crate) async fn ticket(&self, event: InventoryId, seats: u32) -> Ticket {
        made(self.book(&order(event, seats), &fresh_key()).await)
    }

    /// A user's item as the users context keeps it, as far as others look at it, with these attributes more.
    pub(crate) async fn user(&self, database: &Database, id: UserId, attributes: &[&str]) {
        let text = |value: String| AttributeValue::S(value);
        let mut item = Item::from([
            ("pk".into(), AccessRegister::pk(id)),
            ("sk".into(), text(UserDirectory::SK.into())),
            ("id".into(), text(id.to_string())),
        ]);
        item.extend(attributes.iter().map(|name| ((*name).to_owned(), text(Timestamp::now().to_string()))));
        let put = database.client().put_item().table_name(database.table(Table::Users)).set_item(Some(item));
        put.send().await.unwrap();
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
pub(crate) fn made(booked: Result<Outcome, BookError>) -> Ticket {
    match booked {
        Ok(Outcome::Created(ticket)) => ticket,
        other => panic!("no new ticket: {other:?}"),
    }
}

/// The ticket of a booking that was a replay.
pub(crate) fn replayed(booked: Result<Outcome, BookError>) -> Ticket {
    match booked {
        Ok(Outcome::Replayed(ticket)) => ticket,
        other => panic!("no replay: {other:?}"),
    }
}
