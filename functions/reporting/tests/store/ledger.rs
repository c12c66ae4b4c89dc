//! The ledger, and the settlement of a period: AP-560 to AP-564.

use crate::fixture::{Desk, Story, on_sale};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::ListError;
use boxoffice_kernel::{InventoryId, UserId};
use boxoffice_reporting::{
    ledger::{Balances, Kind, Period},
    store::Posted,
};
use boxoffice_testing::{Table, for_each_dynamodb};
use serde_json::Value;
use tokio::task::JoinSet;

fn between(from: &str, to: &str) -> Period {
    Period::between(from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

/// The time of all samples.
fn season() -> Period {
    between("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")
}

/// A booking that was paid and of which a part was given back: 99.80 less 20.00.
fn partly_refunded(story: &Story) -> Vec<Value> {
    [story.sold(), vec![story.event("PaymentPartlyRefunded", 4)]].concat()
}

/// A booking whose money went every way: disputed, won, refunded in two parts of which one came back.
fn eventful(story: &Story) -> Vec<Value> {
    let later = [
        ("PaymentDisputed", 4),
        ("PaymentDisputeClosed", 5),
        ("PaymentRefundPending", 6),
        ("PaymentRefundFailed", 7),
        ("PaymentPartlyRefunded", 8),
    ];
    [story.sold(), later.map(|(kind, version)| story.event(kind, version)).into()].concat()
}

impl Desk {
    async fn entries(&self, inventory: Option<InventoryId>, period: Period) -> Vec<Posted> {
        self.views.entries(inventory, period, None, 1000).await.unwrap()
    }

    /// `(charges, charged, refunds, refunded, net)` of an event, in its one currency.
    async fn settled(&self, inventory: InventoryId, period: Period) -> (u64, i64, u64, i64, i64) {
        let found = self.views.settlement(Some(inventory), period).await.unwrap().settled;
        assert!(found.len() <= 1, "{found:?}");
        let sum = found.into_values().next().map(|(_, sum)| sum).unwrap_or_default();
        let Balances { organiser_payable, provider_clearing, refund, .. } = sum.balances;
        (sum.charges, -organiser_payable, sum.refunds, refund, provider_clearing)
    }
}

#[tokio::test]
async fn each_event_that_moves_money_is_one_entry_in_both_journals() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        desk.project(&on_sale(inventory)).await;
        let story = Story::new(inventory);
        desk.project(&partly_refunded(&story)).await;
        let entries = desk.entries(Some(inventory), season()).await;
        let seen: Vec<_> = entries.iter().map(|posted| (posted.entry.kind, posted.entry.amount.minor())).collect();
        assert_eq!(seen, [(Kind::Charged, 9980), (Kind::Refunded, 2000)]);
        assert!(entries.iter().all(|posted| (posted.inventory_id, posted.ticket_id) == (inventory, story.ticket)));
        assert_eq!(desk.entries(None, season()).await, entries);
        assert_eq!(desk.settled(inventory, season()).await, (1, 9980, 1, 2000, 7980));
        let settlement = desk.views.settlement(None, season()).await.unwrap();
        assert_eq!((settlement.settled.len(), settlement.events[&inventory].version), (1, 2));
        let Balances { provider_clearing, .. } = desk.views.balances(story.user, story.ticket).await.unwrap();
        assert_eq!(provider_clearing, 7980);
        assert_eq!(desk.views.balances(UserId::generate(), story.ticket).await.unwrap(), Balances::default());
    })
    .await;
}

#[tokio::test]
async fn entries_are_appended_once_in_any_order_and_however_often_their_events_come() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let events = eventful(&Story::new(inventory));
        // The ticket comes late: until then nobody knows which event on sale the entries are for.
        let mut ticket_known = false;
        for event in events.iter().rev() {
            desk.project(std::slice::from_ref(event)).await;
            ticket_known |= event["metadata"]["eventType"] == "TicketConfirmed";
            let entries = desk.entries(Some(inventory), season()).await;
            assert_eq!(entries.is_empty(), !ticket_known, "{event}");
        }
        assert_eq!(desk.entries(Some(inventory), season()).await.len(), 6);
        assert_eq!(desk.settled(inventory, season()).await, (1, 9980, 2, 2000, 7980));
        let kept = desk.epoch(0).await;
        desk.project(&events).await;
        assert_eq!(desk.epoch(0).await, kept);
    })
    .await;
}

