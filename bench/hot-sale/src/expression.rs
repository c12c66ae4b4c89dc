//! The expressions of DynamoDB that the booking path uses, evaluated exactly; any other is refused loudly.
//!
//! Conditions: `=`, `<>`, `<`, `<=`, `>`, `>=`, `attribute_exists`, `attribute_not_exists`, `NOT`, `AND`, `OR` and parentheses. Updates: `SET` with `+`, `-` and
//! `if_not_exists`, `ADD` of numbers, and `REMOVE`. Paths are top-level attributes. Numbers are whole.

use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// An item, as DynamoDB's protocol spells it: each attribute is an object of its type and value.
pub type Item = Map<String, Value>;

/// Why an expression is not one of ours, or cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this model does not know the expression `{expression}`: {why}")]
pub struct Unknown {
    expression: String,
    why: String,
}

/// The meaning of `#names` and `:values`.
#[derive(Debug, Clone, Copy)]
pub struct Placeholders<'a> {
    names: Option<&'a Item>,
    values: Option<&'a Item>,
}

impl<'a> Placeholders<'a> {
    /// Those of a request, or of one part of a transaction.
    pub fn of(part: &'a Value) -> Self {
        let object = |name: &str| part.get(name).and_then(Value::as_object);
        Self { names: object("ExpressionAttributeNames"), values: object("ExpressionAttributeValues") }
    }
}

/// Whether the condition holds of the item; of an empty one, where there is none.
///
/// # Errors
/// When the expression is not one of ours.
pub fn holds(condition: &str, item: &Item, placeholders: Placeholders<'_>) -> Result<bool, Unknown> {
    let mut reader = Reader::new(condition, item, placeholders);
    let holds = reader.disjunction().and_then(|holds| reader.end().map(|()| holds));
    holds.map_err(|why| Unknown { expression: condition.to_owned(), why })
}

/// The item as the update makes it.
///
/// # Errors
/// When the expression is not one of ours.
pub fn updated(update: &str, item: &Item, placeholders: Placeholders<'_>) -> Result<Item, Unknown> {
    let mut reader = Reader::new(update, item, placeholders);
    reader.update().map_err(|why| Unknown { expression: update.to_owned(), why })
}

/// The value that a key condition of the form `pk = :pk` asks for, with the name of the key.
///
/// # Errors
/// When it has another form.
pub fn sought<'a>(condition: &str, placeholders: Placeholders<'a>) -> Result<(String, &'a Value), Unknown> {
    let nothing = Item::new();
    let mut reader = Reader::new(condition, &nothing, placeholders);
    let sought = (|| {
        let name = reader.path()?;
        reader.expect("=")?;
        let value = reader.value()?;
        reader.end().map(|()| (name, value))
    })();
    sought.map_err(|why| Unknown { expression: condition.to_owned(), why })
}

struct Reader<'e, 'a> {
    tokens: Vec<&'e str>,
    at: usize,
    item: &'e Item,
    placeholders: Placeholders<'a>,
}

