//! The size of items and the cost of reading and writing them, by DynamoDB's own rules
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).

use crate::expression::Item;
use serde_json::Value;

const KB: u32 = 1024;

/// The size of an item, in bytes: its attributes' names and values.
pub fn size(item: &Item) -> u32 {
    item.iter().map(|(name, value)| length(name) + value_size(value)).sum()
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

fn value_size(value: &Value) -> u32 {
    /// The size of a list or a map by itself, and of each of its elements besides what it holds.
    const COLLECTION: u32 = 3;
    const ELEMENT: u32 = 1;
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        ("N", Value::String(digits)) => number_size(digits),
        ("S", Value::String(text)) => length(text),
        ("L", Value::Array(elements)) => {
            COLLECTION + elements.iter().map(|element| ELEMENT + value_size(element)).sum::<u32>()
        }
        ("M", Value::Object(attributes)) => {
            let attributes = attributes.iter().map(|(name, value)| ELEMENT + length(name) + value_size(value));
            COLLECTION + attributes.sum::<u32>()
        }
        // True, false and null.
        _ => 1,
    }
}

/// Two digits a byte, and one for the exponent; a sign is one too, and zeros at either end count for nothing.
fn number_size(number: &str) -> u32 {
    let sign = u32::from(number.starts_with('-'));
    let digits = number.trim_start_matches('-').replace('.', "");
    length(digits.trim_matches('0')).max(1).div_ceil(2) + 1 + sign
}

/// The write units of one item of a transaction: two a KB, one to prepare and one to commit, of the larger of what it was and what it becomes.
pub fn transactional_write(before: Option<&Item>, after: Option<&Item>) -> f64 {
    2.0 * write(before, after)
}

/// The write units of one item outside a transaction, or of its entry in an index: one a KB.
pub fn write(before: Option<&Item>, after: Option<&Item>) -> f64 {
    let bytes = before.map_or(0, size).max(after.map_or(0, size));
    f64::from(bytes.div_ceil(KB).max(1))
}

/// The read units of so many bytes read at once: one for each 4 KB begun, half of it when a moment's delay is accepted.
pub fn read(bytes: u32, consistent: bool) -> f64 {
    f64::from(bytes.div_ceil(4 * KB).max(1)) * if consistent { 1.0 } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(item: Value) -> Item {
        item.as_object().unwrap().clone()
    }

    fn of_bytes(bytes: usize) -> Item {
        item(json!({ "a": { "S": "x".repeat(bytes - 1) } }))
    }

    #[test]
    fn an_item_weighs_its_names_and_values() {
        assert_eq!(size(&item(json!({ "pk": { "S": "INV#1" }, "available": { "N": "100" } }))), 2 + 5 + 9 + 2);
        assert_eq!(
            size(&item(json!({ "l": { "L": [{ "M": { "shard": { "N": "7" } } }] } }))),
            1 + 3 + 1 + 3 + 1 + 5 + 2
        );
        assert_eq!(size(&item(json!({ "closed": { "BOOL": true } }))), 7);
    }

    #[test]
    fn a_number_weighs_its_significant_digits() {
        let sizes = ["0", "27", "-27", "1000000", "1234", "0.125"].map(number_size);
        assert_eq!(sizes, [2, 2, 3, 2, 3, 3]);
    }

    #[test]
    fn a_transactional_write_costs_two_units_a_kb_of_the_larger_state() {
        let [small, full, large] = [of_bytes(100), of_bytes(1024), of_bytes(1025)];
        assert_eq!(transactional_write(None, Some(&small)).to_string(), "2");
        assert_eq!(transactional_write(Some(&full), Some(&small)).to_string(), "2");
        assert_eq!(transactional_write(Some(&large), Some(&small)).to_string(), "4");
        assert_eq!(transactional_write(None, None).to_string(), "2");
    }

    #[test]
    fn a_read_costs_one_unit_for_each_4_kb_begun() {
        let read =
            [(0, true), (4096, true), (4097, true), (10_000, false)].map(|(bytes, at)| read(bytes, at).to_string());
        assert_eq!(read, ["1", "1", "2", "1.5"]);
    }
}