#[tokio::test]
async fn entries_that_come_at_once_and_twice_are_appended_once() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let mut running = JoinSet::new();
        let events = eventful(&Story::new(inventory));
        for event in [events.clone(), events].concat() {
            let desk = desk.clone();
            running.spawn(async move { desk.project(&[event]).await });
        }
        running.join_all().await;
        assert_eq!(desk.entries(Some(inventory), season()).await.len(), 6);
        assert_eq!(desk.entries(None, season()).await.len(), 6);
        assert_eq!(desk.settled(inventory, season()).await, (1, 9980, 2, 2000, 7980));
    })
    .await;
}

/// An entry that is there is not written again, even where the booking that remembers it is lost: the sales count twice then, and the ledger does not.
#[tokio::test]
async fn a_booking_that_has_forgotten_leaves_the_ledger_as_it_is() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let story = Story::new(inventory);
        let events = partly_refunded(&story);
        desk.project(&events).await;
        let before = desk.entries(Some(inventory), season()).await;
        let (pk, sk) = (format!("E0#BOOKINGS#{}", story.user), story.ticket.to_string());
        let forget = database.client().delete_item().table_name(database.table(Table::Views));
        forget.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk)).send().await.unwrap();
        desk.project(&events).await;
        assert_eq!(desk.entries(Some(inventory), season()).await, before);
        // Control: under another id it is another event.
        desk.project(&[story.event("PaymentPartlyRefunded", 5)]).await;
        assert_eq!(desk.entries(Some(inventory), season()).await.len(), before.len() + 1);
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_makes_the_same_ledger() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let mut events: Vec<Value> = on_sale(inventory).into();
        for _ in 0..4 {
            events.extend(eventful(&Story::new(inventory)));
            events.extend(partly_refunded(&Story::new(inventory)));
        }
        desk.append(&events).await;
        desk.project(&events).await;
        let live = desk.entries(Some(inventory), season()).await;
        assert_eq!(live.len(), 4 * 8);
        let table = database.table(Table::Events);
        desk.projector.rebuild(&database.client(), table, |_| {}).await.unwrap();
        assert_eq!(desk.entries(Some(inventory), season()).await, live);
        assert_eq!(desk.epoch(1).await, desk.epoch(0).await);
        assert_eq!(desk.settled(inventory, season()).await, (8, 8 * 9980, 12, 8 * 2000, 8 * 7980));
    })
    .await;
}

#[tokio::test]
async fn a_period_begins_with_its_first_instant_and_ends_before_its_last() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        desk.project(&partly_refunded(&Story::new(inventory))).await;
        let (charged, refunded) = ("2026-11-23T13:34:06.937Z", "2026-11-23T13:34:09.032Z");
        for (from, to, expected) in [
            (charged, refunded, (1, 9980, 0, 0, 9980)),
            (charged, "2026-11-23T13:34:09.033Z", (1, 9980, 1, 2000, 7980)),
            ("2026-11-23T13:34:06.938Z", refunded, (0, 0, 0, 0, 0)),
            (refunded, "2026-12-01T00:00:00Z", (0, 0, 1, 2000, -2000)),
            ("2026-11-01T00:00:00Z", charged, (0, 0, 0, 0, 0)),
        ] {
            assert_eq!(desk.settled(inventory, between(from, to)).await, expected, "{from} to {to}");
            let settled = desk.views.settlement(None, between(from, to)).await.unwrap().settled;
            assert_eq!(settled.is_empty(), expected == (0, 0, 0, 0, 0), "{from} to {to}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_ledger_is_listed_page_by_page_each_entry_once_and_in_order() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        for _ in 0..5 {
            desk.project(&eventful(&Story::new(inventory))).await;
        }
        desk.project(&eventful(&Story::new(InventoryId::generate()))).await;
        for (scope, count) in [(Some(inventory), 30), (None, 36)] {
            let all = desk.entries(scope, season()).await;
            assert_eq!(all.len(), count);
            assert!(all.is_sorted_by_key(|posted| posted.entry), "{all:?}");
            for limit in ["1", "7", "100"] {
                let (mut found, mut cursor) = (Vec::new(), None);
                loop {
                    let page = desk.views.ledger(scope, season(), limit.parse().unwrap(), cursor).await.unwrap();
                    assert!(page.items.len() <= limit.parse().unwrap());
                    found.extend(page.items);
                    let Some(next) = page.next else { break };
                    cursor = Some(next.to_string().parse().unwrap());
                }
                assert_eq!(found, all, "by {limit}");
            }
        }
        let page = desk.views.ledger(Some(inventory), season(), "1".parse().unwrap(), None).await.unwrap();
        let elsewhere = desk.views.ledger(None, season(), "1".parse().unwrap(), page.next).await;
        assert!(matches!(elsewhere, Err(ListError::Cursor(_))), "{elsewhere:?}");
    })
    .await;
}
