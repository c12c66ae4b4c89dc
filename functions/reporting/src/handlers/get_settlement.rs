//! Shows what became of money in a period, and the ledger's entries of it, as JSON or CSV.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /reports/settlement?from=&to=&inventoryId=&format=`, `GET /reports/ledger?from=&to=&inventoryId=&format=&limit=&next=` |
//! | reads | of the settlement the entries of the period (AP-563) and their events on sale (AP-127); of the ledger a page of entries (AP-561), or all for CSV (AP-562) |

use crate::{
    ViewStore,
    csv::{Cell, Csv},
    ledger::{Account, Balances, Kind, Period, Posting, Settled},
    store::{Posted, Settlement},
};
use boxoffice_aws::Page;
use boxoffice_inventory::EventName;
use boxoffice_kernel::{Amount, Currency, EventId, InventoryId, PaymentId, TicketId, Timestamp};
use boxoffice_runtime::{
    Code, Problem, http,
    http::{Answer, Paging},
};
use lambda_http::{Request, RequestExt as _};
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::BTreeMap, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// The longest period that all events are read for: a month is some millions of entries at most.
const LONGEST_OF_ALL: u32 = 31 * 86_400;
/// The most entries of an answer in CSV: a Lambda answers 6 MB at most, and an entry has two rows.
const MOST: usize = 12_000;
const CSV: &str = "text/csv; charset=utf-8";

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReportFormat)]
enum Format {
    /// As JSON.
    #[default]
    Json,
    /// As CSV.
    Csv,
}

impl FromStr for Format {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            _ => Err("must be json or csv"),
        }
    }
}

/// A sum of money, which may be below zero.
#[derive(Debug, Clone, Copy)]
struct Balance(i64);

impl Serialize for Balance {
    #[expect(clippy::cast_precision_loss, reason = "no sum of ticket sales comes near 2^53 cents")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl PartialSchema for Balance {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("A sum of money with at most two decimals. Below zero, more came back than went."))
            .examples([serde_json::json!(79.8)])
            .into()
    }
}

impl ToSchema for Balance {}

/// The movements of money in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SettledMoney)]
struct MoneyView {
    currency: Currency,
    /// How many payments were charged.
    charges: u64,
    /// Their sum.
    charged: Balance,
    /// How many refunds were made.
    refunds: u64,
    /// The money given back, less what did not arrive and came back.
    refunded: Balance,
    /// How much of that operators paid past the provider.
    refunded_elsewhere: Balance,
    /// How many disputes were opened.
    disputes: u64,
    /// The money that buyers' banks took for disputes, less what came back, and less what counts as refunded since they were lost.
    disputed: Balance,
    /// By how much the money at the payment provider changed, without its fees and payouts.
    net: Balance,
}

impl MoneyView {
    fn of(currency: Currency, settled: &Settled) -> Self {
        let Balances { organiser_payable, provider_clearing, refund, dispute, elsewhere } = settled.balances;
        Self {
            currency,
            charges: settled.charges,
            charged: Balance(-organiser_payable),
            refunds: settled.refunds,
            refunded: Balance(refund),
            refunded_elsewhere: Balance(-elsewhere),
            disputes: settled.disputes,
            disputed: Balance(dispute),
            net: Balance(provider_clearing),
        }
    }

    fn cells(&self) -> [Cell; 9] {
        [
            Cell::text(self.currency),
            Cell::count(self.charges),
            Cell::money(self.charged.0),
            Cell::count(self.refunds),
            Cell::money(self.refunded.0),
            Cell::money(self.refunded_elsewhere.0),
            Cell::count(self.disputes),
            Cell::money(self.disputed.0),
            Cell::money(self.net.0),
        ]
    }
}

/// The movements of an event's money in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SettledEvent)]
struct EventView {
    inventory_id: InventoryId,
    /// Absent for a moment where the event has only just gone on sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<EventName>,
    money: MoneyView,
}

/// The movements of money in a period.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SettlementReport)]
pub(crate) struct SettlementView {
    from: Timestamp,
    to: Timestamp,
    /// The sum of all events, by currency.
    totals: Vec<MoneyView>,
    /// Each event whose money moved, by currency.
    events: Vec<EventView>,
    /// When the newest event happened that these numbers know of. They are as of then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
}

