//! Secrets stay secret: no answer, no event, no line of a log and no mail has a password in it, or what is kept of one, a token, or what a buyer
//! pays with.

use crate::sessions::an_address;
use boxoffice_e2e::{
    BoxOffice, Card, Failure, Outcome, Person, Verdict, ensure,
    http::Seen,
    logs::Since,
    model::LogIn,
    story::{Body, fresh, random},
    wait::{Look, SOON, until},
};
use serde_json::{Value, json};

/// The texts that must not be found, and the calls whose answers are there to give them.
struct Secret {
    what: &'static str,
    text: String,
    given_by: &'static [&'static str],
}

const TOKENS_ARE_GIVEN_BY: &[&str] = &["/users/login", "/users/refresh"];

fn secret(what: &'static str, text: impl Into<String>) -> Secret {
    Secret { what, text: text.into(), given_by: &[] }
}

fn token(what: &'static str, text: &str) -> Secret {
    Secret { what, text: text.to_owned(), given_by: TOKENS_ARE_GIVEN_BY }
}

/// A text of this place that has this word in it.
fn found<'a>(texts: &'a [String], word: &str) -> Option<&'a String> {
    texts.iter().find(|text| text.contains(word))
}

/// Somebody's whole story, and the secrets of it. The last call is known by this correlation id.
async fn a_story_with_secrets(house: &BoxOffice, last: &str) -> Outcome<(Vec<Secret>, String)> {
    let person = Person::register_as(&house.api, &Body::user()).await?;
    let (old, new) = (person.account.password.clone(), fresh("a new secret"));
    let first = person.log_in().await?;
    let second: LogIn = house.api.refresh(&first.refresh_token).send().await?.answer(200)?;
    let again: LogIn = house.api.refresh(&first.refresh_token).send().await?.answer(200)?;
    assert_eq!(again.refresh_token, second.refresh_token, "a lost answer can be fetched again");
    let third = person.log_in().await?;
    let change = house.api.change_password(&old, &new).bearer(&third.access_token);
    change.send().await?.with_status(204)?;
    let mut account = person.account.clone();
    account.password.clone_from(&new);
    let person = Person::with(account, &house.api);

    // Text typed into the wrong field, or mistyped, is a secret too.
    let (short, number, wrong) = (format!("q{:06}", random(1_000_000)), unguessable_number(), fresh("a wrong secret"));
    for bad in [json!(short), json!(number), json!([wrong]), json!({ "secret": wrong })] {
        let body = Body::user().with("password", bad.clone());
        house.api.post("/users").json(&body.json()).send().await?.with_status(400)?;
        let log_in = json!({ "username": person.account.user.username, "password": bad });
        house.api.post("/users/login").json(&log_in).from_address(&an_address()).send().await?;
    }
    house.api.log_in(&wrong, &wrong).from_address(&an_address()).send().await?.with_status(401)?;
    let misplaced = Body::user().with("firstName", json!({ "password": wrong })).with("password", wrong.clone());
    house.api.post("/users").json(&misplaced.json()).send().await?.with_status(400)?;

    house.verified(&person).await?;
    let show = house.show(5).await?;
    let booking = show.order_of(&person, 1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    let later = show.order_of(&person, 1).booked().await?;
    later.until_awaited().await?;
    later.pay(Card::Good).await?.with_status(200)?;
    later.until_confirmed().await?;
    let declined = show.order_of(&person, 1).paid_with(Card::Declined).booked().await?;
    declined.declined_for_good().await?;
    house.until_notified(&person, 6).await?;
    person.get("/users/me").header("X-Correlation-Id", last).send().await?.with_status(200)?;

    let key: Value = serde_json::from_str(&house.parameter("token-private-key").await?)
        .map_err(|error| Failure::of("the private key of tokens", &error))?;
    let secrets = vec![
        secret("the first password", old),
        secret("the new password", new),
        secret("a password that was too short", short),
        secret("a password that was a number", number.to_string()),
        secret("a wrong password", wrong),
        secret("what is kept of a password", "$argon2"),
        secret("the key that signs tokens", key.get("pkcs8").and_then(Value::as_str).unwrap_or_default()),
        secret("a card", Card::Good.token()),
        secret("a declined card", Card::Declined.token()),
        token("an access token", &first.access_token),
        token("a renewed access token", &second.access_token),
        token("a later access token", &third.access_token),
        token("a refresh token", &first.refresh_token),
        token("a renewed refresh token", &second.refresh_token),
    ];
    ensure!(secrets.iter().all(|secret| secret.text.len() >= 7), "a secret is too short to be looked for");
    Ok((secrets, booking.id().to_owned()))
}

fn unguessable_number() -> u64 {
    u64::from(random(900_000_000)) * 1_000_000_000 + u64::from(random(1_000_000_000)) + 1_000_000_000_000_000
}

#[tokio::test]
async fn nothing_that_is_said_or_kept_to_be_read_has_a_secret_in_it() -> Verdict {
    let since = Since::now();
    let (seen, planted) = (Seen::default(), fresh("planted"));
    let house = BoxOffice::open_noting(&seen).await?;
    let (secrets, ticket_id) = a_story_with_secrets(&house, &planted).await?;
    let lines = until("the last call is in the logs", SOON, async || {
        let lines = house.logs.lines(since).await?;
        Ok(if found(&lines, &planted).is_some() {
            Look::Done(lines)
        } else {
            Look::NotYet(format!("{} lines without it", lines.len()))
        })
    })
    .await?;
    let events = house.tables.details().await?;
    let executions = house.machine.executions_about(&ticket_id).await?;
    let inputs: Vec<String> = executions.into_iter().map(|execution| execution.input).collect();
    let replies = seen.replies();
    let answers: Vec<String> = replies.iter().map(|reply| format!("{reply:?}")).collect();

    // The search finds what is there to be found: else it would find nothing of anything.
    assert!(found(&lines, &planted).is_some() && lines.iter().any(|line| line.starts_with("login: ")));
    for (place, texts) in [("event", &events), ("input of the saga", &inputs), ("answer", &answers)] {
        assert!(found(texts, &ticket_id).is_some(), "no {place} of the very ticket was looked at");
    }
    for Secret { what, text, given_by } in &secrets {
        for (place, texts) in [("line of a log", &lines), ("event", &events), ("input of the saga", &inputs)] {
            let place = found(texts, text).map(|found| format!("{what} is in a {place}: {found}"));
            assert_eq!(place, None);
        }
        for (reply, answer) in replies.iter().zip(&answers) {
            let meant_to = given_by.iter().any(|path| reply.what.ends_with(path));
            assert!(meant_to || !answer.contains(text), "{what} is in the answer to {}: {answer}", reply.what);
        }
        if !given_by.is_empty() {
            assert!(found(&answers, text).is_some(), "{what} was never given, so this proves nothing");
        }
    }
    Ok(())
}
