//! The outcome as a table.

use crate::{
    cell::{Cell, Trouble},
    machine::Machine,
    route::{End, Mode},
};
use boxoffice_e2e::{Failure, Outcome, stack::Stack, tables::StoredEvent};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt, fs, time::Duration};

/// A cell, and what became of it.
#[derive(Debug)]
pub(crate) struct Square {
    pub(crate) cell: Cell,
    pub(crate) end: Option<End>,
    pub(crate) fault: Option<String>,
    pub(crate) events: Vec<StoredEvent>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Grid {
    states: Vec<String>,
    others: Vec<String>,
    /// The cells that there are, of which a sample tries some.
    known: BTreeSet<(String, Mode, Trouble)>,
    squares: Vec<Square>,
    took: Duration,
}

impl Grid {
    pub(crate) fn of(machine: &Machine, all: &[Cell], squares: Vec<Square>, took: Duration) -> Self {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        let known =
            all.iter().filter_map(|cell| Some((cell.state.clone(), cell.route.mode(), cell.trouble?))).collect();
        Self { states: owned(machine.tasks()), others: owned(machine.others()), known, squares, took }
    }

    fn at(&self, state: &str, mode: Mode, trouble: Trouble) -> Vec<&Square> {
        let here = |square: &&Square| {
            square.cell.state == state && square.cell.route.mode() == mode && square.cell.trouble == Some(trouble)
        };
        self.squares.iter().filter(here).collect()
    }

    /// Where the bookings of a square ended, and how many there were where it is more than one; `!` before those that broke a rule.
    fn square(&self, state: &str, mode: Mode, trouble: Trouble) -> String {
        let squares = self.at(state, mode, trouble);
        if squares.is_empty() {
            return self.why_empty(state, mode, trouble).to_owned();
        }
        let ends: BTreeSet<String> =
            squares.iter().map(|square| square.end.map_or_else(|| "?".to_owned(), |end| end.to_string())).collect();
        let mark = if squares.iter().any(|square| square.fault.is_some()) { "**!** " } else { "" };
        let times = if squares.len() > 1 { format!(" ×{}", squares.len()) } else { String::new() };
        format!("{mark}{}{times}", ends.into_iter().collect::<Vec<_>>().join("/"))
    }

    fn why_empty(&self, state: &str, mode: Mode, trouble: Trouble) -> &'static str {
        if self.known.contains(&(state.to_owned(), mode, trouble)) {
            "·"
        } else if self.known.iter().any(|(known, its_mode, _)| known == state && *its_mode == mode) {
            "no undo"
        } else {
            "not met"
        }
    }

    /// The cells that broke a rule, and the rule.
    pub(crate) fn violations(&self) -> Vec<String> {
        let broken = |square: &Square| square.fault.as_ref().map(|fault| format!("{}: {fault}", square.cell));
        self.squares.iter().filter_map(broken).collect()
    }

    /// Leaves it in `.local/reports`, for people and for programs.
    pub(crate) fn keep(&self, stack: &Stack) -> Outcome<()> {
        let folder = stack.folder.join("reports");
        let failed = |error: std::io::Error| Failure::of(folder.display(), &error);
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(folder.join("fault-matrix.md"), self.to_string()).map_err(failed)?;
        fs::write(folder.join("fault-matrix.json"), self.facts().to_string()).map_err(failed)
    }

    fn facts(&self) -> Value {
        let cells: Vec<Value> = self
            .squares
            .iter()
            .map(|Square { cell, end, fault, .. }| {
                json!({
                    "state": cell.state,
                    "mode": cell.route.mode().to_string(),
                    "route": cell.route.to_string(),
                    "fault": cell.trouble.map(|trouble| trouble.to_string()),
                    "write": cell.write,
                    "end": end.map(|end| end.to_string()),
                    "violation": fault,
                })
            })
            .collect();
        json!({ "seconds": self.took.as_secs(), "violations": self.violations().len(), "cells": cells })
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cells, seconds) = (self.squares.len(), self.took.as_secs());
        writeln!(f, "# Fault matrix\n")?;
        writeln!(f, "{cells} bookings in {seconds} s, {} of which broke a rule.\n", self.violations().len())?;
        for mode in Mode::ALL {
            writeln!(f, "## The buyer {}\n", if mode == Mode::AtOnce { "is charged at once" } else { "pays later" })?;
            let columns: Vec<_> = Trouble::ALL.iter().map(ToString::to_string).collect();
            writeln!(f, "| state | {} |", columns.join(" | "))?;
            writeln!(f, "|---|{}", "---|".repeat(columns.len()))?;
            for state in &self.states {
                let row: Vec<_> = Trouble::ALL.iter().map(|trouble| self.square(state, mode, *trouble)).collect();
                writeln!(f, "| {state} | {} |", row.join(" | "))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "Each word is where the bookings ended; ×n: one booking for each write of the step's program.")?;
        writeln!(
            f,
            "*no undo*: the state has none, by its own comment. *not met*: no booking of this kind comes there; who is"
        )?;
        writeln!(
            f,
            "charged at once is not waited for. *·*: not in this sample. {} call nothing,",
            self.others.join(", ")
        )?;
        writeln!(f, "so that nothing goes wrong there from outside.")
    }
}
