//! An on-sale: far more buyers than seats, half of whom pay at once, some are declined, and the rest hold seats that they never pay for.
//!
//! `make on-sale` lets 5,000 buyers come for 1,000 seats, first such as all pay; `make test` fewer. `BOXOFFICE_ON_SALE_BUYERS`, `_SEATS`, `_AT_ONCE` (calls under
//! way) and `_ACCOUNTS` say how many; with `_ALL_PAY` of 1 everybody has a good card, and exactly the seats there are must be sold. No time is asserted: figures go to `.local/reports/on-sale.json` and `.md`.

use aws_sdk_dynamodb::{
    Client,
    error::DisplayErrorContext,
    operation::update_item::UpdateItemError,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put, ScalarAttributeType,
        TransactWriteItem, Update,
    },
};
use boxoffice_e2e::{
    BoxOffice, Card, Failure, Outcome, Seats, Show, Verdict, ensure,
    on_sale::{Figures, Latency, Millis, Refused, Taken, judge, now},
    people::Person,
    stack::setting,
    story::fresh,
    wait::{AFTER_ALL_RETRIES, Look, until},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::task::JoinSet;

/// One order in so many is sent twice.
const SENT_TWICE: usize = 10;

#[derive(Debug, Clone, Copy)]
struct Size {
    buyers: usize,
    seats: usize,
    at_once: usize,
    accounts: usize,
    all_pay: bool,
}

/// Lets everybody do something, so many of them at once.
async fn by_everybody<T, F>(
    everybody: usize,
    at_once: usize,
    one: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let (next, one, mut hands) = (Arc::new(AtomicUsize::new(0)), Arc::new(one), JoinSet::new());
    for _ in 0..at_once {
        let (next, one) = (Arc::clone(&next), Arc::clone(&one));
        hands.spawn(async move {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= everybody {
                    return Ok(done);
                }
                done.push(one(number).await?);
            }
        });
    }
    let done: Outcome<Vec<Vec<T>>> = hands.join_all().await.into_iter().collect();
    Ok(done?.into_iter().flatten().collect())
}

/// The answer to an order, and how long it took.
enum Got {
    Seat(Taken, Duration),
    Nothing(Refused, Duration),
}

