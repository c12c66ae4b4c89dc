//! Tables as CSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)). A text that a spreadsheet would take for a formula is kept a text: OWASP calls the
//! attack CSV injection.

use std::fmt::Display;

/// The first characters by which a spreadsheet takes a text for a formula.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// A table under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv(String);

impl Csv {
    /// A table with these columns.
    pub fn of(columns: &[&str]) -> Self {
        Self(columns.join(",") + "\r\n")
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[Cell]) {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.0.as_str()).collect();
        self.0 += &cells.join(",");
        self.0 += "\r\n";
    }

    /// The whole table.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// With an apostrophe before it where a spreadsheet would calculate it.
fn guarded(part: &str) -> String {
    let begins = part.trim_start_matches(' ').trim_start_matches('"').starts_with(FORMULA);
    if begins { format!("'{part}") } else { part.to_owned() }
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell(String);

impl Cell {
    /// A text, such as a name: quoted where it has to be, and no formula. A spreadsheet whose decimals have commas separates cells by `;`, quoted or not, so
    /// what follows one begins a cell there.
    pub fn text(text: impl Display) -> Self {
        let text = text.to_string();
        let parts: Vec<_> = text.split(';').map(guarded).collect();
        let guarded = parts.join(";");
        if guarded == text && !text.contains([',', ';', '"', '\r', '\n']) {
            return Self(text);
        }
        Self(format!("\"{}\"", guarded.replace('"', "\"\"")))
    }

    /// A count.
    pub fn count(count: u64) -> Self {
        Self(count.to_string())
    }

    /// An amount of so many minor units, with two decimals.
    pub fn money(minor: i64) -> Self {
        let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
        Self(format!("{sign}{}.{:02}", minor / 100, minor % 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_reads_as_a_formula_is_a_text() {
        let mut csv = Csv::of(&["name", "seats", "amount"]);
        csv.row(&[Cell::text("=1+1"), Cell::count(2), Cell::money(-2005)]);
        csv.row(&[Cell::text("Late, \"great\""), Cell::count(0), Cell::money(7)]);
        csv.row(&[Cell::text("1 = 1"), Cell::count(1), Cell::money(-100)]);
        csv.row(&[Cell::text("Show; =A1;B"), Cell::count(1), Cell::money(0)]);
        let expected = "name,seats,amount\r\n\"'=1+1\",2,-20.05\r\n\"Late, \"\"great\"\"\",0,0.07\r\n1 = 1,1,-1.00\r\n\"Show;' =A1;B\",1,0.00\r\n";
        assert_eq!(csv.into_text(), expected);
    }

    proptest! {
        #[test]
        fn no_text_begins_a_formula_or_ends_its_cell(text in "[=+@a;\"',\r\n\t＝-]{0,8}") {
            let Cell(cell) = Cell::text(&text);
            let inner = match cell.strip_prefix('"') {
                Some(quoted) => quoted.strip_suffix('"').unwrap().replace("\"\"", "\u{1}"),
                None => cell,
            };
            prop_assert!(inner.split(';').all(|part| !part.starts_with(FORMULA)), "{inner}");
            prop_assert!(!inner.contains('"'), "{inner}");
            let inner = inner.replace('\u{1}', "\"");
            prop_assert_eq!(inner.replace('\'', ""), text.replace('\'', ""));
        }
    }
}
