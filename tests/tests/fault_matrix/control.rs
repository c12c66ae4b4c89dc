//! Machines that are deployed broken, each in one place: the bookings that go there must be found out.

use crate::{
    cell::Cell,
    judge,
    machine::Machine,
    plan::{Fault, Folder, Kind},
    route::{Mode, Route},
};
use boxoffice_e2e::{BoxOffice, Failure, Outcome, Verdict, ensure};
use serde_json::{Value, json};

/// One defect: what it is, how it is made, which booking meets it, and what the judge must speak of.
struct Defect {
    what: &'static str,
    /// A path into the definition, and what stands there then.
    place: &'static str,
    instead: Value,
    cell: Cell,
    told_by: &'static str,
}

fn turned_back() -> Cell {
    Cell::without_a_fault(Route::TurnedBack(Mode::AtOnce))
}

fn defects() -> [Defect; 4] {
    let mut outage = turned_back();
    outage.plan.insert("Reverse Payment".to_owned(), vec![Fault::once(Kind::Outage)]);
    [
        Defect {
            what: "an error that skips the refund",
            place: "/States/Confirm Ticket/Catch/0/Next",
            instead: json!("Release Hold"),
            cell: turned_back(),
            told_by: "its payment",
        },
        Defect {
            what: "a way back that skips the seats",
            place: "/States/Reverse Payment/Next",
            instead: json!("Cancel Ticket"),
            cell: turned_back(),
            told_by: "the seats are",
        },
        Defect {
            what: "a Catch without States.ALL",
            place: "/States/Confirm Ticket/Catch/0/ErrorEquals",
            instead: json!(["HoldLost"]),
            cell: turned_back(),
            told_by: "the execution FAILED",
        },
        Defect {
            what: "a refund without Retry",
            place: "/States/Reverse Payment/Retry",
            instead: json!([]),
            cell: outage,
            told_by: "it ended operator",
        },
    ]
}

/// Deploys each defect for one booking, and takes it back.
pub(crate) async fn broken_machines_are_noticed(house: &BoxOffice, folder: &Folder) -> Verdict {
    let (sound, machine) = (house.machine.definition().await?, Machine::read(folder)?);
    for Defect { what, place, instead, cell, told_by } in defects() {
        house.machine.redefine(&broken(&sound, place, instead)?).await?;
        let lived = judge::live(house, folder, &machine, &cell).await;
        house.machine.redefine(&sound).await?;
        let fault = lived?.fault.unwrap_or_default();
        ensure!(fault.contains(told_by), "{what} was not noticed as such: {fault:?}");
        println!("{what} is noticed: {fault}");
    }
    // The machine as it was, and nothing to notice.
    let lived = judge::live(house, folder, &machine, &turned_back()).await?;
    ensure!(lived.fault.is_none(), "without a defect: {lived:?}");
    Ok(())
}

fn broken(sound: &str, place: &str, instead: Value) -> Outcome<String> {
    let mut definition: Value = serde_json::from_str(sound).map_err(|error| Failure::of("the definition", &error))?;
    let part = definition.pointer_mut(place);
    *part.ok_or_else(|| Failure::new(format!("the machine has nothing at {place}")))? = instead;
    Ok(definition.to_string())
}
