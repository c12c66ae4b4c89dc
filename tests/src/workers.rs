//! The emulator's Lambda processes, to be killed: what a crash of the machine that runs a function looks like from outside.
//!
//! Only processes named `bootstrap` (what a custom runtime's program is called) below the processes whose ids `make up` wrote to
//! `.local/run/` are touched, each by its id. Reads `/proc`, so Linux only.

use crate::{Failure, Outcome, ensure, stack::Stack};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Kills every Lambda process of this local stack, without a chance to finish what it does, and says how many there were.
///
/// # Errors
/// When there is no local stack on this machine, or no process can be looked at.
pub fn kill(stack: &Stack) -> Outcome<usize> {
    let workers = find(stack)?;
    if workers.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = workers.iter().map(u32::to_string).collect();
    // A process that has gone in the meantime makes `kill` report an error and kill the others all the same.
    Command::new("kill").arg("-9").args(&ids).output().map_err(|error| Failure::of("running kill", &error))?;
    Ok(workers.len())
}

fn find(stack: &Stack) -> Outcome<Vec<u32>> {
    let started = started_by_make_up(stack)?;
    let parents = parents()?;
    let below_the_stack = |mut process: u32| {
        while let Some(parent) = parents.get(&process) {
            if started.contains(parent) {
                return true;
            }
            process = *parent;
        }
        false
    };
    Ok(parents.keys().copied().filter(|process| is_bootstrap(*process) && below_the_stack(*process)).collect())
}

/// A server's pid file, as `localstack/boxoffice_local/processes.py` writes it.
#[derive(Debug, Deserialize)]
struct Server {
    pid: u32,
    /// When it started: with it a process id names one process for good.
    birth: String,
}

fn started_by_make_up(stack: &Stack) -> Outcome<Vec<u32>> {
    let folder = stack.folder.join("run");
    let files = fs::read_dir(&folder).map_err(|error| Failure::of(folder.display(), &error))?;
    let ids: Vec<u32> = files
        .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
        .filter_map(|text| serde_json::from_str::<Server>(&text).ok())
        .filter(|server| stat(server.pid).is_some_and(|stat| stat.birth == server.birth))
        .map(|server| server.pid)
        .collect();
    ensure!(
        !ids.is_empty(),
        "{} names no running process: killing Lambda processes needs the embedded emulator on this machine (`make up`)",
        folder.display()
    );
    Ok(ids)
}

/// The kernel's description of a process.
struct Stat {
    parent: u32,
    birth: String,
}

fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // `pid (name) state parent …`, and the name may hold anything, parentheses and spaces too.
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<_> = after_name.split_whitespace().collect();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, birth: (*fields.get(19)?).to_owned() })
}

/// Each process and its parent.
fn parents() -> Outcome<BTreeMap<u32, u32>> {
    let processes = fs::read_dir("/proc")
        .map_err(|error| Failure::of("looking for Lambda processes needs Linux's /proc", &error))?;
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(ids.filter_map(|process| Some((process, stat(process)?.parent))).collect())
}

fn is_bootstrap(process: u32) -> bool {
    let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
    let name = program.to_string_lossy();
    // A deployment that replaced the file while the process runs leaves a mark after its name.
    Path::new(name.trim_end_matches(" (deleted)")).file_name().is_some_and(|file| file == "bootstrap")
}