/// A buyer watches until their booking waits for them or is settled, and only then somebody else has their turn. This bounds the sagas that run at once: the embedded
/// emulator starts a process for each concurrent call of a function, and 1,000 sagas that all begin within seconds are hundreds of processes on two
/// cores, in which nothing ends in time.
async fn watches(house: BoxOffice, ticket: String) -> Outcome<()> {
    // A loop of its own: what `until` borrows cannot be sent to the task of a buyer.
    let deadline = Instant::now() + AFTER_ALL_RETRIES;
    loop {
        let saga = house.tables.item("SagasTable", &format!("SAGA#{ticket}"), "SAGA").await?.unwrap_or_default();
        let rests = ["await-payment", "confirm-ticket", "cancel-ticket"];
        if rests.iter().any(|step| saga.contains_key(&format!("step:{step}"))) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the saga of {ticket} neither waits nor has ended: {saga:?}");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

async fn sale(house: &BoxOffice, show: &Show, accounts: Vec<Person>, size: Size) -> Outcome<Vec<Got>> {
    let (house, show) = (house.clone(), show.clone());
    let got = by_everybody(size.buyers, size.at_once, move |buyer| {
        let account = accounts.iter().cycle().nth(buyer).cloned();
        let (house, show) = (house.clone(), show.clone());
        async move {
            let account = account.ok_or_else(|| Failure::new("nobody to buy"))?;
            let order = show.order_of(&account, 1);
            let order = match buyer % 10 {
                _ if size.all_pay => order.paid_with(Card::Good),
                0 | 2 | 4 | 6 | 8 => order.paid_with(Card::Good),
                1 => order.paid_with(Card::Declined),
                _ => order,
            };
            let mut got = Vec::new();
            for _ in 0..if buyer % SENT_TWICE == 0 { 2 } else { 1 } {
                let (asked, began) = (now(), Instant::now());
                // Where two cores are asked for more than they do, a 503 decides nothing; the same order is sent again, as the API asks of its clients.
                let reply = order.answered().await?;
                let (answered, took) = (now(), began.elapsed());
                got.push(if reply.status == 201 {
                    let ticket = order.got(&reply)?.id().to_owned();
                    watches(house.clone(), ticket.clone()).await?;
                    let order = order.key.clone();
                    Got::Seat(Taken { order, ticket, asked, answered, returning: None, back: None }, took)
                } else {
                    reply.refusal(409, "INVENTORY_UNAVAILABLE")?;
                    Got::Nothing(Refused { asked, answered }, took)
                });
            }
            Ok(got)
        }
    });
    Ok(got.await?.into_iter().flatten().collect())
}

fn millis(instant: &str) -> Outcome<Millis> {
    let instant = OffsetDateTime::parse(instant, &Rfc3339)
        .map_err(|error| Failure::of(format_args!("the instant {instant:?}"), &error))?;
    Ok(Millis::try_from(instant.unix_timestamp_nanos() / 1_000_000).unwrap_or(Millis::MAX))
}

/// The fate of one ticket: confirmed, or cancelled with the times at which its seat began to go back and was.
enum Became {
    Confirmed,
    Cancelled { returning: Millis, back: Millis },
}

/// The invariants of one ticket (docs/ARCHITECTURE.md), from the event store, the saga's journal and the provider's ledger.
async fn became(house: &BoxOffice, ticket: String, price: u64) -> Outcome<(String, Became)> {
    let events = house.tables.events_of(&ticket).await?;
    let named = |name: &str| events.iter().filter(|event| event.event.metadata.event_type == name).count();
    let (confirmed, cancelled) = (named("TicketConfirmed"), named("TicketCancelled"));
    ensure!(confirmed + cancelled == 1, "{ticket} was confirmed {confirmed} times and cancelled {cancelled} times");

    let provider = house.provider()?;
    let (money, charges) = (provider.money(&ticket).await?, provider.charges(&ticket).await?);
    let saga = house.tables.item("SagasTable", &format!("SAGA#{ticket}"), "SAGA").await?;
    let saga = saga.ok_or_else(|| Failure::new(format!("{ticket} has no saga")))?;
    ensure!(!saga.contains_key("step:record-stuck-booking"), "{ticket} needs attention: {saga:?}");
    let last = if confirmed == 1 { "step:confirm-ticket" } else { "step:cancel-ticket" };
    ensure!(saga.contains_key(last), "the saga of {ticket} has not ended: {saga:?}");

    if confirmed == 1 {
        ensure!(
            (money.charged, money.refunded, charges) == (price, 0, 1),
            "{ticket} is confirmed; the provider says {money:?} in {charges} charges"
        );
        return Ok((ticket, Became::Confirmed));
    }
    ensure!(money.charged == money.refunded, "{ticket} is cancelled; the provider says {money:?}");
    let reservation = house.tables.events_of(&ticket.replacen("tkt_", "rsv_", 1)).await?;
    let released: Vec<_> =
        reservation.iter().filter(|event| event.event.metadata.event_type == "InventoryReleased").collect();
    ensure!(released.len() == 1, "the seats of {ticket} were released {} times", released.len());
    let back = events.last().map(|event| event.event.metadata.occurred_at.clone()).unwrap_or_default();
    let returning = released.first().map(|event| event.event.metadata.occurred_at.clone()).unwrap_or_default();
    Ok((ticket, Became::Cancelled { returning: millis(&returning)?, back: millis(&back)? }))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seats_there_are_find_their_buyers_and_everybody_else_a_clean_refusal() -> Verdict {
    let size = Size {
        buyers: setting("BOXOFFICE_ON_SALE_BUYERS", 600)?,
        seats: setting("BOXOFFICE_ON_SALE_SEATS", 120)?,
        at_once: setting("BOXOFFICE_ON_SALE_AT_ONCE", 16)?,
        accounts: setting("BOXOFFICE_ON_SALE_ACCOUNTS", 8)?,
        all_pay: setting("BOXOFFICE_ON_SALE_ALL_PAY", 0)? == 1,
    };
    let house = BoxOffice::open().await?;
    let seats = u32::try_from(size.seats).map_err(|error| Failure::of("the seats", &error))?;
    let show = house.show(seats).await?;
    let mut accounts = Vec::new();
    for _ in 0..size.accounts {
        let account = house.somebody().await?;
        account.token().await?;
        accounts.push(account);
    }

    let began = Instant::now();
    let got = sale(&house, &show, accounts, size).await?;
    let sold_in = began.elapsed();
    let (mut taken, mut refused, mut accepted_in, mut refused_in) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for got in got {
        match got {
            Got::Seat(seat, took) => {
                taken.push(seat);
                accepted_in.push(took);
            }
            Got::Nothing(refusal, took) => {
                refused.push(refusal);
                refused_in.push(took);
            }
        }
    }
    let orders = taken.len() + refused.len();

    // Buyers who do not pay lose their seats; then nothing is held any more.
    until("nothing is held", AFTER_ALL_RETRIES, async || {
        let seats = show.seats().await?;
        Ok(Look::done_if(seats.held == 0, seats))
    })
    .await?;
    let tickets: BTreeSet<String> = taken.iter().map(|seat| seat.ticket.clone()).collect();
    let pending = async || {
        let pending = house.tables.items_where("TicketsTable", "status", "PENDING").await?;
        let ours = |item: &serde_json::Map<String, serde_json::Value>| {
            item.get("inventoryId").and_then(serde_json::Value::as_str) == Some(show.id())
        };
        Ok(pending.iter().filter(|item| ours(item)).count())
    };
    until("every ticket is settled", AFTER_ALL_RETRIES, async || {
        let pending = pending().await?;
        Ok(Look::done_if(pending == 0, pending))
    })
    .await?;
    let settled_in = began.elapsed();

    let (all, witness, price) = (tickets.into_iter().collect::<Vec<_>>(), house.clone(), show.inventory.price.0);
    let everybody = all.len();
    let became: BTreeMap<String, Became> = by_everybody(everybody, 16, move |number| {
        let (house, ticket) = (witness.clone(), all.get(number).cloned().unwrap_or_default());
        async move { became(&house, ticket, price).await }
    })
    .await?
    .into_iter()
    .collect();
    let confirmed = became.values().filter(|it| matches!(it, Became::Confirmed)).count();
    for seat in &mut taken {
        if let Some(Became::Cancelled { returning, back }) = became.get(&seat.ticket) {
            (seat.returning, seat.back) = (Some(*returning), Some(*back));
        }
    }

    judge(size.seats, &taken, &refused)?;
    let sold = u32::try_from(confirmed).map_err(|error| Failure::of("what was sold", &error))?;
    assert_eq!(show.seats().await?, Seats { available: seats - sold, held: 0, sold });
    let held = house.tables.items_where("InventoryTable", "inventoryId", show.id()).await?;
    let held = held.iter().filter(|item| item.get("state").and_then(serde_json::Value::as_str) == Some("HELD")).count();
    assert_eq!(held, 0, "holds that nobody ends");
    assert!(everybody >= size.seats, "only {everybody} of {} seats found somebody", size.seats);
    assert!(
        !size.all_pay || confirmed == size.seats,
        "{confirmed} of {} seats were sold to buyers who all pay",
        size.seats
    );
    assert!(!refused.is_empty(), "nobody was refused: there were no more buyers than seats");

    let store = TestSide::open(house.tables.dynamodb().clone(), size.seats).await?;
    let raw = store.raw_rate(size.at_once, 1000).await;
    store.close().await?;
    let raw = raw?;
    let rate = per_second(orders, sold_in);
    let figures = Figures {
        buyers: size.buyers,
        seats: size.seats,
        at_once: size.at_once,
        accepted: Latency::of(accepted_in),
        refused: Latency::of(refused_in),
        sold: confirmed,
        cancelled: everybody - confirmed,
        seconds_of_sale: sold_in.as_secs_f64(),
        seconds_until_settled: settled_in.as_secs_f64(),
        orders_per_second: rate,
        raw_transactions_per_second: raw,
        raw_transactions_for_each_order: raw / rate,
    };
    Ok(figures.report()?)
}

fn per_second(count: usize, within: Duration) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from) / within.as_secs_f64()
}

/// The guard that a box office of the test's own leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    /// It reads how many seats there are, and then writes one less.
    Condition,
    /// A release credits the seat whenever it is handled.
    Marker,
    /// An order sent again is another order.
    Idempotency,
}

