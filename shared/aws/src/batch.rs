//! Many items by their keys, in one call.

use crate::{Item, StoreError, transaction::built};
use aws_sdk_dynamodb::{Client, types::KeysAndAttributes};

/// The most keys a batch takes.
pub const MOST: usize = 100;

/// How current what is read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As it is now.
    Consistent,
    /// As it was a moment ago, for half the price: for a look that is looked at again before anything follows from it.
    Eventual,
}

impl Freshness {
    /// Whether DynamoDB is to be asked for a consistent read.
    pub fn is_consistent(self) -> bool {
        self == Self::Consistent
    }
}

/// The items under these keys (at most [`MOST`], each once) that are there, in no order.
///
/// # Errors
/// When the store does not answer, or leaves a part undone again and again.
pub async fn get(client: &Client, table: &str, keys: Vec<Item>, freshness: Freshness) -> Result<Vec<Item>, StoreError> {
    /// DynamoDB leaves part of a batch undone when it is throttled; so many times in a row say that it is down.
    const ROUNDS: usize = 5;
    let mut wanted = keys;
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        if wanted.is_empty() {
            return Ok(found);
        }
        let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(freshness.is_consistent());
        let answer = client.batch_get_item().request_items(table, built(keys.build())?).send().await;
        let answer = answer.map_err(StoreError::from_sdk)?;
        found.extend(answer.responses.unwrap_or_default().remove(table).unwrap_or_default());
        let mut left = answer.unprocessed_keys.unwrap_or_default();
        wanted = left.remove(table).map(|left| left.keys).unwrap_or_default();
    }
    Err(StoreError::Unavailable("a batch was left undone again and again".into()))
}
