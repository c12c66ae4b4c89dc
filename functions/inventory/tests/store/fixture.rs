//! The fixture of these tests.

use boxoffice_aws::{StoreError, Uncommitted};
use boxoffice_inventory::{
    Inventory, InventoryStore, SeatGuard,
    domain::{Allocation, PurchaseLimits, Reservation, Revision, Shard, Terms},
};
use boxoffice_kernel::{Amount, Currency, InventoryId, Money, Quantity, TicketId, Timestamp};
use boxoffice_testing::{Database, Table, trace};

pub(crate) fn store(database: &Database) -> InventoryStore {
    InventoryStore::new(database.client(), database.table(Table::Inventory), database.event_store())
}

pub(crate) fn quantity(seats: u32) -> Quantity {
    Quantity::new(seats).unwrap()
}

pub(crate) fn tomorrow() -> Timestamp {
    Timestamp::now().plus_seconds(86_400)
}

pub(crate) fn terms(name: &str, seats: u32) -> Terms {
    Terms {
        event_name: name.parse().unwrap(),
        event_date: tomorrow(),
        total_seats: quantity(seats),
        price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
        location: "Hall".parse().unwrap(),
        limits: PurchaseLimits::default(),
    }
}

/// An event on sale with one shard of so many seats.
pub(crate) async fn on_sale(store: &InventoryStore, seats: u32) -> Inventory {
    on_sale_in_shards(store, &[seats]).await
}

/// An event on sale with its seats on several shards, which in production only a large event has.
pub(crate) async fn on_sale_in_shards(store: &InventoryStore, seats: &[u32]) -> Inventory {
    let id = InventoryId::generate();
    let mut inventory = Inventory::open(id, terms(&id.to_string(), seats.iter().sum()), Timestamp::now());
    inventory.shards = seats
        .iter()
        .zip(0..)
        .map(|(&available, number)| Shard { number, available, held: 0, sold: 0, reserved: 0 })
        .collect();
    store.create(&inventory, &trace()).await.unwrap();
    inventory
}

/// A revision of the number of seats.
pub(crate) fn resized(seats: u32) -> Revision {
    Revision { total_seats: Some(quantity(seats)), ..Revision::default() }
}

/// The hold that this inventory, as it was read, leads a ticket to.
pub(crate) fn planned(inventory: &Inventory, seats: u32, ticket: TicketId) -> Reservation {
    let seed = boxoffice_inventory::store::shard_seed(ticket);
    let allocations = inventory.plan_hold(quantity(seats), seed, Timestamp::now()).unwrap();
    Reservation::hold(ticket, inventory, quantity(seats), allocations)
}

/// Writes a hold, as the transaction that creates the ticket does.
pub(crate) async fn write_hold(
    database: &Database,
    inventory: &Inventory,
    reservation: &Reservation,
) -> Result<(), Uncommitted<SeatGuard>> {
    let transaction = store(database).hold(inventory, reservation, &trace())?;
    transaction.commit(&database.client()).await.map(|_| ())
}

/// A new ticket with so many seats held.
pub(crate) async fn hold(database: &Database, inventory: InventoryId, seats: u32) -> TicketId {
    let inventory = store(database).get(inventory).await.unwrap().unwrap();
    let ticket = TicketId::generate();
    write_hold(database, &inventory, &planned(&inventory, seats, ticket)).await.unwrap();
    ticket
}

/// Sells a ticket's seats from its reservation as it was read, as the transaction that confirms the ticket does.
pub(crate) async fn write_sale(database: &Database, reservation: &Reservation) -> Result<(), Uncommitted<SeatGuard>> {
    let transaction = store(database).sell(reservation, &trace())?;
    transaction.commit(&database.client()).await.map(|_| ())
}

/// A new ticket with so many seats sold.
pub(crate) async fn sell(database: &Database, inventory: InventoryId, seats: u32) -> TicketId {
    let ticket = hold(database, inventory, seats).await;
    let reservation = store(database).reservation(ticket).await.unwrap().unwrap();
    write_sale(database, &reservation).await.unwrap();
    ticket
}

/// The guards that refused a transaction.
pub(crate) fn refused<G: std::fmt::Debug>(outcome: Result<(), Uncommitted<G>>) -> boxoffice_aws::Refusals<G> {
    match outcome {
        Err(Uncommitted::Refused(refusals)) => refusals,
        Err(Uncommitted::Store(StoreError::Unavailable(why) | StoreError::Broken(why))) => panic!("no answer: {why}"),
        Ok(()) => panic!("the write was not refused"),
    }
}

/// Seats of the first shard.
pub(crate) fn first_shard(seats: u32) -> Vec<Allocation> {
    vec![Allocation { shard: 0, seats }]
}