impl SettlementView {
    fn of(period: Period, settlement: Settlement) -> Self {
        let Settlement { settled, events, progress } = settlement;
        let mut totals = BTreeMap::<&str, (Currency, Settled)>::new();
        for (currency, sum) in settled.values() {
            totals.entry(currency.code()).or_insert_with(|| (*currency, Settled::default())).1 += *sum;
        }
        let event = |((inventory_id, _), (currency, sum)): (&(InventoryId, &str), &(Currency, Settled))| EventView {
            inventory_id: *inventory_id,
            event_name: events.get(inventory_id).map(|event| event.event_name.clone()),
            money: MoneyView::of(*currency, sum),
        };
        Self {
            from: period.from(),
            to: period.to(),
            totals: totals.values().map(|(currency, sum)| MoneyView::of(*currency, sum)).collect(),
            events: settled.iter().map(event).collect(),
            as_of: progress.map(|progress| progress.occurred_at),
        }
    }

    fn csv(&self) -> String {
        let mut csv = Csv::of(&[
            "from",
            "to",
            "inventoryId",
            "eventName",
            "currency",
            "charges",
            "charged",
            "refunds",
            "refunded",
            "refundedElsewhere",
            "disputes",
            "disputed",
            "net",
        ]);
        for event in &self.events {
            let name = event.event_name.as_ref().map(ToString::to_string).unwrap_or_default();
            let about = [Cell::text(self.from), Cell::text(self.to), Cell::text(event.inventory_id), Cell::text(name)];
            csv.row(&[about.as_slice(), event.money.cells().as_slice()].concat());
        }
        csv.into_text()
    }
}

/// An account's part of an entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerPosting)]
struct PostingView {
    account: Account,
    /// The amount that the account gets; below zero when it gives.
    amount: Balance,
}

impl From<Posting> for PostingView {
    fn from(Posting { account, amount }: Posting) -> Self {
        Self { account, amount: Balance(amount) }
    }
}

/// An event that moved money, as postings that sum to zero.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LedgerEntry)]
pub(crate) struct EntryView {
    /// The event.
    event_id: EventId,
    occurred_at: Timestamp,
    kind: Kind,
    amount: Amount,
    currency: Currency,
    inventory_id: InventoryId,
    ticket_id: TicketId,
    payment_id: PaymentId,
    /// The account that gives, and the one that gets.
    postings: Vec<PostingView>,
}

impl From<Posted> for EntryView {
    fn from(Posted { entry, inventory_id, ticket_id }: Posted) -> Self {
        Self {
            event_id: entry.event_id,
            occurred_at: entry.occurred_at,
            kind: entry.kind,
            amount: entry.amount,
            currency: entry.currency,
            inventory_id,
            ticket_id,
            payment_id: ticket_id.payment(),
            postings: entry.postings().map(PostingView::from).into(),
        }
    }
}

fn ledger_csv(entries: &[Posted]) -> String {
    let mut csv = Csv::of(&[
        "occurredAt",
        "eventId",
        "kind",
        "inventoryId",
        "ticketId",
        "paymentId",
        "currency",
        "account",
        "amount",
    ]);
    for Posted { entry, inventory_id, ticket_id } in entries {
        for posting in entry.postings() {
            csv.row(&[
                Cell::text(entry.occurred_at),
                Cell::text(entry.event_id),
                Cell::text(entry.kind),
                Cell::text(inventory_id),
                Cell::text(ticket_id),
                Cell::text(ticket_id.payment()),
                Cell::text(entry.currency),
                Cell::text(posting.account),
                Cell::money(posting.amount),
            ]);
        }
    }
    csv.into_text()
}

/// The parameters of both reports, for the API's document.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "a description: `Asked` reads them")]
struct Scope {
    /// From when, inclusive.
    #[param(inline)]
    from: Timestamp,
    /// Until when, exclusive; after `from`.
    #[param(inline)]
    to: Timestamp,
    /// Only of this event on sale; of all without it.
    #[param(inline, required = false)]
    inventory_id: InventoryId,
    /// JSON, or CSV: a row an event and currency, or a row a posting.
    #[param(inline, required = false)]
    format: Format,
}

/// The request: a period, of an event or of all, in a form.
#[derive(Debug)]
struct Asked {
    period: Period,
    inventory: Option<InventoryId>,
    format: Format,
}

impl Asked {
    fn of(request: &Request) -> Result<Self, Problem> {
        let from: Timestamp = http::required_query(request, "from", Code::InvalidEventDate)?;
        let to: Timestamp = http::required_query(request, "to", Code::InvalidEventDate)?;
        let inventory = http::query(request, "inventoryId", Code::InvalidId)?;
        let format = http::query(request, "format", Code::ValidationError)?.unwrap_or_default();
        let refused = |detail: &str| Problem::new(Code::InvalidEventDate, detail).at("to");
        let period = Period::between(from, to).map_err(|_| refused("to must be after from."))?;
        if inventory.is_none() && !period.fits(LONGEST_OF_ALL) {
            return Err(refused("A period of more than 31 days needs an inventoryId."));
        }
        Ok(Self { period, inventory, format })
    }
}

