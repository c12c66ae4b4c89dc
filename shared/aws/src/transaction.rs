//! `TransactWriteItems` in which every item says what its refusal means.
//!
//! DynamoDB answers a cancelled transaction with one reason for each item, by position. A store names the item as it adds it (its
//! *guard*), and gets back the names of those that refused: nobody counts positions, and no refusal is mistaken for another.

use crate::{StoreError, client::only_collided};
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use std::collections::HashMap;

/// An item as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

/// A transaction under construction; `G` names its items.
#[derive(Debug)]
pub struct Transaction<G> {
    items: Vec<(G, TransactWriteItem)>,
}

/// Why a transaction changed nothing.
#[derive(Debug)]
pub enum Uncommitted<G> {
    /// Conditions that do not hold.
    Refused(Refusals<G>),
    /// No answer about the conditions at all.
    Store(StoreError),
}

impl<G> From<StoreError> for Uncommitted<G> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The guards whose conditions do not hold, in the order they were added, each with the item as it is instead.
#[derive(Debug)]
pub struct Refusals<G>(Vec<(G, Option<Item>)>);

impl<G: PartialEq> Refusals<G> {
    /// Whether this guard refused.
    pub fn has(&self, guard: &G) -> bool {
        self.0.iter().any(|(refused, _)| refused == guard)
    }

    /// Whether one of the guards that refused is such a one.
    pub fn any(&self, is_such: impl Fn(&G) -> bool) -> bool {
        self.0.iter().any(|(refused, _)| is_such(refused))
    }

    /// The item that made this guard refuse, where there is one.
    pub fn found(&self, guard: &G) -> Option<&Item> {
        self.0.iter().find(|(refused, _)| refused == guard).and_then(|(_, item)| item.as_ref())
    }
}

impl<G> Default for Transaction<G> {
    fn default() -> Self {
        Self::new()
    }
}

impl<G> Transaction<G> {
    /// A transaction of no items yet.
    pub fn new() -> Self {
        Self { items: Vec::new() }
    }

    fn with(mut self, guard: G, item: TransactWriteItem) -> Self {
        self.items.push((guard, item));
        self
    }

    /// Adds a put.
    #[must_use]
    pub fn put(self, guard: G, mut put: Put) -> Self {
        put.return_values_on_condition_check_failure = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        self.with(guard, TransactWriteItem::builder().put(put).build())
    }

    /// Adds an update.
    #[must_use]
    pub fn update(self, guard: G, mut update: Update) -> Self {
        update.return_values_on_condition_check_failure = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        self.with(guard, TransactWriteItem::builder().update(update).build())
    }

    /// Adds a delete.
    #[must_use]
    pub fn delete(self, guard: G, mut delete: Delete) -> Self {
        delete.return_values_on_condition_check_failure = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        self.with(guard, TransactWriteItem::builder().delete(delete).build())
    }

    /// Adds a condition on an item that stays as it is.
    #[must_use]
    pub fn check(self, guard: G, mut check: ConditionCheck) -> Self {
        check.return_values_on_condition_check_failure = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        self.with(guard, TransactWriteItem::builder().condition_check(check).build())
    }

    /// Adds every update of the iterator.
    #[must_use]
    pub fn updates(self, updates: impl IntoIterator<Item = (G, Update)>) -> Self {
        updates.into_iter().fold(self, |transaction, (guard, update)| transaction.update(guard, update))
    }

    /// Adds every item of another transaction, under a guard of this one.
    #[must_use]
    pub fn join<H>(self, part: Transaction<H>, guard: impl Fn(H) -> G) -> Self {
        part.items.into_iter().fold(self, |transaction, (named, item)| transaction.with(guard(named), item))
    }

    /// Writes all items or none.
    ///
    /// # Errors
    /// [`Uncommitted::Refused`] when conditions do not hold; nothing was written.
    /// [`Uncommitted::Store`] when there is no answer; the write may or may not have happened, so the transaction must
    /// be one that refuses to happen twice.
    pub async fn commit(self, client: &Client) -> Result<Written, Uncommitted<G>> {
        let (guards, items): (Vec<G>, Vec<TransactWriteItem>) = self.items.into_iter().unzip();
        match client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => Err(sort(guards, error)),
        }
    }
}

