//! 200 buyers, 50 seats, one moment; `BOXOFFICE_RACE_BUYERS` says how many where a platform carries fewer at once, and a quarter of them get a seat.
//!
//! A program of its own: it takes the whole machine, and a test beside it would see its holds run out.

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};
use boxoffice_e2e::{
    BoxOffice, Card, Failure, Outcome, Seats, Verdict,
    people::Person,
    race::{Got, at_once, judge, most_at_once},
    story::{Body, fresh},
};
use std::error::Error;
use tokio::sync::Mutex;

fn buyers() -> usize {
    std::env::var("BOXOFFICE_RACE_BUYERS").ok().and_then(|buyers| buyers.parse().ok()).unwrap_or(200)
}

fn seats() -> u32 {
    u32::try_from(buyers() / 4).unwrap_or(u32::MAX)
}

/// The buyers share so many accounts: who they are is not what the race is about, and a password is slow to hash on purpose.
const ACCOUNTS: usize = 8;

async fn accounts(house: &BoxOffice) -> Outcome<Vec<Person>> {
    let mut accounts = Vec::new();
    for _ in 0..ACCOUNTS {
        let account = house.somebody().await?;
        // Logged in before the race begins.
        account.token().await?;
        accounts.push(account);
    }
    Ok(accounts)
}

/// One race at a time.
static TRACK: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn four_buyers_a_seat_get_exactly_the_seats_there_are() -> Verdict {
    let _alone = TRACK.lock().await;
    race(&BoxOffice::open().await?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_orders_of_one_buyer_hold_what_the_terms_allow_and_no_more() -> Verdict {
    let _alone = TRACK.lock().await;
    let house = BoxOffice::open().await?;
    let usual = Body::show(400).without("maxPerOrder").without("maxHeldPerBuyer").without("maxPerBuyer");
    let show = house.show_with(&usual).await?;
    house.buyer.token().await?;

    let attempts = at_once(buyers(), |_| {
        let order = show.order(1);
        async move { order.answered().await }
    })
    .await?;

    let mut booked = 0;
    for attempt in &attempts {
        if attempt.got.status == 201 {
            booked += 1;
        } else {
            let problem = attempt.got.refusal(409, "PURCHASE_LIMIT_EXCEEDED")?;
            assert_eq!(problem.field.as_deref(), Some("quantity"));
            assert!(problem.detail.contains("10 unpaid seats"), "{}", problem.detail);
        }
    }
    assert_eq!(booked, 10);
    assert_eq!(show.seats().await?, Seats { available: 390, held: 10, sold: 0 });
    show.order_of(&house.somebody().await?, 1).booked().await?;
    Ok(())
}

async fn race(house: &BoxOffice) -> Outcome<()> {
    let (show, accounts) = (house.show(seats()).await?, accounts(house).await?);

    let attempts = at_once(buyers(), |buyer| {
        let account = accounts.iter().cycle().nth(buyer).unwrap_or(&house.buyer);
        let order = show.order_of(account, 1).paid_with(Card::Good);
        async move { Ok((order.answered().await?, order)) }
    })
    .await?;

    let (mut tickets, mut results) = (Vec::new(), Vec::new());
    for attempt in &attempts {
        let (reply, order) = &attempt.got;
        if reply.status == 201 {
            tickets.push(order.got(reply)?);
            results.push(Got::Seats(1));
        } else {
            reply.refusal(409, "INVENTORY_UNAVAILABLE")?;
            results.push(Got::SoldOut);
        }
    }
    judge(results, seats(), 1)?;
    assert_eq!(tickets.len(), buyers() / 4);
    assert!(most_at_once(&attempts) > buyers() / 10, "only {} buyers met", most_at_once(&attempts));
    assert_eq!(show.seats().await?.available, 0);

    for ticket in tickets {
        ticket.until_confirmed().await?;
    }
    assert_eq!(show.seats().await?, Seats { available: 0, held: 0, sold: seats() });
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_who_want_several_seats_leave_none_that_one_of_them_could_have() -> Verdict {
    let _alone = TRACK.lock().await;
    let house = BoxOffice::open().await?;
    // Three shards: the last seats of each must find a buyer, alone or together.
    let (show, accounts) = (house.show(250).await?, accounts(&house).await?);
    // Half of them, who want a few more seats together than there are.
    let callers = buyers() / 2;
    let each = u32::try_from(300 / callers).unwrap_or(u32::MAX);

    let attempts = at_once(callers, |caller| {
        let order = show.order_of(accounts.iter().cycle().nth(caller).unwrap_or(&house.buyer), each);
        async move { order.answered().await }
    })
    .await?;

    let mut results = Vec::new();
    for attempt in &attempts {
        if attempt.got.status == 201 {
            results.push(Got::Seats(each));
        } else {
            attempt.got.refusal(409, "INVENTORY_UNAVAILABLE")?;
            results.push(Got::SoldOut);
        }
    }
    judge(results, 250, each)?;
    assert_eq!(show.seats().await?.total(), 250);
    Ok(())
}

/// The negative control: the same buyers, the same database, the same judge, and a box office that reads and then writes. If this did not oversell, the
/// race above would prove nothing. (The product's own transaction without its condition is the control in `functions/inventory`.)
#[tokio::test(flavor = "multi_thread")]
async fn the_same_race_without_a_condition_oversells() -> Verdict {
    let _alone = TRACK.lock().await;
    let house = BoxOffice::open().await?;
    let naive = NaiveBoxOffice::open(house.tables.dynamodb().clone()).await?;

    let attempts = at_once(buyers(), |_| {
        let naive = naive.clone();
        async move { naive.book().await }
    })
    .await;
    naive.close().await?;

    let verdict = judge(attempts?.into_iter().map(|attempt| attempt.got), seats(), 1);
    assert!(verdict.is_err_and(|failure| failure.to_string().contains("oversold")), "nobody was sold a seat twice");
    Ok(())
}

/// The product without conditions, in a table of its own.
#[derive(Clone)]
struct NaiveBoxOffice {
    client: Client,
    table: String,
}

impl NaiveBoxOffice {
    async fn open(client: Client) -> Outcome<Self> {
        let table = fresh("e2e-naive");
        let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
        client
            .create_table()
            .table_name(&table)
            .attribute_definitions(attribute.build().map_err(|e| failed(&e))?)
            .key_schema(key.build().map_err(|e| failed(&e))?)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .map_err(|e| failed(&e))?;
        let naive = Self { client, table };
        naive.write(seats()).await?;
        Ok(naive)
    }

    async fn book(&self) -> Outcome<Got> {
        let id = AttributeValue::S("seats".into());
        let read = self.client.get_item().table_name(&self.table).key("id", id).consistent_read(true);
        let item = read.send().await.map_err(|e| failed(&e))?.item.unwrap_or_default();
        let available: u32 =
            item.get("available").and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default();
        if available == 0 {
            return Ok(Got::SoldOut);
        }
        self.write(available - 1).await?;
        Ok(Got::Seats(1))
    }

    async fn write(&self, available: u32) -> Outcome<()> {
        let put = self.client.put_item().table_name(&self.table).item("id", AttributeValue::S("seats".into()));
        let put = put.item("available", AttributeValue::N(available.to_string()));
        put.send().await.map_err(|e| failed(&e)).map(drop)
    }

    async fn close(&self) -> Outcome<()> {
        self.client.delete_table().table_name(&self.table).send().await.map_err(|e| failed(&e)).map(drop)
    }
}

fn failed(error: &dyn Error) -> Failure {
    Failure::of("the naive box office", error)
}