/// Answers the route that was called: the settlement, or the ledger.
///
/// # Errors
/// Those of [`settlement`] and [`ledger`].
pub async fn handle(store: &ViewStore, request: Request) -> Result<Answer, Problem> {
    if request.raw_http_path().ends_with("/ledger") {
        ledger(store, request).await
    } else {
        settlement(store, request).await
    }
}

/// Shows what became of money in a period: charged, refunded, disputed, and the change of the money at the provider.
///
/// By event and currency, and in all by currency. A moment behind the payments: `asOf` says how far the numbers go. Without `inventoryId` a period
/// has at most 31 days.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/reports/settlement",
    operation_id = "get-settlement",
    tag = "reporting",
    params(Scope),
    responses((
        status = 200,
        description = "The settlement",
        content(
            (SettlementView = "application/json", example = json!({
                "from": "2026-11-23T00:00:00.000Z",
                "to": "2026-11-30T00:00:00.000Z",
                "totals": [{
                    "currency": "EUR", "charges": 1, "charged": 99.8, "refunds": 1, "refunded": 20.0,
                    "refundedElsewhere": 0.0, "disputes": 0, "disputed": 0.0, "net": 79.8
                }],
                "events": [{
                    "inventoryId": "inv_01a2089d208473baad08d1920fe1d8c7",
                    "eventName": "Late Show at the Ferris Wheel",
                    "money": {
                        "currency": "EUR", "charges": 1, "charged": 99.8, "refunds": 1, "refunded": 20.0,
                        "refundedElsewhere": 0.0, "disputes": 0, "disputed": 0.0, "net": 79.8
                    }
                }],
                "asOf": "2026-11-23T13:34:09.146Z"
            })),
            (String = "text/csv", example = json!("from,to,inventoryId,eventName,currency,charges,charged,refunds,refunded,refundedElsewhere,disputes,disputed,net\r\n"))
        )
    ))
)]
pub async fn settlement(store: &ViewStore, request: Request) -> Result<Answer, Problem> {
    let Asked { period, inventory, format } = Asked::of(&request)?;
    let settlement = SettlementView::of(period, store.settlement(inventory, period).await?);
    match format {
        Format::Json => Answer::ok(&settlement),
        Format::Csv => Ok(Answer::content(CSV, settlement.csv())),
    }
}

