//! The table of `docs/authorization.md`, read from the page itself.

use boxoffice_e2e::{Failure, Outcome, stack::workspace};
use boxoffice_runtime::routes::Route;
use std::collections::BTreeMap;

/// The callers, in the order of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Nobody says who.
    NoToken,
    /// A caller with an invalid token.
    BadToken,
    /// A USER, about what is theirs.
    Theirs,
    /// A USER, about what is somebody else's.
    Anothers,
    /// A MANAGER, about what is somebody else's.
    Manager,
    /// An ADMIN, about what is somebody else's.
    Admin,
}

impl Column {
    pub(crate) const ALL: [Self; 6] =
        [Self::NoToken, Self::BadToken, Self::Theirs, Self::Anothers, Self::Manager, Self::Admin];
}

/// The expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gets {
    /// An answer.
    Served,
    /// 401.
    Unauthenticated,
    /// 403.
    Forbidden,
}

/// The expected answer to each caller of each route.
#[derive(Debug)]
pub(crate) struct Table(BTreeMap<String, Vec<Gets>>);

impl Table {
    pub(crate) fn of_this_checkout() -> Outcome<Self> {
        let path = workspace().join("docs").join("authorization.md");
        let page = std::fs::read_to_string(&path).map_err(|error| Failure::of(path.display(), &error))?;
        let rows = page.lines().filter_map(row).collect::<Outcome<BTreeMap<_, _>>>()?;
        Ok(Self(rows))
    }

    pub(crate) fn routes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn cell(&self, route: &Route, column: Column) -> Outcome<Gets> {
        let row = self.0.get(&format!("{} {}", route.method, route.path));
        let cell = row.and_then(|row| row.iter().zip(Column::ALL).find(|(_, known)| *known == column));
        cell.map(|(gets, _)| *gets).ok_or_else(|| Failure::new(format!("no cell of {route:?} for {column:?}")))
    }
}

/// ``| `GET /users` | 401 | … |``: a line that starts so and has a cell a column. Other tables of the page have fewer.
fn row(line: &str) -> Option<Outcome<(String, Vec<Gets>)>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let (route, cells) = cells.split_first()?;
    let route = route.strip_prefix('`')?.strip_suffix('`')?.to_owned();
    if cells.len() != Column::ALL.len() {
        return None;
    }
    let gets = cells.iter().map(|cell| match *cell {
        "yes" => Ok(Gets::Served),
        "401" => Ok(Gets::Unauthenticated),
        "403" => Ok(Gets::Forbidden),
        other => Err(Failure::new(format!("{route}: {other:?} is no cell"))),
    });
    Some(gets.collect::<Outcome<Vec<_>>>().map(|gets| (route.clone(), gets)))
}