/// A box office of the test's own, in a table of its own on the same store.
#[derive(Clone)]
struct TestSide {
    client: Client,
    table: String,
}

impl TestSide {
    async fn open(client: Client, seats: usize) -> Outcome<Self> {
        let table = fresh("e2e-on-sale");
        let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
        let create = client
            .create_table()
            .table_name(&table)
            .attribute_definitions(attribute.build().map_err(failed)?)
            .key_schema(key.build().map_err(failed)?)
            .billing_mode(BillingMode::PayPerRequest);
        create.send().await.map_err(failed)?;
        let office = Self { client, table };
        office.write(seats).await?;
        Ok(office)
    }

    async fn close(&self) -> Outcome<()> {
        self.client.delete_table().table_name(&self.table).send().await.map(drop).map_err(failed)
    }

    async fn write(&self, available: usize) -> Outcome<()> {
        let put = self.client.put_item().table_name(&self.table).item("id", text("seats"));
        put.item("available", AttributeValue::N(available.to_string())).send().await.map(drop).map_err(failed)
    }

    /// One seat less, if there is one.
    async fn take(&self) -> Outcome<bool> {
        let update = self.client.update_item().table_name(&self.table).key("id", text("seats"));
        let update =
            update.update_expression("SET available = available - :one").condition_expression("available >= :one");
        match update.expression_attribute_values(":one", AttributeValue::N("1".into())).send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn book(&self, without: Without, order: String) -> Outcome<Option<Taken>> {
        let asked = now();
        let got = if without == Without::Condition {
            let read = self.client.get_item().table_name(&self.table).key("id", text("seats")).consistent_read(true);
            let item = read.send().await.map_err(failed)?.item.unwrap_or_default();
            let available: usize =
                item.get("available").and_then(|it| it.as_n().ok()?.parse().ok()).unwrap_or_default();
            if available > 0 {
                self.write(available - 1).await?;
            }
            available > 0
        } else {
            self.take().await?
        };
        let taken = Taken { order, ticket: fresh("ticket"), asked, answered: now(), returning: None, back: None };
        Ok(got.then_some(taken))
    }

    /// The seat goes back; handled twice, as any message may be.
    async fn release(&self, seat: &mut Taken) -> Outcome<()> {
        seat.returning = Some(now());
        for _ in 0..2 {
            let update = self.client.update_item().table_name(&self.table).key("id", text("seats"));
            let update = update.update_expression("SET available = available + :one");
            update.expression_attribute_values(":one", AttributeValue::N("1".into())).send().await.map_err(failed)?;
        }
        seat.back = Some(now());
        Ok(())
    }

    /// How many contended transactions a second the store takes from so many clients: one counter and one new item each.
    async fn raw_rate(&self, at_once: usize, transactions: usize) -> Outcome<f64> {
        self.write(transactions).await?;
        let (office, began) = (self.clone(), Instant::now());
        by_everybody(transactions, at_once, move |_| {
            let office = office.clone();
            async move {
                let counter = Update::builder()
                    .table_name(&office.table)
                    .key("id", text("seats"))
                    .update_expression("SET available = available - :one")
                    .condition_expression("available >= :one")
                    .expression_attribute_values(":one", AttributeValue::N("1".into()));
                let item = Put::builder().table_name(&office.table).item("id", text(&fresh("ticket")));
                let item = item.condition_expression("attribute_not_exists(id)");
                let write = office
                    .client
                    .transact_write_items()
                    .transact_items(TransactWriteItem::builder().update(counter.build().map_err(failed)?).build())
                    .transact_items(TransactWriteItem::builder().put(item.build().map_err(failed)?).build());
                write.send().await.map(drop).map_err(failed)
            }
        })
        .await?;
        Ok(per_second(transactions, began.elapsed()))
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn failed(error: impl std::error::Error) -> Failure {
    Failure::new(format!("the test's own box office: {}", DisplayErrorContext(error)))
}

/// The same judge on a box office that leaves something out: buyers for 20 seats, 5 of whom give theirs back, and 20 buyers more.
async fn without(without: Without) -> Outcome<Outcome<()>> {
    const SEATS: usize = 20;
    let house = BoxOffice::open().await?;
    let office = TestSide::open(house.tables.dynamodb().clone(), SEATS).await?;
    let buyers = async |buyers: usize| {
        let office = office.clone();
        let got = by_everybody(buyers, buyers, move |_| {
            let (office, order) = (office.clone(), fresh("order"));
            async move {
                let first = office.book(without, order.clone()).await?;
                let again = if without == Without::Idempotency { office.book(without, order).await? } else { None };
                Ok([first, again])
            }
        });
        Ok::<Vec<Taken>, Failure>(got.await?.into_iter().flatten().flatten().collect())
    };
    // Few enough that each of them could be served twice.
    let mut taken = buyers(if without == Without::Idempotency { SEATS / 2 } else { 2 * SEATS }).await?;
    if without == Without::Marker {
        for seat in taken.iter_mut().take(5) {
            office.release(seat).await?;
        }
        taken.extend(buyers(20).await?);
    }
    office.close().await?;
    Ok(judge(SEATS, &taken, &[]))
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_a_condition_the_judge_sees_seats_sold_twice() -> Verdict {
    let verdict = without(Without::Condition).await?;
    assert!(verdict.is_err_and(|failure| failure.to_string().contains("oversold")), "nobody was sold a seat twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_a_marker_the_judge_sees_a_release_that_credits_twice() -> Verdict {
    let verdict = without(Without::Marker).await?;
    assert!(verdict.is_err_and(|failure| failure.to_string().contains("oversold")), "no seat was credited twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_idempotency_the_judge_sees_an_order_booked_twice() -> Verdict {
    let verdict = without(Without::Idempotency).await?;
    assert!(verdict.is_err_and(|failure| failure.to_string().contains("booked twice")), "no order was booked twice");
    Ok(())
}
