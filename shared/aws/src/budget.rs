//! So many of something in so many seconds, counted on one item: for what an address or a person may do only so often.
//!
//! To count is an addition and no comparison of versions, so that no flood makes another's write fail. Every item has an `expiresAt`, after which DynamoDB forgets
//! it; that may take days, so nothing here relies on it. Times are the caller's, so that tests can move the clock.

use crate::{
    StoreError,
    attribute::{number, text},
    transaction::{self, Attempt, conditional, read, until_current},
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValue},
};
use boxoffice_kernel::Timestamp;
use serde::Deserialize;

/// The sort key of a budget's item.
const BUDGET: &str = "BUDGET";

/// Why something is not counted any more.
#[derive(Debug, thiserror::Error)]
pub enum Overspent {
    /// There have been as many as there may be.
    #[error("too many; wait {seconds} s")]
    Wait {
        /// Until the next may come, in seconds, at least 1.
        seconds: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many of something there may be in some time, for each who does it.
#[derive(Debug, Clone)]
pub struct Budget {
    client: Client,
    table: String,
    most: u32,
    seconds: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CounterItem {
    count: u32,
    expires_at: u64,
}

impl Budget {
    /// So many in so many seconds, counted in this table.
    pub fn new(client: Client, table: impl Into<String>, most: u32, seconds: u32) -> Self {
        Self { client, table: table.into(), most, seconds }
    }

    fn key(name: &str) -> AttributeValue {
        text(format_args!("BUDGET#{name}"))
    }

    /// AP-373 spend one of this budget; answers how many are spent.
    ///
    /// # Errors
    /// When all are spent, or the store fails.
    pub async fn spend(&self, name: &str, now: Timestamp) -> Result<u32, Overspent> {
        count(&self.client, &self.table, (Self::key(name), BUDGET), self.most, self.seconds, now).await
    }

    /// AP-374 give back one that was spent.
    ///
    /// # Errors
    /// When the store does.
    pub async fn give_back(&self, name: &str) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", Self::key(name))
            .key("sk", text(BUDGET))
            .update_expression("SET #count = #count - :one")
            .condition_expression("#count > :none")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":none", number(0_u64));
        conditional(update.send().await).map(|_| ())
    }
}

/// Counts one more on the item under this key, of which there may be `most` in so many seconds. Answers how many there are.
///
/// # Errors
/// When there are as many as there may be, or the store fails.
pub async fn count(
    client: &Client,
    table: &str,
    (pk, sk): (AttributeValue, &str),
    most: u32,
    seconds: u32,
    now: Timestamp,
) -> Result<u32, Overspent> {
    until_current(|| async {
        let update = client
            .update_item()
            .table_name(table)
            .key("pk", pk.clone())
            .key("sk", text(sk))
            .update_expression(
                "SET #count = if_not_exists(#count, :none) + :one, expiresAt = if_not_exists(expiresAt, :until)",
            )
            .condition_expression("attribute_not_exists(pk) OR (#count < :most AND expiresAt > :now)")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":none", number(0_u64))
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":until", number(now.plus_seconds(seconds).unix_seconds()))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":now", number(now.unix_seconds()))
            .return_values(ReturnValue::AllNew);
        let written = update.send().await;
        if let Ok(written) = &written {
            let item = written.attributes.clone().unwrap_or_default();
            return Ok(Attempt::Done(read::<CounterItem>("count", item)?.count));
        }
        conditional(written)?;
        let Some(found) = transaction::get(client, table, pk.clone(), sk).await? else { return Ok(Attempt::Overtaken) };
        let found: CounterItem = read("count", found)?;
        if found.expires_at > now.unix_seconds() {
            // Written between the refusal and this look: somebody else has begun the next period.
            if found.count < most {
                return Ok(Attempt::Overtaken);
            }
            return Err(Overspent::Wait { seconds: found.expires_at - now.unix_seconds() });
        }
        // Forgotten by us before DynamoDB does.
        let delete = client
            .delete_item()
            .table_name(table)
            .key("pk", pk.clone())
            .key("sk", text(sk))
            .condition_expression("expiresAt = :expired")
            .expression_attribute_values(":expired", number(found.expires_at));
        conditional(delete.send().await)?;
        Ok(Attempt::Overtaken)
    })
    .await
}
