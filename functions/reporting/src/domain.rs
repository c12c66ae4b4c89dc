//! A booking as its events tell it, and what it adds to its event's sales. No I/O.
//!
//! Events reach a reader late, twice and in any order between aggregates. So nothing here counts events: a [`BookingRecord`] is the *union* of what its
//! events tell ([`BookingRecord::merge`] gives the same whatever their order and however often they come), and sales follow from it
//! ([`BookingRecord::sales`]). An event adds to the sales the difference between the booking's sales after and before it.

use crate::ledger::{Balances, Entry};
use boxoffice_inventory::{EventName, domain::Location};
use boxoffice_kernel::{Amount, Currency, InventoryId, Quantity, TicketId, Timestamp, UserId, money::minor};
use boxoffice_payments::domain::{Method, Status as PaymentStatus};
use boxoffice_tickets::domain::{CancellationReason, Status as TicketStatus};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{AddAssign, Sub},
};

/// An event on sale, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnSale {
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// Its name.
    pub event_name: EventName,
    /// When it takes place.
    pub event_date: Timestamp,
    /// The venue.
    pub location: Location,
    /// The currency.
    pub currency: Currency,
    /// The version of the event on sale that this is.
    pub version: u64,
}

/// A ticket, as the last of its events that describe it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The event on sale.
    pub inventory_id: InventoryId,
    /// Its name when it was booked.
    pub event_name: EventName,
    /// Its date when it was booked.
    pub event_date: Timestamp,
    /// How many seats.
    pub quantity: Quantity,
    /// The price of one.
    #[serde(rename = "priceMinor", with = "minor")]
    pub price: Amount,
    /// The price of all.
    #[serde(rename = "totalMinor", with = "minor")]
    pub total: Amount,
    /// In what.
    pub currency: Currency,
    /// Until when the seats are held for the payment.
    pub hold_expires_at: Timestamp,
    /// Why it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<CancellationReason>,
    /// The version of the ticket that this is.
    pub version: u64,
}

/// A payment, as the last of its events that describe it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Where it is.
    pub status: PaymentStatus,
    /// The amount.
    #[serde(rename = "amountMinor", with = "minor")]
    pub amount: Amount,
    /// In what.
    pub currency: Currency,
    /// How.
    pub method: Method,
    /// Why it failed or expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Why it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_reason: Option<String>,
    /// The version of the payment that this is.
    pub version: u64,
}

/// When what happens to a booking at most once happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeline {
    /// The seats were held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booked: Option<Timestamp>,
    /// The ticket was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// The buyer wanted out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_requested: Option<Timestamp>,
    /// The ticket was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Timestamp>,
    /// The event took place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<Timestamp>,
    /// The ticket was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// The payment was charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<Timestamp>,
    /// The payment was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Timestamp>,
    /// The payment was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_deleted: Option<Timestamp>,
}

/// A booking, as far as its events have told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingRecord {
    /// The ticket it is.
    pub ticket_id: TicketId,
    /// The user.
    pub user_id: UserId,
    /// The status of its ticket, once one of its events has arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// The status of its payment, once one of its events has arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// When what happened.
    #[serde(default)]
    pub timeline: Timeline,
    /// How its money moved.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub entries: BTreeSet<Entry>,
}

