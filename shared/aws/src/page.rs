//! Lists, a page at a time.
//!
//! A cursor is where DynamoDB stopped, spelled so that it can travel in a URL. It comes back from the client, so it is read as input: of
//! bounded size, with exactly the attributes of the index it is for, and inside the partition that the list reads anyway.

use crate::Item;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{collections::BTreeMap, str::FromStr};

/// How many items a page may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The most items a page may hold.
    pub const MAX: u16 = 100;
    /// The largest page, for what reads a list to its end.
    pub const LARGEST: Self = Self(Self::MAX);

    /// So many items, or as many as a page may hold where that is less; at least one.
    pub fn at_most(items: usize) -> Self {
        Self(u16::try_from(items).unwrap_or(Self::MAX).clamp(1, Self::MAX))
    }

    /// The number of items.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

/// Why a string is not a [`Limit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {}", Limit::MAX)]
pub struct InvalidLimit;

impl FromStr for Limit {
    type Err = InvalidLimit;
    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        match text.parse() {
            Ok(limit @ 1..=Self::MAX) => Ok(Self(limit)),
            _ => Err(InvalidLimit),
        }
    }
}

/// Why a string is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list; omit it to start from the first page")]
pub struct InvalidCursor;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(BTreeMap<String, String>);

impl Cursor {
    /// The longest sort key that DynamoDB takes, in bytes.
    const LONGEST_KEY: usize = 1024;
    const MAX_LENGTH: usize = 2048;

    /// The cursor after this item of this list.
    pub fn after(list: &str, id: &str) -> Self {
        Self([("list", list), ("after", id)].map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    /// The item to go on after, should the cursor belong to this list.
    pub fn position(mut self, list: &str) -> Result<String, InvalidCursor> {
        let after = self.0.remove("after").filter(|after| !after.is_empty()).ok_or(InvalidCursor)?;
        let of_this_list = self.0.len() == 1 && self.0.get("list").is_some_and(|name| name == list);
        of_this_list.then_some(after).ok_or(InvalidCursor)
    }

    /// The cursor after the item with this key; `None` where the key is not one of strings.
    pub fn from_key(key: &Item) -> Option<Self> {
        key.iter()
            .map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())))
            .collect::<Option<BTreeMap<_, _>>>()
            .map(Self)
    }

    /// The key to go on from, should the cursor belong to this index (its key attributes) and partition (the value of the first of them).
    ///
    /// # Errors
    /// When it does not: DynamoDB would refuse it, or answer from elsewhere.
    pub fn into_key(self, attributes: &[&str], partition: &str) -> Result<Item, InvalidCursor> {
        let of_this_partition =
            attributes.first().and_then(|name| self.0.get(*name)).is_some_and(|value| value == partition);
        if !of_this_partition {
            return Err(InvalidCursor);
        }
        self.of(attributes)
    }

    /// The key to go on from in a walk over a whole table, should the cursor be of such a walk. A walk's answers are for operators and for
    /// the product itself, so a cursor may stand anywhere in the table.
    ///
    /// # Errors
    /// When it is not.
    pub fn into_table_key(self) -> Result<Item, InvalidCursor> {
        self.of(&["pk", "sk"])
    }

    /// The key, should it have exactly these attributes.
    fn of(self, attributes: &[&str]) -> Result<Item, InvalidCursor> {
        let has_them = self.0.len() == attributes.len()
            && attributes.iter().all(|name| self.0.get(*name).is_some_and(|value| !value.is_empty()));
        if !has_them {
            return Err(InvalidCursor);
        }
        Ok(self.0.into_iter().map(|(name, value)| (name, AttributeValue::S(value))).collect())
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;
    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidCursor);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let cursor: BTreeMap<String, String> = serde_json::from_slice(&json).map_err(|_| InvalidCursor)?;
        // DynamoDB refuses a longer sort key, and what it refuses would be answered as a fault of ours.
        let fits = cursor.values().all(|value| value.len() <= Self::LONGEST_KEY);
        fits.then_some(Self(cursor)).ok_or(InvalidCursor)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_vec(&self.0).map_err(|_| std::fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

boxoffice_kernel::schema::string_schema!(Cursor, { max: Cursor::MAX_LENGTH });

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Some items of a list, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items, newest first unless the list says otherwise.
    pub items: Vec<T>,
    /// Pass it as `next` for the following page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(partition: &str) -> Item {
        [("gsi1pk", partition), ("gsi1sk", "2030"), ("pk", "INV#1"), ("sk", "META")]
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
            .into()
    }

    const INDEX: [&str; 4] = ["gsi1pk", "gsi1sk", "pk", "sk"];

    #[test]
    fn a_cursor_leads_back_to_its_key() {
        let cursor: Cursor = Cursor::from_key(&key("ALL")).unwrap().to_string().parse().unwrap();
        assert_eq!(cursor.into_key(&INDEX, "ALL"), Ok(key("ALL")));
    }

    #[test]
    fn a_cursor_with_a_key_longer_than_dynamodb_takes_is_refused() {
        let cursor = |length: usize| Cursor::after("ALL", &"x".repeat(length)).to_string().parse::<Cursor>();
        assert!(cursor(1024).is_ok());
        assert_eq!(cursor(1025), Err(InvalidCursor));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = Cursor::from_key(&key("OTHERS")).unwrap();
        assert_eq!(cursor.clone().into_key(&INDEX, "ALL"), Err(InvalidCursor));
        assert_eq!(cursor.into_key(&["pk", "sk"], "OTHERS"), Err(InvalidCursor));
    }

    #[test]
    fn a_walk_over_a_table_goes_on_where_it_stopped_and_nowhere_else() {
        let of_table: Item =
            key("ALL").into_iter().filter(|(name, _)| name.as_str() == "pk" || name.as_str() == "sk").collect();
        assert_eq!(Cursor::from_key(&of_table).unwrap().into_table_key(), Ok(of_table));
        assert_eq!(Cursor::from_key(&key("ALL")).unwrap().into_table_key(), Err(InvalidCursor));
        assert_eq!(Cursor::after("ALL", "tkt_1").into_table_key(), Err(InvalidCursor));
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!("100".parse::<Limit>().map(Limit::get), Ok(100));
        for bad in ["0", "101", "-1", "x", "", "1.0"] {
            assert_eq!(bad.parse::<Limit>(), Err(InvalidLimit), "{bad}");
        }
    }

    #[test]
    fn a_position_leads_back_to_its_list_and_no_other() {
        let cursor: Cursor = Cursor::after("ALL", "tkt_1").to_string().parse().unwrap();
        assert_eq!(cursor.clone().position("ALL"), Ok("tkt_1".to_owned()));
        assert_eq!(cursor.position("USER#1"), Err(InvalidCursor));
    }

    proptest! {
        #[test]
        fn reading_a_cursor_never_panics(text in "\\PC{0,200}") {
            let _ = text.parse::<Cursor>().map(|cursor| cursor.into_key(&INDEX, "ALL"));
        }
    }
}