/// Names and placeholders are words; everything else stands for itself.
fn tokens(expression: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '#' | ':');
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if ["<>", "<=", ">="].iter().any(|operator| rest.starts_with(operator)) {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

impl<'e, 'a> Reader<'e, 'a> {
    fn new(expression: &'e str, item: &'e Item, placeholders: Placeholders<'a>) -> Self {
        Self { tokens: tokens(expression), at: 0, item, placeholders }
    }

    fn peek(&self) -> &'e str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'e str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn takes(&mut self, token: &str) -> bool {
        let takes = self.peek().eq_ignore_ascii_case(token);
        self.at += usize::from(takes);
        takes
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(format!("`{token}` expected where `{}` is", self.peek())) }
    }

    fn end(&self) -> Result<(), String> {
        let rest = self.peek();
        if rest.is_empty() { Ok(()) } else { Err(format!("`{rest}` is one thing too many")) }
    }

    // Both sides are always read, whatever the first one says: an unknown operator is noticed even where it would not count.
    fn disjunction(&mut self) -> Result<bool, String> {
        let mut holds = self.conjunction()?;
        while self.takes("OR") {
            holds |= self.conjunction()?;
        }
        Ok(holds)
    }

    fn conjunction(&mut self) -> Result<bool, String> {
        let mut holds = self.negation()?;
        while self.takes("AND") {
            holds &= self.negation()?;
        }
        Ok(holds)
    }

    fn negation(&mut self) -> Result<bool, String> {
        if self.takes("NOT") {
            return self.negation().map(|holds| !holds);
        }
        if self.takes("(") {
            let holds = self.disjunction()?;
            return self.expect(")").map(|()| holds);
        }
        for (function, wanted) in [("attribute_exists", true), ("attribute_not_exists", false)] {
            if self.takes(function) {
                self.expect("(")?;
                let name = self.path()?;
                return self.expect(")").map(|()| self.item.contains_key(&name) == wanted);
            }
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<bool, String> {
        let left = self.operand()?;
        let operator = self.next();
        let right = self.operand()?;
        let is: fn(Ordering) -> bool = match operator {
            "=" => Ordering::is_eq,
            "<>" => Ordering::is_ne,
            "<" => Ordering::is_lt,
            "<=" => Ordering::is_le,
            ">" => Ordering::is_gt,
            ">=" => Ordering::is_ge,
            _ => return Err(format!("`{operator}` is no comparison")),
        };
        // An attribute that is not there compares as unequal, and as nothing else.
        let (Some(left), Some(right)) = (left, right) else { return Ok(operator == "<>") };
        Ok(is(compare(&left, &right)?))
    }

    fn operand(&mut self) -> Result<Option<Value>, String> {
        if self.peek().starts_with(':') {
            return self.value().map(|value| Some(value.clone()));
        }
        let name = self.path()?;
        Ok(self.item.get(&name).cloned())
    }

    fn path(&mut self) -> Result<String, String> {
        let token = self.next();
        let name = if token.starts_with('#') {
            self.placeholders.names.and_then(|names| names.get(token)).and_then(Value::as_str)
        } else {
            Some(token).filter(|token| token.starts_with(|c: char| c.is_ascii_alphabetic()))
        };
        match self.peek() {
            "." | "[" => Err("a path into an attribute".to_owned()),
            _ => name.map(str::to_owned).ok_or_else(|| format!("`{token}` is no attribute")),
        }
    }

    fn value(&mut self) -> Result<&'a Value, String> {
        let token = self.next();
        let value = self.placeholders.values.and_then(|values| values.get(token));
        value.ok_or_else(|| format!("`{token}` is no value"))
    }

    fn update(&mut self) -> Result<Item, String> {
        let mut after = self.item.clone();
        loop {
            if self.takes("SET") {
                loop {
                    let name = self.path()?;
                    self.expect("=")?;
                    let value = self.sum()?;
                    after.insert(name, value);
                    if !self.takes(",") {
                        break;
                    }
                }
            } else if self.takes("ADD") {
                loop {
                    let name = self.path()?;
                    let before = self.item.get(&name).map_or(Ok(0), number)?;
                    after.insert(name, json!({ "N": (before + number(self.value()?)?).to_string() }));
                    if !self.takes(",") {
                        break;
                    }
                }
            } else if self.takes("REMOVE") {
                loop {
                    after.remove(&self.path()?);
                    if !self.takes(",") {
                        break;
                    }
                }
            } else {
                return self.end().map(|()| after);
            }
        }
    }

    fn sum(&mut self) -> Result<Value, String> {
        let mut sum = self.term()?;
        loop {
            let subtract = match self.peek() {
                "+" => false,
                "-" => true,
                _ => return Ok(sum),
            };
            self.at += 1;
            let (left, right) = (number(&sum)?, number(&self.term()?)?);
            sum = json!({ "N": (if subtract { left - right } else { left + right }).to_string() });
        }
    }

    fn term(&mut self) -> Result<Value, String> {
        if self.takes("if_not_exists") {
            self.expect("(")?;
            let name = self.path()?;
            self.expect(",")?;
            let otherwise = self.sum()?;
            self.expect(")")?;
            return Ok(self.item.get(&name).cloned().unwrap_or(otherwise));
        }
        let name = self.peek();
        self.operand()?.ok_or_else(|| format!("there is no `{name}` to compute with"))
    }
}

fn number(value: &Value) -> Result<i64, String> {
    let digits = value.get("N").and_then(Value::as_str);
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("{value} is no whole number"))
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, String> {
    let text = |value: &Value| value.get("S").and_then(Value::as_str).map(str::to_owned);
    match (text(left), text(right)) {
        (Some(left), Some(right)) => Ok(left.cmp(&right)),
        (None, None) => Ok(number(left)?.cmp(&number(right)?)),
        _ => Err(format!("{left} and {right} are of two kinds")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard() -> Item {
        let item = json!({ "available": { "N": "3" }, "held": { "N": "10" }, "state": { "S": "HELD" } });
        item.as_object().unwrap().clone()
    }

    fn part() -> Value {
        json!({
            "ExpressionAttributeNames": { "#state": "state" },
            "ExpressionAttributeValues": {
                ":two": { "N": "2" }, ":three": { "N": "3" }, ":ten": { "N": "10" }, ":none": { "N": "0" },
                ":held": { "S": "HELD" }
            }
        })
    }

    fn check(condition: &str) -> Result<bool, Unknown> {
        holds(condition, &shard(), Placeholders::of(&part()))
    }

    #[test]
    fn conditions_of_ours() {
        for (condition, expected) in [
            ("available >= :three", true),
            ("available >= :ten", false),
            ("held > :two", true),
            ("#state = :held AND available < :ten", true),
            ("attribute_not_exists(pk)", true),
            ("attribute_not_exists(available) OR available = :three", true),
            ("available = :two AND (attribute_not_exists(moves) OR moves = :none)", false),
            ("available = :two OR available = :three AND held = :ten", true),
            ("NOT attribute_exists(moves) AND available <> :two", true),
            ("moves = :none", false),
            ("moves >= :none", false),
            ("moves <> :none", true),
        ] {
            assert_eq!(check(condition), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn numbers_compare_as_numbers() {
        assert_eq!(check("available < held"), Ok(true));
    }

    #[test]
    fn an_event_of_another_source_is_refused_even_where_it_would_not_count() {
        for condition in [
            "begins_with(pk, :held)",
            "available = :three OR contains(state, :held)",
            "available BETWEEN :two AND :ten",
            "available >= :unnamed",
            "available >= :two available",
            "a.b = :two",
            "available = :held",
            "",
        ] {
            assert!(check(condition).is_err(), "{condition}");
        }
    }

    fn update(expression: &str) -> Result<Value, Unknown> {
        updated(expression, &shard(), Placeholders::of(&part())).map(Value::Object)
    }

    #[test]
    fn updates_of_ours() {
        let moved =
            "SET available = available - :two, held = held + :two, moves = if_not_exists(moves, :none) + :three";
        assert_eq!(
            update(moved).unwrap(),
            json!({ "available": { "N": "1" }, "held": { "N": "12" }, "moves": { "N": "3" }, "state": { "S": "HELD" } })
        );
        assert_eq!(
            update("SET available = available + :ten - :two REMOVE #state, held").unwrap(),
            json!({ "available": { "N": "11" } })
        );
    }

    #[test]
    fn add_starts_from_zero_where_there_is_no_attribute() {
        let after = update("ADD available :two, sold :ten").unwrap();
        assert_eq!((&after["available"], &after["sold"]), (&json!({ "N": "5" }), &json!({ "N": "10" })));
    }

    #[test]
    fn an_update_reads_the_item_as_it_was() {
        assert_eq!(update("SET available = held, held = available").unwrap()["held"], json!({ "N": "3" }));
    }

    #[test]
    fn updates_not_of_ours_are_refused() {
        for expression in
            ["DELETE available :two", "SET available = missing + :two", "SET available = list_append(a, b)", "nonsense"]
        {
            assert!(update(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_key_condition_names_one_partition() {
        let part = json!({ "ExpressionAttributeValues": { ":pk": { "S": "INV#1" } } });
        assert_eq!(sought("pk = :pk", Placeholders::of(&part)), Ok(("pk".to_owned(), &json!({ "S": "INV#1" }))));
        assert!(sought("pk = :pk AND sk > :pk", Placeholders::of(&part)).is_err());
    }
}
