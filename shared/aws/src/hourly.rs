//! How many of something there may be in a while, counted over all instances.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | one eighth of an hour's budget | `BUDGET#<name>#<hour>#<shard>` | `BUDGET` |
//!
//! An hour is counted on eight items, so that sending is not bound to one item's write rate. A spender begins at one by chance and goes round: only a budget
//! that is nearly spent costs more than one write.

use crate::{
    StoreError,
    attribute::{number, text},
    transaction::{Written, conditional},
};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_kernel::Timestamp;

const SHARDS: u32 = 8;
const HOUR: u64 = 3600;

const BUDGET: &str = "BUDGET";

/// So many an hour, in all.
#[derive(Debug, Clone)]
pub struct HourlyBudget {
    client: Client,
    table: String,
    name: &'static str,
    per_hour: u32,
}

impl HourlyBudget {
    /// A budget of this name, counted in this table.
    pub fn new(client: Client, table: impl Into<String>, name: &'static str, per_hour: u32) -> Self {
        Self { client, table: table.into(), name, per_hour }
    }

    /// AP-402 spends one of this hour's; `chance` is any number. Whether there was one left.
    ///
    /// # Errors
    /// When the store does.
    pub async fn spend(&self, now: Timestamp, chance: u32) -> Result<bool, StoreError> {
        let hour = now.unix_seconds() / HOUR;
        for step in 0..SHARDS {
            let shard = chance.wrapping_add(step) % SHARDS;
            // The first shards have the remainder, so that the shares sum to the budget.
            let part = self.per_hour / SHARDS + u32::from(shard < self.per_hour % SHARDS);
            let key = text(format_args!("BUDGET#{}#{hour}#{shard}", self.name));
            if part > 0 && self.spend_at(key, part, (hour + 25) * HOUR).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn spend_at(&self, pk: AttributeValue, most: u32, expires_at: u64) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", pk)
            .key("sk", text(BUDGET))
            .update_expression("ADD #count :one SET expiresAt = :end")
            .condition_expression("attribute_not_exists(#count) OR #count < :most")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":end", number(expires_at));
        Ok(conditional(update.send().await)? == Written::Yes)
    }
}