fn sort<G, R>(guards: Vec<G>, error: SdkError<TransactWriteItemsError, R>) -> Uncommitted<G>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let reasons = match &error {
        SdkError::ServiceError(service) => match service.err() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons(),
            _ => &[],
        },
        _ => &[],
    };
    if only_collided(reasons) {
        return StoreError::Unavailable("the transaction kept colliding with others".into()).into();
    }
    let refused: Vec<_> = guards
        .into_iter()
        .zip(reasons)
        .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
        .map(|(guard, reason)| (guard, reason.item().filter(|item| !item.is_empty()).cloned()))
        .collect();
    if refused.is_empty() { StoreError::from_sdk(error).into() } else { Uncommitted::Refused(Refusals(refused)) }
}

/// Whether a write that expected a certain version found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Yes,
    /// Someone else wrote first: look again.
    Stale,
}

impl<G> Uncommitted<G> {
    /// The outcome of a transaction all of whose conditions say the same thing, that nobody else has written since.
    ///
    /// # Errors
    /// When the store failed.
    pub fn into_stale(self) -> Result<Written, StoreError> {
        match self {
            Self::Refused(_) => Ok(Written::Stale),
            Self::Store(error) => Err(error),
        }
    }
}

/// The outcome of a single conditional write.
///
/// # Errors
/// When the store failed.
pub fn conditional<T, E, R>(outcome: Result<T, SdkError<E, R>>) -> Result<Written, StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match outcome {
        Ok(_) => Ok(Written::Yes),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(Written::Stale),
        Err(error) => Err(StoreError::from_sdk(error)),
    }
}

/// The builders of the SDK check at run time what the code here states at compile time (a table name, a key): a failure is a bug.
///
/// # Errors
/// [`StoreError::Broken`] when the builder refuses.
pub fn built<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::Broken(error.to_string()))
}

/// The item under this key, as it is now.
pub async fn get(client: &Client, table: &str, pk: AttributeValue, sk: &str) -> Result<Option<Item>, StoreError> {
    let found = client
        .get_item()
        .table_name(table)
        .key("pk", pk)
        .key("sk", AttributeValue::S(sk.to_owned()))
        .consistent_read(true)
        .send()
        .await;
    found.map(|found| found.item).map_err(StoreError::from_sdk)
}

/// How often a change is decided anew when others got ahead. Each round means that somebody else's change went through, so this
/// many in a row say that the item is contended, not that the change is impossible.
pub const ROUNDS: usize = 12;

/// Decides and writes, and looks again whenever somebody else wrote first.
///
/// # Errors
/// Those of `attempt`; [`StoreError::Unavailable`] when others got ahead [`ROUNDS`] times in a row.
pub async fn until_current<T, E, Fut>(mut attempt: impl FnMut() -> Fut) -> Result<T, E>
where
    E: From<StoreError>,
    Fut: Future<Output = Result<Attempt<T>, E>>,
{
    for _ in 0..ROUNDS {
        if let Attempt::Done(outcome) = attempt().await? {
            return Ok(outcome);
        }
    }
    Err(StoreError::Unavailable(format!("others got ahead {ROUNDS} times in a row")).into())
}

/// The result of one round of [`until_current`].
#[derive(Debug)]
pub enum Attempt<T> {
    /// There is no more to do.
    Done(T),
    /// Somebody else wrote first.
    Overtaken,
}

impl<T> Attempt<T> {
    /// Done with this, where it is written.
    pub fn when(written: Written, outcome: T) -> Self {
        match written {
            Written::Yes => Self::Done(outcome),
            Written::Stale => Self::Overtaken,
        }
    }
}

/// An item as the type it was written from.
///
/// # Errors
/// [`StoreError::Broken`] when it is not one.
pub fn read<'a, T: serde::Deserialize<'a>>(what: &str, item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(what, error))
}

/// The type as an item, under this key.
///
/// # Errors
/// [`StoreError::Broken`] when it does not serialize to one.
pub fn write(value: &impl serde::Serialize, pk: AttributeValue, sk: &str) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::malformed("value", error))?;
    item.extend([("pk".into(), pk), ("sk".into(), AttributeValue::S(sk.to_owned()))]);
    Ok(item)
}