fn latest<T>(one: Option<T>, other: Option<T>, version: impl Fn(&T) -> u64) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if version(&other) > version(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

impl Timeline {
    fn merge(self, other: Self) -> Self {
        Self {
            booked: earliest(self.booked, other.booked),
            confirmed: earliest(self.confirmed, other.confirmed),
            cancellation_requested: earliest(self.cancellation_requested, other.cancellation_requested),
            cancelled: earliest(self.cancelled, other.cancelled),
            completed: earliest(self.completed, other.completed),
            deleted: earliest(self.deleted, other.deleted),
            paid: earliest(self.paid, other.paid),
            refunded: earliest(self.refunded, other.refunded),
            payment_deleted: earliest(self.payment_deleted, other.payment_deleted),
        }
    }
}

impl BookingRecord {
    /// A booking nothing is known of yet.
    pub fn unknown(ticket_id: TicketId, user_id: UserId) -> Self {
        Self {
            ticket_id,
            user_id,
            ticket: None,
            payment: None,
            timeline: Timeline::default(),
            entries: BTreeSet::new(),
        }
    }

    /// The union of two records of the same booking.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            ticket_id: self.ticket_id,
            user_id: self.user_id,
            ticket: latest(self.ticket, other.ticket, |ticket| ticket.version),
            payment: latest(self.payment, other.payment, |payment| payment.version),
            timeline: self.timeline.merge(other.timeline),
            entries: self.entries.into_iter().chain(other.entries).collect(),
        }
    }

    /// Its part of the ledger: its entries, once it is known which event they are for.
    pub fn ledger(&self) -> impl Iterator<Item = (InventoryId, &Entry)> {
        self.ticket.iter().flat_map(|ticket| self.entries.iter().map(|entry| (ticket.inventory_id, entry)))
    }

    /// The balances of its money.
    pub fn balances(&self) -> Balances {
        Balances::after(&self.entries)
    }

    /// Whether it is shown to its buyer: once it is known that it was booked and what it is, until its ticket is deleted.
    pub fn is_shown(&self) -> bool {
        self.ticket.is_some() && self.timeline.booked.is_some() && self.timeline.deleted.is_none()
    }

    /// Where the ticket is.
    pub fn status(&self) -> TicketStatus {
        match self.timeline {
            Timeline { cancelled: Some(_), .. } => TicketStatus::Cancelled,
            Timeline { completed: Some(_), .. } => TicketStatus::Completed,
            Timeline { confirmed: Some(_), .. } => TicketStatus::Confirmed,
            _ => TicketStatus::Pending,
        }
    }

    /// Its contribution to the event's sales, by hour: nothing before its booking is known.
    pub fn sales(&self) -> Sales {
        let mut sales = Sales::default();
        let Self { ticket: Some(ticket), timeline: Timeline { booked: Some(booked), .. }, .. } = self else {
            return sales;
        };
        let mut add = |at: Timestamp, counts: Counts| {
            *sales.0.entry(Slot::of(at, ticket.currency)).or_default() += counts;
        };
        let Timeline { confirmed, cancelled, paid, refunded, .. } = self.timeline;
        let seats = i64::from(ticket.quantity.get());
        add(*booked, Counts { held: seats, ..Counts::default() });
        if let Some(at) = confirmed {
            add(at, Counts { sold: seats, ..Counts::default() });
        }
        if let Some(at) = cancelled {
            let returned = if confirmed.is_some() { seats } else { 0 };
            add(at, Counts { cancelled: seats, returned, ..Counts::default() });
        }
        if let Some(payment) = &self.payment {
            let money = i64::try_from(payment.amount.minor()).unwrap_or(i64::MAX);
            if let Some(at) = paid {
                add(at, Counts { revenue: money, ..Counts::default() });
            }
            if let Some(at) = refunded {
                add(at, Counts { refunds: money, ..Counts::default() });
            }
        }
        sales
    }
}

/// The changes of an event's seats and money, in seats and minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Seats that a booking holds.
    pub held: i64,
    /// Seats that came to be sold.
    pub sold: i64,
    /// Seats whose booking was cancelled.
    pub cancelled: i64,
    /// How many of those had been sold.
    pub returned: i64,
    /// Money taken.
    #[serde(rename = "revenueMinor")]
    pub revenue: i64,
    /// Money given back.
    #[serde(rename = "refundsMinor")]
    pub refunds: i64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.held += other.held;
        self.sold += other.sold;
        self.cancelled += other.cancelled;
        self.returned += other.returned;
        self.revenue += other.revenue;
        self.refunds += other.refunds;
    }
}

impl Sub for Counts {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            held: self.held - other.held,
            sold: self.sold - other.sold,
            cancelled: self.cancelled - other.cancelled,
            returned: self.returned - other.returned,
            revenue: self.revenue - other.revenue,
            refunds: self.refunds - other.refunds,
        }
    }
}

impl Counts {
    /// Seats held now, where these are all the counts there are: those that came to be held and have since been neither sold nor cancelled.
    pub fn held_now(&self) -> i64 {
        self.held - self.sold - (self.cancelled - self.returned)
    }

    /// Seats sold now, where these are all the counts there are.
    pub fn sold_now(&self) -> i64 {
        self.sold - self.returned
    }
}

/// An hour of sales in one currency. An event may change its currency for bookings from then on, and sums of two currencies mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When the hour began.
    pub hour: Timestamp,
    /// In what was sold.
    pub currency: Currency,
}

impl Slot {
    fn of(at: Timestamp, currency: Currency) -> Self {
        const MILLIS: i64 = 3_600_000;
        let millis = at.unix_millis();
        let hour = Timestamp::from_unix_millis(millis - millis.rem_euclid(MILLIS)).unwrap_or(at);
        Self { hour, currency }
    }
}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.hour, self.currency.code()).cmp(&(other.hour, other.currency.code()))
    }
}

/// Sales by hour and currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sales(pub BTreeMap<Slot, Counts>);

impl Sales {
    /// The difference to `before`; nothing where nothing has changed.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let slots = self.0.keys().chain(before.0.keys());
        let of = |sales: &Self, slot: &Slot| sales.0.get(slot).copied().unwrap_or_default();
        let changes = slots.map(|slot| (*slot, of(self, slot) - of(before, slot)));
        Self(changes.filter(|(_, change)| *change != Counts::default()).collect())
    }

    /// The sum of those slots that are `such`.
    pub fn sum(&self, such: impl Fn(&Slot) -> bool) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in self.0.iter().filter(|(slot, _)| such(slot)) {
            sum += *counts;
        }
        sum
    }
}

