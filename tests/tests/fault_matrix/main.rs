//! The fault matrix: every task of the deployed booking saga × everything that can go wrong with it × whether the buyer is charged at once or pays later.
//!
//! | Module | Holds |
//! |---|---|
//! | [`machine`] | the deployed machine as data: which states there are, and which way its errors lead |
//! | [`plan`] | what goes wrong where, as the injectors read it, and what they say of it afterwards |
//! | [`route`] | ways through the machine, and the states on each |
//! | [`cell`] | one fault at one state: how it is planned, and where it must end |
//! | [`judge`] | one booking lived through, and every rule of it checked |
//! | [`grid`] | the outcome as a table |
//! | [`control`] | broken machines, of which the judge must say so |
//!
//! The rows come from the machine itself, so that a state added to it enters by itself; one that no route reaches fails. Faults enter in front of the
//! states' functions (`tests/faults/injector.py`), which `scripts/fault_matrix.py` puts there and takes away: this program needs it.

mod cell;
mod control;
mod grid;
mod judge;
mod machine;
mod plan;
mod route;

use boxoffice_e2e::{BoxOffice, Failure, Outcome, Verdict, ensure, tables::StoredEvent, wait::AFTER_ALL_RETRIES};
use cell::Cell;
use grid::{Grid, Square};
use judge::Lived;
use machine::Machine;
use plan::Folder;
use route::{Reached, Route};
use std::{env, sync::Arc, time::Instant};
use tokio::{
    sync::{Mutex, Semaphore},
    task::{JoinSet, LocalSet},
};

/// So many bookings at a time, unless `BOXOFFICE_FAULTS_AT_ONCE` says otherwise. Most of the time most of them wait.
const AT_ONCE: usize = 24;

/// There is one machine, and a broken one is broken for every booking.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn no_fault_at_any_state_breaks_a_booking() -> Verdict {
    let _turn = TURN.lock().await;
    LocalSet::new().run_until(whole_matrix()).await
}

async fn whole_matrix() -> Verdict {
    let started = Instant::now();
    let folder = Folder::of_the_injectors()?;
    let machine = Machine::read(&folder)?;
    let house = BoxOffice::open().await?;
    house.buyer.token().await?;
    let (all, squares, bus) = house
        .bus
        .listening(async |listener| {
            let reached = on_the_way(&house, &folder, &machine).await?;
            let all = cell::all(&machine, &reached)?;
            let cells = chosen(all.clone())?;
            println!("{} of {} cells", cells.len(), all.len());
            let squares = all_at_once(&house, &folder, &machine, cells).await;
            let stored: Vec<StoredEvent> = squares.iter().flat_map(|square| square.events.clone()).collect();
            // Each stored event was published at least once, despite the fault.
            let bus = listener.until_heard(&stored, AFTER_ALL_RETRIES).await;
            Ok((all, squares, bus))
        })
        .await?;
    let grid = Grid::of(&machine, &all, squares, started.elapsed());
    println!("{grid}");
    grid.keep(&house.stack)?;
    bus?;
    let violations = grid.violations();
    ensure!(violations.is_empty(), "{} cells break a rule:\n{}", violations.len(), violations.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_machine_that_breaks_a_rule_is_noticed() -> Verdict {
    let _turn = TURN.lock().await;
    let (folder, house) = (Folder::of_the_injectors()?, BoxOffice::open().await?);
    control::broken_machines_are_noticed(&house, &folder).await
}

/// Every route once without a fault of its own: which states it meets, and how often each writes.
async fn on_the_way(house: &BoxOffice, folder: &Folder, machine: &Machine) -> Outcome<Vec<Reached>> {
    let mut ways = JoinSet::new();
    for route in Route::all() {
        let (house, folder, machine) = (house.clone(), folder.clone(), machine.clone());
        ways.spawn_local(async move {
            let cell = Cell::without_a_fault(route);
            let lived = judge::live(&house, &folder, &machine, &cell).await?;
            ensure!(lived.fault.is_none(), "without a fault, {cell}: {}", lived.fault.unwrap_or_default());
            Ok(Reached { route, states: folder.writes_by_state(&lived.correlation_id)? })
        });
    }
    let mut reached = ways.join_all().await.into_iter().collect::<Outcome<Vec<_>>>()?;
    // A state is tried on the first route that meets it, whichever ended first.
    let routes = Route::all();
    reached.sort_by_key(|way| routes.iter().position(|route| *route == way.route));
    Ok(reached)
}

/// All cells, or with `BOXOFFICE_FAULT_MATRIX=sample` some, in which every state and every fault is.
fn chosen(cells: Vec<Cell>) -> Outcome<Vec<Cell>> {
    match env::var("BOXOFFICE_FAULT_MATRIX").as_deref() {
        Ok("sample") => cell::sample(cells),
        Ok("whole") | Err(_) => Ok(cells),
        Ok(other) => Err(Failure::new(format!("BOXOFFICE_FAULT_MATRIX is {other:?}, and neither whole nor sample"))),
    }
}

async fn all_at_once(house: &BoxOffice, folder: &Folder, machine: &Machine, cells: Vec<Cell>) -> Vec<Square> {
    let at_once = env::var("BOXOFFICE_FAULTS_AT_ONCE").ok().and_then(|number| number.parse().ok()).unwrap_or(AT_ONCE);
    let (turns, mut running, total) = (Arc::new(Semaphore::new(at_once)), JoinSet::new(), cells.len());
    for cell in cells {
        let (house, folder, machine, turns) = (house.clone(), folder.clone(), machine.clone(), turns.clone());
        running.spawn_local(async move {
            let _turn = turns.acquire_owned().await;
            let lived = judge::live(&house, &folder, &machine, &cell).await;
            let lived = lived.unwrap_or_else(|failure| Lived::cut_short(failure.to_string()));
            Square { cell, end: lived.end, fault: lived.fault, events: lived.events }
        });
    }
    let mut squares = Vec::new();
    while let Some(lived) = running.join_next().await {
        match lived {
            Ok(square) => {
                let how = square.fault.as_ref().map_or_else(|| "ok".to_owned(), |fault| format!("FAILED: {fault}"));
                println!("{:>4} of {total}  {}: {how}", squares.len() + 1, square.cell);
                squares.push(square);
            }
            Err(panic) => println!("a cell panicked: {panic}"),
        }
    }
    squares
}
