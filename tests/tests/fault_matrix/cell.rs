//! One fault at one state: how it is planned, and where it must end.

use crate::{
    machine::{Machine, STUCK},
    plan::{Fault, Kind, Plan},
    route::{End, Mode, Reached, Route},
};
use boxoffice_e2e::{Card, Failure, Outcome, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The faults: the columns of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    BusinessError,
    TransientOnce,
    TransientForEver,
    Timeout,
    CrashBeforeWrite,
    CrashAfterWrite,
    DuplicateDelivery,
    FailingUndo,
    UndoRepeated,
}

impl Trouble {
    pub(crate) const ALL: [Self; 9] = [
        Self::BusinessError,
        Self::TransientOnce,
        Self::TransientForEver,
        Self::Timeout,
        Self::CrashBeforeWrite,
        Self::CrashAfterWrite,
        Self::DuplicateDelivery,
        Self::FailingUndo,
        Self::UndoRepeated,
    ];

    /// Whether it happens at each write by itself.
    fn is_a_crash(self) -> bool {
        matches!(self, Self::CrashBeforeWrite | Self::CrashAfterWrite)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BusinessError => "business error",
            Self::TransientOnce => "transient once",
            Self::TransientForEver => "transient for ever",
            Self::Timeout => "timeout",
            Self::CrashBeforeWrite => "crash before write",
            Self::CrashAfterWrite => "crash after write",
            Self::DuplicateDelivery => "duplicate delivery",
            Self::FailingUndo => "failing undo",
            Self::UndoRepeated => "undo repeated",
        })
    }
}

/// A booking to be lived through.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) state: String,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) route: Route,
    pub(crate) plan: Plan,
    /// The buyer's card, and when they pay.
    pub(crate) card: Option<Card>,
    /// Where it may end.
    pub(crate) ends: BTreeSet<End>,
    /// At which of the state's writes, where that matters.
    pub(crate) write: Option<usize>,
    /// The events that must have happened, or the cell shows nothing.
    pub(crate) evidence: Option<(String, Kind)>,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(trouble) = self.trouble else { return write!(f, "{}", self.route) };
        write!(f, "{} × {trouble}", self.state)?;
        if let Some(write) = self.write {
            write!(f, " {write}")?;
        }
        write!(f, " ({})", self.route)
    }
}

impl Cell {
    /// A route, to see where it leads.
    pub(crate) fn without_a_fault(route: Route) -> Self {
        Self {
            state: String::new(),
            trouble: None,
            route,
            plan: route.plan(),
            card: route.card(),
            ends: BTreeSet::from([route.end()]),
            write: None,
            evidence: None,
        }
    }

    /// This trouble at this state, on a route that meets it; nothing where the machine itself says that there is no such thing.
    fn of(
        machine: &Machine,
        route: Route,
        state: &str,
        trouble: Trouble,
        write: Option<usize>,
    ) -> Outcome<Option<Self>> {
        let mut cell = Self { state: state.to_owned(), trouble: Some(trouble), write, ..Self::without_a_fault(route) };
        let way_back = machine.way_back(state)?;
        match trouble {
            Trouble::BusinessError => cell.refused(machine)?,
            Trouble::TransientOnce => cell.add(state, Fault::once(Kind::Outage)),
            Trouble::TransientForEver => {
                cell.add(state, Fault::always(Kind::Outage));
                cell.ends = cell.turned(machine);
            }
            Trouble::Timeout => {
                cell.add(state, Fault::once(Kind::Freeze));
                if route.end() == End::Completed {
                    // A local hold is shorter than a frozen step: when it is thawed, the seats may be free again.
                    cell.ends.insert(End::Compensated);
                }
            }
            Trouble::CrashBeforeWrite => cell.add(state, Fault::once(Kind::CrashBefore).at_write(write.unwrap_or(1))),
            Trouble::CrashAfterWrite => cell.add(state, Fault::once(Kind::CrashAfter).at_write(write.unwrap_or(1))),
            Trouble::DuplicateDelivery => cell.add(state, Fault::always(Kind::Duplicate)),
            Trouble::FailingUndo | Trouble::UndoRepeated if machine.has_no_undo(state) => return Ok(None),
            // The undo's own undo is an operator's: itself is what fails, or is repeated.
            Trouble::FailingUndo if machine.fails_to_an_operator(state) => cell.refused(machine)?,
            Trouble::UndoRepeated if machine.fails_to_an_operator(state) => {
                let last = write.unwrap_or(1);
                cell.add(state, Fault::once(Kind::CrashAfter).at_write(last));
                cell.add(state, Fault::always(Kind::Duplicate));
            }
            Trouble::FailingUndo => {
                let Some(undo) = way_back.iter().find(|state| **state != STUCK) else { return Ok(None) };
                cell.refused(machine)?;
                cell.add(undo, Fault::refusal("Unthought"));
                cell.evidence = Some(((*undo).to_owned(), Kind::Refusal));
                cell.ends = BTreeSet::from([End::NeedsAttention]);
            }
            Trouble::UndoRepeated => {
                cell.refused(machine)?;
                for undo in &way_back {
                    cell.add(undo, Fault::always(Kind::Duplicate));
                }
                cell.evidence = way_back.first().map(|undo| ((*undo).to_owned(), Kind::Duplicate));
            }
        }
        Ok(Some(cell))
    }

