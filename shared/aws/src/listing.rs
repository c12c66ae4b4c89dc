//! Lists over an index that a busy sale cannot slow down.
//!
//! DynamoDB binds one partition key to about 1,000 writes a second, and an index that falls behind throttles the table itself
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>). "All tickets" and "all that are
//! PENDING" are one key each, so their partitions are spread over [`BUCKETS`]: an item goes to the bucket its id says, a list reads every bucket and
//! merges. "All of this user" is not spread: a user does not book a thousand times a second.
//!
//! Indexes project keys only, and sort by id, which is by time. A change of status then rewrites one index entry and not four; the
//! items themselves are read from the table, consistently, so that no list shows a status that has passed.

use crate::{
    Cursor, Item, Limit, Page, StoreError,
    attribute::text,
    batch::{self, Freshness},
    page::InvalidCursor,
};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use futures_util::future::try_join_all;
use std::{collections::HashMap, fmt::Display};

/// Over how many partitions a busy list is spread.
pub const BUCKETS: u32 = 8;

/// An index of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    name: &'static str,
    pk: &'static str,
    sk: &'static str,
}

/// The first index of a table.
pub const GSI1: Index = Index { name: "gsi1", pk: "gsi1pk", sk: "gsi1sk" };
/// The second.
pub const GSI2: Index = Index { name: "gsi2", pk: "gsi2pk", sk: "gsi2sk" };
/// The third.
pub const GSI3: Index = Index { name: "gsi3", pk: "gsi3pk", sk: "gsi3sk" };
/// The fourth.
pub const GSI4: Index = Index { name: "gsi4", pk: "gsi4pk", sk: "gsi4sk" };
/// The fifth.
pub const GSI5: Index = Index { name: "gsi5", pk: "gsi5pk", sk: "gsi5sk" };

/// A list of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    index: Index,
    name: String,
    spread: bool,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is not of this list.
    #[error(transparent)]
    Cursor(#[from] InvalidCursor),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl List {
    /// The list of this name, in one partition: for what one person or one thing has.
    pub fn of(index: Index, name: impl Display) -> Self {
        Self { index, name: name.to_string(), spread: false }
    }

    /// The list of this name, spread over [`BUCKETS`]: for what everybody adds to.
    pub fn spread(index: Index, name: impl Display) -> Self {
        Self { index, name: name.to_string(), spread: true }
    }

    /// The attributes that put an item with this id on the list.
    pub fn entry(&self, id: impl Display) -> [(String, AttributeValue); 2] {
        let id = id.to_string();
        let partition = self.partition_of(&id);
        [(self.index.pk.to_owned(), AttributeValue::S(partition)), (self.index.sk.to_owned(), AttributeValue::S(id))]
    }

    /// The attributes whose removal takes an item off the list.
    pub fn attributes(&self) -> [&'static str; 2] {
        [self.index.pk, self.index.sk]
    }

    fn partition_of(&self, id: &str) -> String {
        if !self.spread {
            return self.name.clone();
        }
        // The last digit of an id is random.
        let digit = id.chars().last().and_then(|digit| digit.to_digit(16)).unwrap_or(0);
        self.bucket(digit % BUCKETS)
    }

    fn bucket(&self, number: u32) -> String {
        format!("{}#{number}", self.name)
    }

    fn partitions(&self) -> Vec<String> {
        if self.spread { (0..BUCKETS).map(|number| self.bucket(number)).collect() } else { vec![self.name.clone()] }
    }
}

/// A table's lists.
#[derive(Debug, Clone)]
pub struct Listing {
    client: Client,
    table: String,
    ids: &'static str,
}

/// Where an entry points, and what it is sorted by.
#[derive(Debug)]
struct Entry {
    id: String,
    key: Item,
}

impl Listing {
    /// The lists of this table, whose items have ids that begin with this prefix.
    pub fn new(client: Client, table: impl Into<String>, ids: &'static str) -> Self {
        Self { client, table: table.into(), ids }
    }

    /// The id to go on after. Lists of two tables may have the same name, but no two tables have ids of one kind.
    fn position(&self, cursor: Cursor, list: &List) -> Result<String, InvalidCursor> {
        let after = cursor.position(&list.name)?;
        let ours = after.strip_prefix(self.ids).is_some_and(|rest| rest.starts_with('_'));
        ours.then_some(after).ok_or(InvalidCursor)
    }