/// Lists the ledger's entries of a period, oldest first: each event that moved money, as postings that sum to zero.
///
/// In CSV it is all of the period, a row a posting, and not a page; a period with more than 12,000 entries is refused. Without `inventoryId` a period has at
/// most 31 days.
///
/// # Errors
/// When a parameter is not what it should be, or the table would be too long.
#[utoipa::path(
    get,
    path = "/reports/ledger",
    operation_id = "list-ledger",
    tag = "reporting",
    params(Scope, Paging),
    responses((
        status = 200,
        description = "A page, or the table",
        content(
            (Page<EntryView> = "application/json", example = json!({"items": [{
                "eventId": "evt_01a2089d30887748851d191f8d69259e",
                "occurredAt": "2026-11-23T13:34:06.937Z",
                "kind": "CHARGED",
                "amount": 99.8,
                "currency": "EUR",
                "inventoryId": "inv_01a2089d208473baad08d1920fe1d8c7",
                "ticketId": "tkt_01a2089d219e737bb4e23d79e9d77e1a",
                "paymentId": "pay_01a2089d219e737bb4e23d79e9d77e1a",
                "postings": [
                    {"account": "ORGANISER_PAYABLE", "amount": -99.8},
                    {"account": "PROVIDER_CLEARING", "amount": 99.8}
                ]
            }]})),
            (String = "text/csv", example = json!("occurredAt,eventId,kind,inventoryId,ticketId,paymentId,currency,account,amount\r\n"))
        )
    ))
)]
pub async fn ledger(store: &ViewStore, request: Request) -> Result<Answer, Problem> {
    let Asked { period, inventory, format } = Asked::of(&request)?;
    match format {
        Format::Json => {
            let (limit, cursor) = http::paging(&request)?;
            let page = store.ledger(inventory, period, limit, cursor).await?;
            Answer::ok(&page.map(EntryView::from))
        }
        Format::Csv => {
            let entries = store.entries(inventory, period, None, MOST + 1).await?;
            if entries.len() > MOST {
                let detail =
                    format!("The period has more than {MOST} entries. Ask for a shorter one, or for pages of JSON.");
                return Err(Problem::new(Code::InvalidEventDate, detail).at("to"));
            }
            Ok(Answer::content(CSV, ledger_csv(&entries)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::OnSale, ledger::Entry};
    use serde_json::json;

    fn posted(inventory_id: InventoryId, kind: Kind, minor: u64, currency: Currency) -> Posted {
        let entry = Entry {
            occurred_at: "2030-01-01T10:00:00Z".parse().unwrap(),
            event_id: EventId::generate(),
            kind,
            amount: Amount::from_minor(minor).unwrap(),
            currency,
        };
        Posted { entry, inventory_id, ticket_id: TicketId::generate() }
    }

    fn period() -> Period {
        Period::between("2030-01-01T00:00:00Z".parse().unwrap(), "2030-02-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    fn settlement(name: &str, entries: &[Posted]) -> SettlementView {
        let mut settled = BTreeMap::<_, (Currency, Settled)>::new();
        let mut events = BTreeMap::new();
        for Posted { entry, inventory_id, .. } in entries {
            let key = (*inventory_id, entry.currency.code());
            settled.entry(key).or_insert_with(|| (entry.currency, Settled::default())).1 += entry;
            let on_sale = OnSale {
                inventory_id: *inventory_id,
                event_name: name.parse().unwrap(),
                event_date: "2030-06-01T20:00:00Z".parse().unwrap(),
                location: "Hall".parse().unwrap(),
                currency: entry.currency,
                version: 1,
            };
            events.insert(*inventory_id, on_sale);
        }
        SettlementView::of(period(), Settlement { settled, events, progress: None })
    }

    #[test]
    fn sums_are_of_one_currency_and_the_net_is_the_change_at_the_provider() {
        let (one, other) = (InventoryId::generate(), InventoryId::generate());
        let view = settlement(
            "Concert",
            &[
                posted(one, Kind::Charged, 10_000, Currency::Eur),
                posted(one, Kind::Refunded, 2_000, Currency::Eur),
                posted(one, Kind::RefundedElsewhere, 500, Currency::Eur),
                posted(one, Kind::Disputed, 1_000, Currency::Eur),
                posted(other, Kind::Charged, 300, Currency::Eur),
                posted(other, Kind::RefundReturned, 100, Currency::Usd),
            ],
        );
        let money = |currency: &str, counts: [u8; 3], sums: [f64; 5]| {
            let [charged, refunded, elsewhere, disputed, net] = sums;
            json!({
                "currency": currency, "charges": counts[0], "charged": charged, "refunds": counts[1],
                "refunded": refunded, "refundedElsewhere": elsewhere, "disputes": counts[2], "disputed": disputed, "net": net
            })
        };
        let view = serde_json::to_value(view).unwrap();
        let euros = money("EUR", [2, 2, 1], [103.0, 25.0, 5.0, 10.0, 73.0]);
        let dollars = money("USD", [0, 0, 0], [0.0, -1.0, 0.0, 0.0, 1.0]);
        assert_eq!(view["totals"], json!([euros, dollars]));
        assert_eq!(view["events"].as_array().unwrap().len(), 3);
        assert_eq!(view["events"][0]["eventName"], "Concert");
    }

    #[test]
    fn an_event_named_like_a_formula_is_a_text_in_csv() {
        let one = InventoryId::generate();
        let csv = settlement("=1+1", &[posted(one, Kind::Charged, 9_980, Currency::Eur)]).csv();
        let row = csv.lines().nth(1).unwrap();
        let expected = format!(
            "2030-01-01T00:00:00.000Z,2030-02-01T00:00:00.000Z,{one},\"'=1+1\",EUR,1,99.80,0,0.00,0.00,0,0.00,99.80"
        );
        assert_eq!(row, expected);
    }

    #[test]
    fn the_rows_of_an_entry_in_csv_sum_to_zero() {
        let entry = posted(InventoryId::generate(), Kind::Refunded, 2_005, Currency::Eur);
        let csv = ledger_csv(&[entry]);
        let amounts: Vec<&str> = csv.lines().skip(1).filter_map(|row| row.rsplit(',').next()).collect();
        assert_eq!(amounts, ["-20.05", "20.05"]);
        assert!(csv.contains(",REFUNDED,") && csv.contains(",PROVIDER_CLEARING,-20.05"), "{csv}");
    }
}
