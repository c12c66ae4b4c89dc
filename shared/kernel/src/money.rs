//! Money: an integer of minor units inside, a number with two decimals outside.
//!
//! A binary fraction cannot hold a cent, so no arithmetic here touches one: the number on the wire is read by
//! its shortest decimal spelling (which is exact for every amount below [`Amount::MAX`]) and turned into minor units at once.

use crate::Quantity;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// Why a number is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAmount {
    /// Zero and negative amounts are not prices, payments or refunds.
    #[error("must be at least 0.01")]
    NotPositive,
    /// More than [`Amount::MAX`].
    #[error("must be at most {}", Amount::MAX)]
    TooLarge,
    /// A third decimal would be lost, and a lost fraction of a cent is a lost cent somewhere.
    #[error("must have at most two decimals")]
    TooPrecise,
    /// Less than the payment provider charges in this currency.
    #[error("must be at least {0} {1}, the least that the payment provider charges")]
    BelowCharge(Amount, Currency),
    /// More than the payment provider charges at once.
    #[error("must be at most {}, the most that the payment provider charges at once", Amount::LARGEST_CHARGE)]
    AboveCharge,
}

/// A positive amount of money in minor units (cents).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// Ten thousand million units: far above any ticket sale, and exact as a JSON number.
    pub const MAX: Self = Self(1_000_000_000_000);

    /// The most that is charged at once: Stripe's amounts have up to eight digits.
    pub const LARGEST_CHARGE: Self = Self(99_999_999);

    /// An amount of this many minor units.
    ///
    /// # Errors
    /// When it is zero or more than [`Amount::MAX`].
    pub fn from_minor(minor: u64) -> Result<Self, InvalidAmount> {
        match minor {
            0 => Err(InvalidAmount::NotPositive),
            minor if minor > Self::MAX.0 => Err(InvalidAmount::TooLarge),
            minor => Ok(Self(minor)),
        }
    }

    /// The amount in minor units (cents).
    pub fn minor(self) -> u64 {
        self.0
    }

    /// This price for that many seats.
    ///
    /// # Errors
    /// When the total is more than [`Amount::MAX`].
    pub fn times(self, quantity: Quantity) -> Result<Self, InvalidAmount> {
        self.0.checked_mul(u64::from(quantity.get())).ok_or(InvalidAmount::TooLarge).and_then(Self::from_minor)
    }

    /// The amount as a JSON number. Below [`Amount::MAX`] the nearest double prints as the same two decimals.
    #[expect(clippy::cast_precision_loss, reason = "MAX is below 2^53")]
    fn to_wire(self) -> f64 {
        self.0 as f64 / 100.0
    }

    fn from_wire(number: f64) -> Result<Self, InvalidAmount> {
        if number.is_nan() || number <= 0.0 {
            return Err(InvalidAmount::NotPositive);
        }
        if number > Self::MAX.to_wire() {
            return Err(InvalidAmount::TooLarge);
        }
        let spelling = number.to_string();
        let (units, decimals) = spelling.split_once('.').unwrap_or((&spelling, ""));
        if decimals.len() > 2 {
            return Err(InvalidAmount::TooPrecise);
        }
        format!("{units}{decimals:0<2}").parse().map_err(|_| InvalidAmount::TooPrecise).and_then(Self::from_minor)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_wire())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).and_then(|number| Self::from_wire(number).map_err(de::Error::custom))
    }
}

impl utoipa::PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        // No `multipleOf`: validators divide binary fractions, and would refuse amounts that are right.
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("An amount of money with at most two decimals."))
            .minimum(Some(0.01))
            .maximum(Some(Self::MAX.to_wire()))
            .examples([serde_json::json!(49.9)])
            .into()
    }
}

impl utoipa::ToSchema for Amount {}

/// How stored items spell an [`Amount`]: as its integer of minor units.
/// For `#[serde(with = "boxoffice_kernel::money::minor")]`.
pub mod minor {
    use super::{Amount, Deserialize, Deserializer, Serializer, de};

    /// Writes the minor units.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(amount.0)
    }

    /// Reads the minor units.
    ///
    /// # Errors
    /// When they are not an [`Amount`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        u64::deserialize(deserializer).and_then(|minor| Amount::from_minor(minor).map_err(de::Error::custom))
    }
}

/// An ISO 4217 currency whose minor unit is a hundredth, which is what the two-decimal API can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Australian dollar.
    Aud,
    /// Canadian dollar.
    Cad,
    /// Swiss franc.
    Chf,
    /// Danish krone.
    Dkk,
    /// Euro.
    Eur,
    /// Pound sterling.
    Gbp,
    /// Indian rupee.
    Inr,
    /// Norwegian krone.
    Nok,
    /// New Zealand dollar.
    Nzd,
    /// Polish złoty.
    Pln,
    /// Swedish krona.
    Sek,
    /// US dollar.
    Usd,
}

