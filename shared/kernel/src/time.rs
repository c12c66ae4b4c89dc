//! Instants, in UTC and one spelling.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};
use time::{
    Duration, OffsetDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

/// Always milliseconds and always `Z`, so that spellings sort as the instants do.
const SPELLING: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Why a string is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 date and time with an offset, such as 2030-06-01T20:00:00Z, before the year 10000")]
pub struct InvalidTimestamp;

/// An instant in UTC, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The current instant.
    pub fn now() -> Self {
        Self::to_millisecond(OffsetDateTime::now_utc())
    }

    fn to_millisecond(instant: OffsetDateTime) -> Self {
        Self(instant.truncate_to_millisecond())
    }

    /// This instant and so many seconds more; the last instant there is, should that be past it.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(Duration::seconds(i64::from(seconds))))
    }

    /// This instant and so many seconds less; the first instant there is, should that be before it.
    #[must_use]
    pub fn minus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_sub(Duration::seconds(i64::from(seconds))))
    }

    /// Whole seconds since 1970, as tokens and time-to-live attributes count; 0 before that.
    pub fn unix_seconds(self) -> u64 {
        u64::try_from(self.0.unix_timestamp()).unwrap_or(0)
    }

    /// Milliseconds since 1970.
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// The instant so many milliseconds after 1970 began, where the calendar has one.
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok().map(Self::to_millisecond)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(SPELLING).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|instant| instant.checked_to_offset(UtcOffset::UTC))
            .filter(|instant| (0..10_000).contains(&instant.year()))
            .map(Self::to_millisecond)
            .ok_or(InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

crate::schema::string_schema!(Timestamp, { format: "date-time", example: "2030-06-01T20:00:00.000Z" });

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_offset_is_read_and_utc_is_written() {
        let instant: Timestamp = "2030-06-01T22:00:00.5+02:00".parse().unwrap();
        assert_eq!(instant.to_string(), "2030-06-01T20:00:00.500Z");
    }

    #[test]
    fn dates_without_a_time_or_an_offset_are_refused() {
        for text in
            ["2030-06-01", "2030-06-01T20:00:00", "yesterday", "", "2030-13-01T00:00:00Z", "9999-12-31T23:59:59-01:00"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text} was accepted");
        }
    }

    proptest! {
        #[test]
        fn spellings_sort_as_instants_do(a in 0_i64..253_402_300_799_000, b in 0_i64..253_402_300_799_000) {
            let (a, b) = (Timestamp::from_unix_millis(a).unwrap(), Timestamp::from_unix_millis(b).unwrap());
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(a.to_string().parse::<Timestamp>(), Ok(a));
            prop_assert_eq!(Timestamp::from_unix_millis(a.unix_millis()), Some(a));
        }
    }
}
