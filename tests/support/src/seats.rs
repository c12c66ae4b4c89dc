//! An event's seats as they lie in the table, and the rules they must keep.
//!
//! Read from the raw items and not through the store under test, with signed numbers: a counter that a lost condition drove below zero is
//! something to see, not something that fails to parse.

use crate::{Database, Table};
use boxoffice_aws::Item;
use std::fmt::Display;

/// An event's seats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seats {
    /// As the terms say.
    pub total: i64,
    /// Summed over the shards.
    pub available: i64,
    /// Summed over the shards.
    pub held: i64,
    /// Summed over the shards.
    pub sold: i64,
    /// How many of `held` were reserved by hand, summed over the shards.
    pub reserved: i64,
    /// The least of any counter of any shard.
    pub least: i64,
    /// Seats of tickets whose reservation is held.
    pub held_by_tickets: i64,
    /// Seats of tickets whose reservation is sold.
    pub sold_to_tickets: i64,
}

impl Seats {
    /// The rules these seats break: none, in a sound store.
    pub fn broken_rules(&self) -> Vec<&'static str> {
        let rules = [
            ("total = available + held + sold", self.total == self.available + self.held + self.sold),
            ("no counter is below zero", self.least >= 0),
            ("held = seats of held tickets + reserved by hand", self.held == self.held_by_tickets + self.reserved),
            ("sold = seats of sold tickets", self.sold == self.sold_to_tickets),
        ];
        rules.into_iter().filter(|(_, kept)| !kept).map(|(rule, _)| rule).collect()
    }

    /// `(available, held, sold)`.
    pub fn counts(&self) -> (i64, i64, i64) {
        (self.available, self.held, self.sold)
    }
}

fn number(item: &Item, name: &str) -> i64 {
    let value = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    value.unwrap_or_else(|| panic!("no number `{name}` in {item:?}"))
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

impl Database {
    /// The event's seats as they are now, whether they keep the rules or not.
    pub async fn count_seats(&self, inventory: impl Display) -> Seats {
        let id = inventory.to_string();
        let partition = format!("INV#{id}");
        let mut seats = Seats::default();
        for item in self.items(Table::Inventory).await {
            match (text(&item, "pk"), text(&item, "sk")) {
                (pk, "TERMS") if pk == partition => seats.total = number(&item, "totalSeats"),
                // A large event's shards lie in further partitions: `INV#<id>#<number>`.
                (pk, sk) if pk.starts_with(&partition) && sk.starts_with("SHARD#") => {
                    let [available, held, sold, reserved] =
                        ["available", "held", "sold", "reserved"].map(|counter| number(&item, counter));
                    seats.available += available;
                    seats.held += held;
                    seats.sold += sold;
                    seats.reserved += reserved;
                    seats.least = [seats.least, available, held, sold, reserved].into_iter().min().unwrap_or(0);
                }
                (_, "RSV") if text(&item, "inventoryId") == id => match text(&item, "state") {
                    "HELD" => seats.held_by_tickets += number(&item, "quantity"),
                    "SOLD" => seats.sold_to_tickets += number(&item, "quantity"),
                    _ => {}
                },
                _ => {}
            }
        }
        seats
    }

    /// The event's seats, which keep the rules.
    pub async fn seats(&self, inventory: impl Display) -> Seats {
        let seats = self.count_seats(inventory).await;
        assert_eq!(seats.broken_rules(), Vec::<&str>::new(), "{seats:?}");
        seats
    }
}
