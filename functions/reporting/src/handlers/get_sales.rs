//! Shows an event's sales.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /inventory/{id}/sales` |
//! | reads | the event and every hour of its sales (AP-129) |

use crate::{
    ViewStore,
    domain::{Counts, Slot},
    store::EventSales,
};
use boxoffice_inventory::EventName;
use boxoffice_kernel::{Currency, InventoryId, Timestamp};
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// A sum of money: unlike an amount, it may be nothing.
#[derive(Debug, Clone, Copy)]
struct Sum(i64);

impl Serialize for Sum {
    #[expect(clippy::cast_precision_loss, reason = "no sum of ticket sales comes near 2^53 cents")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl PartialSchema for Sum {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("A sum of money with at most two decimals."))
            .minimum(Some(0.0))
            .examples([serde_json::json!(99.8)])
            .into()
    }
}

impl ToSchema for Sum {}

/// The sales of an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Sales)]
pub(crate) struct SalesView {
    inventory_id: InventoryId,
    event_name: EventName,
    /// The currency the event is sold in now, and of `revenue` and `refunds`.
    currency: Currency,
    /// Seats held now by bookings that are not paid yet.
    #[schema(minimum = 0)]
    held: i64,
    /// Seats sold now.
    #[schema(minimum = 0)]
    sold: i64,
    /// Seats whose booking was cancelled, so far.
    #[schema(minimum = 0)]
    cancelled: i64,
    /// Money taken so far.
    revenue: Sum,
    /// Money given back so far.
    refunds: Sum,
    /// Money in currencies the event was sold in before; absent when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_currencies: Vec<MoneyView>,
    /// The hours with activity, oldest first.
    by_hour: Vec<HourView>,
    /// When the newest event happened that these numbers know of. They are as of then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    /// How many milliseconds later they knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_millis: Option<i64>,
}

/// Money taken and given back in a currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SalesInCurrency)]
struct MoneyView {
    currency: Currency,
    revenue: Sum,
    refunds: Sum,
}

/// The activity of an hour.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SalesHour)]
struct HourView {
    /// When the hour began.
    hour: Timestamp,
    /// Seats that came to be held.
    #[schema(minimum = 0)]
    held: i64,
    /// Seats that came to be sold.
    #[schema(minimum = 0)]
    sold: i64,
    /// Seats whose booking was cancelled.
    #[schema(minimum = 0)]
    cancelled: i64,
    /// Money taken.
    revenue: Sum,
    /// Money given back.
    refunds: Sum,
    /// Money in currencies the event was sold in before; absent when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_currencies: Vec<MoneyView>,
}

impl From<EventSales> for SalesView {
    fn from(EventSales { event, sales, progress }: EventSales) -> Self {
        let currency = event.currency;
        let all = sales.sum(|_| true);
        let money = sales.sum(|slot| slot.currency == currency);
        // Money in other currencies, of all slots or of some.
        let others = |such: &dyn Fn(&Slot) -> bool| -> Vec<MoneyView> {
            let slots = sales.0.keys().filter(|slot| slot.currency != currency && such(slot));
            let currencies: BTreeMap<&str, Currency> =
                slots.map(|slot| (slot.currency.code(), slot.currency)).collect();
            let money = |currency| {
                let Counts { revenue, refunds, .. } = sales.sum(|slot| slot.currency == currency && such(slot));
                MoneyView { currency, revenue: Sum(revenue), refunds: Sum(refunds) }
            };
            // A slot of seats alone, which were held or given back, is no money.
            let is_any = |view: &MoneyView| view.revenue.0 != 0 || view.refunds.0 != 0;
            currencies.into_values().map(money).filter(is_any).collect()
        };
        let hours: BTreeSet<Timestamp> = sales.0.keys().map(|slot| slot.hour).collect();
        let in_hour = |hour| {
            let seats = sales.sum(|slot| slot.hour == hour);
            let money = sales.sum(|slot| *slot == Slot { hour, currency });
            let (revenue, refunds) = (Sum(money.revenue), Sum(money.refunds));
            let other_currencies = others(&|slot| slot.hour == hour);
            let Counts { held, sold, cancelled, .. } = seats;
            HourView { hour, held, sold, cancelled, revenue, refunds, other_currencies }
        };
        Self {
            inventory_id: event.inventory_id,
            event_name: event.event_name,
            currency,
            held: all.held_now(),
            sold: all.sold_now(),
            cancelled: all.cancelled,
            revenue: Sum(money.revenue),
            refunds: Sum(money.refunds),
            other_currencies: others(&|_| true),
            by_hour: hours.into_iter().map(in_hour).collect(),
            as_of: progress.map(|progress| progress.occurred_at),
            lag_millis: progress.map(|progress| progress.lag_millis()),
        }
    }
}

