//! Every command of every runbook, run against the stack: what an operator is told to type at night works.
//!
//! A program of its own, after the others: it redrives whole queues.

use boxoffice_e2e::{
    Booking, BoxOffice, Failure, Outcome, Person, Verdict, ensure, mailbox::DEVICE_THAT_IS_GONE, story::Body,
};
use std::{collections::BTreeMap, fs, path::Path};

/// The commands of each page: what stands indented, begins with the command's name, and ends before its remark.
fn commands() -> Outcome<BTreeMap<String, Vec<Vec<String>>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
    let pages = fs::read_dir(&folder).map_err(|error| Failure::of("reading the runbooks", &error))?;
    let mut found = BTreeMap::new();
    for page in pages {
        let page = page.map_err(|error| Failure::of("reading the runbooks", &error))?.path();
        let text = fs::read_to_string(&page).map_err(|error| Failure::of("reading a runbook", &error))?;
        let lines = text.lines().filter(|line| line.starts_with("    ")).map(str::trim);
        let told = lines.filter_map(|line| line.strip_prefix("boxoffice ")).map(words).collect();
        found.insert(page.file_name().unwrap_or_default().to_string_lossy().into_owned(), told);
    }
    Ok(found)
}

/// As a shell takes them apart.
fn words(command: &str) -> Vec<String> {
    let command = command.split(" #").next().unwrap_or_default();
    let quoted = |(place, part): (usize, &str)| match place % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    };
    command.split('\'').enumerate().flat_map(quoted).collect()
}

/// The id of a message that could not be delivered.
async fn failed(house: &BoxOffice) -> Outcome<String> {
    let body = Body::user().with("notificationChannel", "PUSH").with("pushEndpoint", DEVICE_THAT_IS_GONE);
    let lost = Person::register_as(&house.api, &body).await?;
    house.verified(&lost).await?;
    let message = house.until_notified(&lost, 1).await?.pop();
    message.map(|message| message.id).ok_or_else(|| Failure::new("nobody was told that their device is gone"))
}

/// A booking whose saga says that its undo failed for good.
async fn stuck(house: &BoxOffice) -> Outcome<Booking> {
    let booking = house.show(10).await?.order(1).booked().await?;
    booking.until_awaited().await?;
    house.tables.record_as_stuck(booking.id()).await?;
    Ok(booking)
}

#[tokio::test]
async fn every_command_of_every_runbook_does_its_work() -> Verdict {
    let (house, pages) = (BoxOffice::open().await?, commands()?);
    ensure!(pages.len() >= 10, "there are more runbooks than {:?}", pages.keys());
    let mut ran = 0;
    for (page, commands) in pages {
        for command in commands {
            let booking = stuck(&house).await?;
            let message =
                if command.iter().any(|word| word == "ntf_…") { failed(&house).await? } else { String::new() };
            let filled = |word: &String| word.replace("tkt_…", booking.id()).replace("ntf_…", &message);
            let words: Vec<String> = command.iter().map(filled).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let told = house.terminal.run(&words).await?;
            ensure!(told.code == 0, "{page}: boxoffice {} ended with {}: {}", words.join(" "), told.code, told.answer);
            ran += 1;
        }
    }
    ensure!(ran >= 15, "the runbooks have more than {ran} commands");
    Ok(())
}

#[test]
fn a_command_is_taken_apart_as_a_shell_would() {
    assert_eq!(
        words("sagas redrive tkt_… --reason 'it answers again'     # one"),
        ["sagas", "redrive", "tkt_…", "--reason", "it answers again"]
    );
}