    /// A page of a list, newest first. `read` makes of an item what is to be listed, or nothing when the item has left the list since the
    /// index was written. Entries of such items are replaced by the next ones, so a page that is followed by another is full.
    pub async fn page<T>(
        &self,
        list: &List,
        limit: Limit,
        cursor: Option<Cursor>,
        read: impl Fn(Item) -> Result<Option<T>, StoreError>,
    ) -> Result<Page<T>, ListError> {
        let mut after = cursor.map(|cursor| self.position(cursor, list)).transpose()?;
        let mut page = Vec::new();
        loop {
            let (entries, more) = self.entries(list, limit.get() - page.len(), after.as_deref()).await?;
            let mut items = self.items(&entries).await?;
            let listed = entries.iter().filter_map(|entry| items.remove(&identity(&entry.key)));
            for item in listed {
                page.extend(read(item)?);
            }
            after = entries.last().map(|last| last.id.clone());
            let Some(oldest_read) = after.as_deref().filter(|_| more) else {
                return Ok(Page { items: page, next: None });
            };
            if page.len() == limit.get() {
                return Ok(Page { items: page, next: Some(Cursor::after(&list.name, oldest_read)) });
            }
        }
    }

    /// The ids on a page of a list, newest first, as they were when the index was written: without reading the items, so a few may have left it since.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store fails.
    pub async fn ids(&self, list: &List, limit: Limit, cursor: Option<Cursor>) -> Result<Page<String>, ListError> {
        let after = cursor.map(|cursor| self.position(cursor, list)).transpose()?;
        let (entries, more) = self.entries(list, limit.get(), after.as_deref()).await?;
        let ids: Vec<_> = entries.into_iter().map(|entry| entry.id).collect();
        let next = ids.last().filter(|_| more).map(|last| Cursor::after(&list.name, last));
        Ok(Page { items: ids, next })
    }

    /// The newest entries of a list after this id, at most so many, and whether there are more.
    async fn entries(&self, list: &List, most: usize, after: Option<&str>) -> Result<(Vec<Entry>, bool), StoreError> {
        let partitions = list.partitions();
        let found = partitions.iter().map(|partition| self.bucket(list, partition, most, after));
        let found = try_join_all(found).await?;
        let mut more = found.iter().any(|(_, more)| *more);
        let mut entries: Vec<Entry> = found.into_iter().flat_map(|(entries, _)| entries).collect();
        entries.sort_by(|a, b| b.id.cmp(&a.id));
        more |= entries.len() > most;
        entries.truncate(most);
        Ok((entries, more))
    }

    /// The newest entries of one partition, one more than `most` where there are more, and whether DynamoDB has some that it did not return.
    async fn bucket(
        &self,
        list: &List,
        partition: &str,
        most: usize,
        after: Option<&str>,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        let Index { name, pk, sk } = list.index;
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(name)
            .expression_attribute_names("#pk", pk)
            .expression_attribute_values(":pk", text(partition))
            .scan_index_forward(false)
            .limit(i32::try_from(most + 1).unwrap_or(i32::MAX));
        query = match after {
            None => query.key_condition_expression("#pk = :pk"),
            Some(after) => query
                .key_condition_expression("#pk = :pk AND #sk < :after")
                .expression_attribute_names("#sk", sk)
                .expression_attribute_values(":after", text(after)),
        };
        let answer = query.send().await.map_err(StoreError::from_sdk)?;
        let more = answer.last_evaluated_key.is_some_and(|key| !key.is_empty());
        let entries = answer.items.unwrap_or_default().into_iter().filter_map(|mut item| {
            let id = item.remove(sk)?.as_s().ok()?.clone();
            let key = Item::from([("pk".into(), item.remove("pk")?), ("sk".into(), item.remove("sk")?)]);
            Some(Entry { id, key })
        });
        Ok((entries.collect(), more))
    }

    /// The items these entries point to, by their identity, as they are now.
    async fn items(&self, entries: &[Entry]) -> Result<HashMap<String, Item>, StoreError> {
        let keys = entries.iter().map(|entry| entry.key.clone()).collect();
        let items = batch::get(&self.client, &self.table, keys, Freshness::Consistent).await?;
        Ok(items.into_iter().map(|item| (identity(&item), item)).collect())
    }
}

fn identity(item: &Item) -> String {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    format!("{}\n{}", part("pk"), part("sk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_in_the_bucket_its_id_says_and_a_list_reads_them_all() {
        let list = List::spread(GSI2, "ALL");
        let partitions = list.partitions();
        for digit in "0123456789abcdef".chars() {
            let [(name, partition), (_, id)] = list.entry(format!("tkt_{digit}"));
            assert_eq!(name, "gsi2pk");
            assert_eq!(id, text(format_args!("tkt_{digit}")));
            assert!(partitions.contains(partition.as_s().unwrap()));
        }
        assert_eq!(partitions.len(), 8);
    }

    #[test]
    fn a_users_items_share_one_partition() {
        let list = List::of(GSI1, "USER#usr_1");
        assert_eq!(list.partitions(), ["USER#usr_1"]);
    }
}