/// Show an event's sales: seats and money, in all and by the hour.
///
/// A moment behind what is being sold: `asOf` says how far the numbers go.
///
/// # Errors
/// When there is no such event.
#[utoipa::path(
    get,
    path = "/inventory/{id}/sales",
    operation_id = "get-sales",
    tag = "inventory",
    params(("id" = InventoryId, Path, description = "The event on sale.")),
    responses(
        (
            status = 200,
            description = "Its sales.",
            body = SalesView,
            example = json!({
                "inventoryId": "inv_01a2089d208473baad08d1920fe1d8c7",
                "eventName": "Late Show at the Ferris Wheel",
                "currency": "EUR",
                "held": 2,
                "sold": 4,
                "cancelled": 2,
                "revenue": 299.4,
                "refunds": 99.8,
                "byHour": [{
                    "hour": "2026-11-23T13:00:00.000Z",
                    "held": 8,
                    "sold": 6,
                    "cancelled": 2,
                    "revenue": 299.4,
                    "refunds": 99.8
                }],
                "asOf": "2026-11-23T13:34:09.146Z",
                "lagMillis": 210
            })
        ),
        (status = 404, description = "`INVENTORY_NOT_FOUND`: no event has this id, or it went on sale a moment ago."),
    )
)]
pub async fn handle(store: &ViewStore, request: Request) -> Result<Answer, Problem> {
    let id: InventoryId = http::path(&request, "id", Code::InvalidId)?;
    let sales = store.sales(id).await?.ok_or_else(|| {
        let detail = "No event has this id. One that went on sale a moment ago shows up shortly.";
        Problem::new(Code::InventoryNotFound, detail)
    })?;
    Answer::ok(&SalesView::from(sales))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OnSale, Sales};
    use crate::store::Progress;
    use serde_json::json;

    fn slot(hour: &str, currency: Currency) -> Slot {
        Slot { hour: format!("2030-01-01T{hour}:00:00Z").parse().unwrap(), currency }
    }

    #[test]
    fn seats_add_up_over_all_and_money_within_a_currency() {
        let event = OnSale {
            inventory_id: InventoryId::generate(),
            event_name: "Concert".parse().unwrap(),
            event_date: "2030-06-01T20:00:00Z".parse().unwrap(),
            location: "Hall".parse().unwrap(),
            currency: Currency::Eur,
            version: 2,
        };
        let sold = |held, sold, revenue| Counts { held, sold, revenue, ..Counts::default() };
        let back = Counts { cancelled: 1, returned: 1, refunds: 1000, ..Counts::default() };
        let sales = Sales(
            [
                (slot("10", Currency::Usd), sold(3, 2, 2001)),
                (slot("11", Currency::Eur), sold(4, 4, 4000)),
                // The currency changed within this hour, and a booking in the old one was given back in the next.
                (slot("11", Currency::Usd), sold(1, 1, 999)),
                (slot("12", Currency::Usd), Counts { cancelled: 1, returned: 1, refunds: 999, ..Counts::default() }),
                (slot("12", Currency::Eur), back),
            ]
            .into(),
        );
        let progress = Progress {
            occurred_at: "2030-01-01T12:30:00Z".parse().unwrap(),
            projected_at: "2030-01-01T12:30:00.25Z".parse().unwrap(),
        };
        let id = event.inventory_id;
        let view =
            serde_json::to_value(SalesView::from(EventSales { event, sales, progress: Some(progress) })).unwrap();
        let hour = |hour: &str, held: u8, sold: u8, cancelled: u8, revenue: f64, refunds: f64| {
            json!({
                "hour": format!("2030-01-01T{hour}:00:00.000Z"), "held": held, "sold": sold, "cancelled": cancelled,
                "revenue": revenue, "refunds": refunds
            })
        };
        let with_dollars = |mut hour: serde_json::Value, revenue: f64, refunds: f64| {
            hour["otherCurrencies"] = json!([{ "currency": "USD", "revenue": revenue, "refunds": refunds }]);
            hour
        };
        assert_eq!(
            view,
            json!({
                "inventoryId": id, "eventName": "Concert", "currency": "EUR",
                "held": 1, "sold": 5, "cancelled": 2, "revenue": 40.0, "refunds": 10.0,
                "otherCurrencies": [{ "currency": "USD", "revenue": 30.0, "refunds": 9.99 }],
                "byHour": [
                    with_dollars(hour("10", 3, 2, 0, 0.0, 0.0), 20.01, 0.0),
                    with_dollars(hour("11", 5, 5, 0, 40.0, 0.0), 9.99, 0.0),
                    with_dollars(hour("12", 0, 0, 2, 0.0, 10.0), 0.0, 9.99)
                ],
                "asOf": "2030-01-01T12:30:00.000Z", "lagMillis": 250
            })
        );
    }
}
