//! `docs/migrating.md` maps the reference's calls to routes that exist, and names tests that exist.

use boxoffice_runtime::routes::ROUTES;
use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../../docs/migrating.md");

/// How many calls the reference has, the two included that its edge reserves.
const CALLS: usize = 48;

/// The tables of calls: their first and their last cell.
fn rows() -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `") && line.contains("::"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        (cells[0], cells[cells.len() - 1].trim_end_matches(['|', ' ', '`']))
    })
    .collect()
}

#[test]
fn every_call_of_the_reference_is_a_route() {
    let routes: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let calls: BTreeSet<&str> = rows().into_iter().map(|(call, _)| call).collect();
    assert_eq!(calls.len(), CALLS, "{calls:#?}");
    super::none("no route", calls.iter().filter(|call| !routes.contains(**call)).map(ToString::to_string).collect());
}

#[test]
fn every_test_it_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tests/journeys");
    let missing = rows().into_iter().filter(|(_, test)| {
        let (file, name) = test.split_once("::").unwrap();
        let source = fs::read_to_string(folder.join(file).with_extension("rs")).unwrap_or_default();
        !source.contains(&format!("fn {name}()"))
    });
    super::none("not in tests/tests/journeys", missing.map(|(call, test)| format!("{call}: {test}")).collect());
}