    /// Whether the state itself never does its work.
    pub(crate) fn fails_for_ever(&self) -> bool {
        let for_ever = |fault: &Fault| fault.times.is_none() && fault.kind != Kind::Duplicate;
        self.plan.get(&self.state).is_some_and(|faults| faults.iter().any(for_ever))
    }

    /// Adds a fault before those that send the booking its way, and looks for it afterwards.
    fn add(&mut self, state: &str, fault: Fault) {
        if self.evidence.is_none() {
            self.evidence = Some((state.to_owned(), fault.kind));
        }
        self.plan.entry(state.to_owned()).or_default().push(fault);
    }

    /// The state says no, for good.
    fn refused(&mut self, machine: &Machine) -> Outcome<()> {
        self.ends = self.turned(machine);
        if machine.waits_for_a_call(&self.state) {
            // The buyer's bank declines in its callback.
            self.card = Some(Card::Declined);
            self.ends = BTreeSet::from([End::Compensated]);
            return Ok(());
        }
        let state = self.state.clone();
        self.add(&state, Fault::refusal(&machine.refusal(&state)?));
        Ok(())
    }

    /// Where a booking ends whose state fails for good.
    fn turned(&self, machine: &Machine) -> BTreeSet<End> {
        if machine.waits_for_a_call(&self.state) {
            // The task token is never stored. Where a task waits on after its call has failed, the machine looks for itself when the hold ends; where it fails
            // with its call, as on AWS, the call is tried again until then. The buyer has paid in time or not.
            BTreeSet::from([End::Completed, End::Compensated])
        } else if machine.fails_to_an_operator(&self.state) {
            BTreeSet::from([End::NeedsAttention])
        } else {
            BTreeSet::from([End::Compensated])
        }
    }
}

/// Every cell there is.
///
/// # Errors
/// When no route meets a task of the machine.
pub(crate) fn all(machine: &Machine, reached: &[Reached]) -> Outcome<Vec<Cell>> {
    let mut cells = Vec::new();
    for state in machine.tasks() {
        let met = reached.iter().any(|way| way.states.contains_key(state));
        ensure!(met, "no route leads to {state}: say in tests/tests/fault_matrix/route.rs how a booking gets there");
        for mode in Mode::ALL {
            let way = reached.iter().find(|way| way.route.mode() == mode && way.states.contains_key(state));
            let Some(way) = way else { continue };
            let writes = way.states.get(state).copied().unwrap_or_default();
            ensure!(writes > 0, "{state} wrote nothing on the route {}", way.route);
            for trouble in Trouble::ALL {
                let at: Vec<Option<usize>> = match trouble {
                    trouble if trouble.is_a_crash() => (1..=writes).map(Some).collect(),
                    Trouble::UndoRepeated => vec![Some(writes)],
                    _ => vec![None],
                };
                for write in at {
                    cells.extend(Cell::of(machine, way.route, state, trouble, write)?);
                }
            }
        }
    }
    Ok(cells)
}

/// Some cells, in which every state and every trouble is: of each row two, a step further each time.
///
/// # Errors
/// When something is in none of them.
pub(crate) fn sample(cells: Vec<Cell>) -> Outcome<Vec<Cell>> {
    let known = |cells: &[Cell]| -> (BTreeSet<String>, BTreeSet<Option<Trouble>>) {
        (cells.iter().map(|cell| cell.state.clone()).collect(), cells.iter().map(|cell| cell.trouble).collect())
    };
    let everything = known(&cells);
    let mut rows: BTreeMap<(String, Mode), Vec<Cell>> = BTreeMap::new();
    for cell in cells {
        rows.entry((cell.state.clone(), cell.route.mode())).or_default().push(cell);
    }
    let mut chosen = Vec::new();
    for (number, row) in rows.into_values().enumerate() {
        let mut columns: Vec<Vec<Cell>> = Vec::new();
        for cell in row {
            match columns.last_mut() {
                Some(column) if column.last().is_some_and(|last| last.trouble == cell.trouble) => column.push(cell),
                _ => columns.push(vec![cell]),
            }
        }
        for step in [0, 4] {
            let place = (number + step).checked_rem(columns.len()).unwrap_or_default();
            let column = columns.get(place).cloned().unwrap_or_default();
            let write = number.checked_rem(column.len()).unwrap_or_default();
            chosen.extend(column.into_iter().nth(write));
        }
    }
    if known(&chosen) != everything {
        return Err(Failure::new("the sample leaves out a state or a fault"));
    }
    Ok(chosen)
}