impl AddAssign for Sales {
    fn add_assign(&mut self, other: Self) {
        for (slot, counts) in other.0 {
            *self.0.entry(slot).or_default() += counts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::{self, News};
    use proptest::prelude::*;

    /// Every event of one booking that was booked, paid, confirmed and taken back, as the contracts' own samples tell it.
    fn life() -> Vec<BookingRecord> {
        [
            include_str!("../../../events/TicketCreated.sample.json"),
            include_str!("../../../events/PaymentInitiated.sample.json"),
            include_str!("../../../events/PaymentProcessing.sample.json"),
            include_str!("../../../events/PaymentCompleted.sample.json"),
            include_str!("../../../events/TicketConfirmed.sample.json"),
            include_str!("../../../events/TicketCancellationRequested.sample.json"),
            include_str!("../../../events/PaymentRefunded.sample.json"),
            include_str!("../../../events/TicketCancelled.sample.json"),
        ]
        .into_iter()
        .map(|sample| match news::read(&serde_json::from_str(sample).unwrap()).unwrap() {
            Some(News::Booking(booking)) => *booking,
            other => panic!("{other:?} from {sample}"),
        })
        .collect()
    }

    fn told(events: &[BookingRecord]) -> BookingRecord {
        let first = events.first().unwrap();
        let unknown = BookingRecord::unknown(first.ticket_id, first.user_id);
        events.iter().cloned().fold(unknown, BookingRecord::merge)
    }

    fn all(_: &Slot) -> bool {
        true
    }

    #[test]
    fn the_counts_follow_the_booking() {
        let life = life();
        let at = |events: usize| {
            let sum = told(&life[..events]).sales().sum(all);
            (sum.held_now(), sum.sold_now(), sum.cancelled, sum.revenue, sum.refunds)
        };
        assert_eq!(at(1), (2, 0, 0, 0, 0));
        assert_eq!(at(4), (2, 0, 0, 9980, 0));
        assert_eq!(at(5), (0, 2, 0, 9980, 0));
        assert_eq!(at(7), (0, 2, 0, 9980, 9980));
        assert_eq!(at(8), (0, 0, 2, 9980, 9980));
    }

    #[test]
    fn an_hour_tells_what_happened_in_it() {
        let sales = told(&life()).sales();
        let hours: Vec<String> = sales.0.keys().map(|slot| slot.hour.to_string()).collect();
        assert_eq!(hours, ["2026-11-23T13:00:00.000Z"]);
        let counts = sales.sum(all);
        assert_eq!((counts.held, counts.sold, counts.cancelled, counts.returned), (2, 2, 2, 2));
    }

    #[test]
    fn an_unpaid_booking_never_counts_as_sold() {
        let life = life();
        let lapsed = told(&[life[0].clone(), life[7].clone()]).sales().sum(all);
        assert_eq!((lapsed.held_now(), lapsed.sold_now(), lapsed.cancelled), (0, 0, 2));
    }

    #[test]
    fn the_status_is_that_of_the_last_step_known() {
        let life = life();
        let expected = [(1, TicketStatus::Pending), (5, TicketStatus::Confirmed), (8, TicketStatus::Cancelled)];
        for (events, status) in expected {
            assert_eq!(told(&life[..events]).status(), status);
        }
    }

    #[test]
    fn a_sum_is_of_one_currency() {
        let at: Timestamp = "2030-01-01T10:59:59.999Z".parse().unwrap();
        let (euros, dollars) = (Slot::of(at, Currency::Eur), Slot::of(at, Currency::Usd));
        let of = |revenue| Counts { revenue, ..Counts::default() };
        let sales = Sales([(euros, of(5)), (dollars, of(7))].into());
        assert_eq!(sales.sum(|slot| slot.currency == Currency::Eur).revenue, 5);
        assert_eq!(euros.hour.to_string(), "2030-01-01T10:00:00.000Z");
    }

    /// The events of a life in any order, some of them more than once.
    fn deliveries() -> impl Strategy<Value = Vec<BookingRecord>> {
        let life = life();
        let (once, again) = (Just(life.clone()), prop::collection::vec(prop::sample::select(life), 0..12));
        (once, again).prop_flat_map(|(once, again)| Just([once, again].concat()).prop_shuffle())
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_tell_the_same(events in deliveries()) {
            prop_assert_eq!(told(&events), told(&life()));
        }

        #[test]
        fn the_additions_of_all_deliveries_sum_to_the_whole(events in deliveries()) {
            let mut booking = BookingRecord::unknown(events[0].ticket_id, events[0].user_id);
            let mut kept = Sales::default();
            for event in events {
                let after = booking.clone().merge(event);
                kept += after.sales().since(&booking.sales());
                let sum = kept.sum(all);
                prop_assert!(sum.held_now() >= 0 && sum.sold_now() >= 0, "{:?}", sum);
                booking = after;
            }
            prop_assert_eq!(kept, told(&life()).sales());
        }

        #[test]
        fn merging_in_groups_is_merging_one_by_one(events in deliveries(), at in 1..8_usize) {
            let (one, other) = events.split_at(at);
            prop_assert_eq!(told(one).merge(told(other)), told(&events));
        }
    }
}