impl Currency {
    /// The alphabetic ISO 4217 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Aud => "AUD",
            Self::Cad => "CAD",
            Self::Chf => "CHF",
            Self::Dkk => "DKK",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Inr => "INR",
            Self::Nok => "NOK",
            Self::Nzd => "NZD",
            Self::Pln => "PLN",
            Self::Sek => "SEK",
            Self::Usd => "USD",
        }
    }
}

impl Currency {
    /// The least that Stripe charges in this currency (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>).
    pub fn smallest_charge(self) -> Amount {
        Amount(match self {
            Self::Aud | Self::Cad | Self::Chf | Self::Eur | Self::Inr | Self::Nzd | Self::Usd => 50,
            Self::Dkk => 250,
            Self::Gbp => 30,
            Self::Nok | Self::Sek => 300,
            Self::Pln => 200,
        })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount and what it is an amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// The amount.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The same, where the payment provider charges as little and as much.
    ///
    /// # Errors
    /// When it would refuse: nobody could ever pay.
    pub fn chargeable(self) -> Result<Self, InvalidAmount> {
        let smallest = self.currency.smallest_charge();
        if self.amount < smallest {
            return Err(InvalidAmount::BelowCharge(smallest, self.currency));
        }
        if self.amount > Amount::LARGEST_CHARGE {
            return Err(InvalidAmount::AboveCharge);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_that_the_provider_refuses_are_not_chargeable() {
        let chargeable = |minor, currency| Money { amount: Amount(minor), currency }.chargeable().is_ok();
        for (currency, smallest) in
            [(Currency::Eur, 50), (Currency::Gbp, 30), (Currency::Dkk, 250), (Currency::Sek, 300)]
        {
            assert!(!chargeable(smallest - 1, currency) && chargeable(smallest, currency), "{currency}");
            assert!(chargeable(99_999_999, currency) && !chargeable(100_000_000, currency), "{currency}");
        }
        let refused = Money { amount: Amount(30), currency: Currency::Eur }.chargeable().unwrap_err();
        assert_eq!(refused.to_string(), "must be at least 0.50 EUR, the least that the payment provider charges");
    }

    fn parse(json: &str) -> Result<Amount, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_with_two_decimals_is_read_to_the_cent() {
        for (json, minor) in [("0.01", 1), ("19.99", 1999), ("5", 500), ("5.0", 500), ("0.1", 10), ("1e3", 100_000)] {
            assert_eq!(parse(json).map(Amount::minor), Ok(minor), "{json}");
        }
    }

    #[test]
    fn numbers_that_are_no_amount_are_refused() {
        for json in ["0", "-1", "0.001", "19.999", "1e99", "10000000000.01", "\"5\"", "null", "true"] {
            assert!(parse(json).is_err(), "{json} was accepted");
        }
    }

    #[test]
    fn a_total_beyond_the_maximum_is_refused() {
        let seats = Quantity::new(2).unwrap();
        assert_eq!(Amount::MAX.times(seats), Err(InvalidAmount::TooLarge));
        assert_eq!(Amount::from_minor(1999).unwrap().times(seats).map(Amount::minor), Ok(3998));
    }

    proptest! {
        #[test]
        fn every_amount_survives_the_wire(minor in 1..=Amount::MAX.0) {
            let amount = Amount::from_minor(minor).unwrap();
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(parse(&json), Ok(amount));
        }

        #[test]
        fn a_third_decimal_is_always_refused(units in 0..1_000_000_u32, thousandths in 1..1000_u32) {
            prop_assume!(thousandths % 10 != 0);
            let json = format!("{units}.{thousandths:03}");
            prop_assert!(parse(&json).is_err());
        }
    }

    #[test]
    fn the_greatest_amount_is_one_and_a_cent_more_is_not() {
        assert_eq!(Amount::from_minor(Amount::MAX.minor()), Ok(Amount::MAX));
        assert_eq!(Amount::from_minor(Amount::MAX.minor() + 1), Err(InvalidAmount::TooLarge));
        assert_eq!(Amount::from_wire(10_000_000_000.0), Ok(Amount::MAX));
    }

    #[test]
    fn a_refusal_says_which_way_the_number_is_wrong() {
        for (number, refusal) in [
            (0.0, InvalidAmount::NotPositive),
            (-1.0, InvalidAmount::NotPositive),
            (f64::NAN, InvalidAmount::NotPositive),
            (1e99, InvalidAmount::TooLarge),
            (0.001, InvalidAmount::TooPrecise),
        ] {
            assert_eq!(Amount::from_wire(number), Err(refusal), "{number}");
        }
    }

    #[test]
    fn an_amount_reads_with_two_decimals() {
        for (minor, text) in [(5, "0.05"), (1999, "19.99"), (500, "5.00")] {
            assert_eq!(Amount::from_minor(minor).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_currency_reads_as_its_code_everywhere() {
        for code in ["AUD", "CAD", "CHF", "DKK", "EUR", "GBP", "INR", "NOK", "NZD", "PLN", "SEK", "USD"] {
            let currency: Currency = serde_json::from_value(serde_json::json!(code)).unwrap();
            assert_eq!((currency.code(), currency.to_string().as_str()), (code, code));
        }
    }
}
