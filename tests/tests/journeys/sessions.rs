//! Logging in and out, and what becomes of the tokens.

use boxoffice_e2e::{
    BoxOffice, Failure, Outcome, Person, Verdict, ensure,
    http::Reply,
    model::LogIn,
    platform::{Ability, can},
    race::at_once,
    story::{fresh, random},
    wait::{AFTER_ALL_RETRIES, Look, SOON, until},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// An address that no other test fails to log in from. (Of the block for documentation and benchmarks, RFC 2544.)
pub(crate) fn an_address() -> String {
    format!("198.18.{}.{}", random(256), random(256))
}

async fn me(house: &BoxOffice, access_token: &str) -> Outcome<Reply> {
    house.api.get("/users/me").bearer(access_token).send().await
}

#[tokio::test]
async fn a_log_in_gives_tokens_and_says_for_how_long() -> Verdict {
    let house = BoxOffice::open().await?;
    let account = &house.buyer.account;

    for known_as in [&account.user.username, &account.user.email, &account.user.username.to_uppercase()] {
        let log_in: LogIn = house.api.log_in(known_as, &account.password).send().await?.answer(200)?;
        assert_eq!((log_in.token_type.as_str(), &log_in.user), ("Bearer", &account.user));
        assert!(log_in.expires_in <= 900, "an access token cannot be taken back, so it lasts minutes: {log_in:?}");
        assert!(log_in.refresh_expires_in > log_in.expires_in, "{log_in:?}");
        me(&house, &log_in.access_token).await?.with_status(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_told_alike() -> Verdict {
    let house = BoxOffice::open().await?;
    let (address, name) = (an_address(), &house.buyer.account.user.username);
    let wrong = house.api.log_in(name, "not my password").from_address(&address).send().await?;
    let unknown = house.api.log_in(&fresh("nobody"), "not my password").from_address(&address).send().await?;
    let (wrong, unknown) = (wrong.refusal(401, "INVALID_CREDENTIALS")?, unknown.refusal(401, "INVALID_CREDENTIALS")?);
    assert_eq!((wrong.detail, wrong.field), (unknown.detail, unknown.field));
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_that_was_copied_ends_its_session_and_no_other() -> Verdict {
    let house = BoxOffice::open().await?;
    let first = house.buyer.log_in().await?;
    let elsewhere = house.buyer.log_in().await?;

    let second: LogIn = house.api.refresh(&first.refresh_token).send().await?.answer(200)?;
    assert_ne!(first.refresh_token, second.refresh_token);
    let third: LogIn = house.api.refresh(&second.refresh_token).send().await?.answer(200)?;
    me(&house, &third.access_token).await?.with_status(200)?;

    // A thief, or the owner after a thief: nobody can tell, so both are out.
    house.api.refresh(&first.refresh_token).send().await?.refusal(401, "REFRESH_TOKEN_INVALID")?;
    house.api.refresh(&third.refresh_token).send().await?.refusal(401, "REFRESH_TOKEN_INVALID")?;
    me(&house, &third.access_token).await?.refusal(401, "TOKEN_REVOKED")?;
    // Another log-in of the same person is another family.
    me(&house, &elsewhere.access_token).await?.with_status(200)?;
    house.api.refresh(&elsewhere.refresh_token).send().await?.with_status(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_sent_twice_at_one_moment_gives_the_same_successor() -> Verdict {
    let house = BoxOffice::open().await?;
    let log_in = house.buyer.log_in().await?;
    let replies = at_once(5, |_| {
        let request = house.api.refresh(&log_in.refresh_token);
        async move { request.send().await }
    })
    .await?;
    let mut successors = BTreeSet::new();
    for reply in &replies {
        successors.insert(reply.got.answer::<LogIn>(200)?.refresh_token);
    }
    assert_eq!(successors.len(), 1);
    for successor in &successors {
        house.api.refresh(successor).send().await?.with_status(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_made_up_refresh_secret_ends_no_session() -> Verdict {
    let house = BoxOffice::open().await?;
    let log_in = house.buyer.log_in().await?;
    let (ids, secret) = log_in.refresh_token.rsplit_once('.').ok_or_else(|| Failure::new("a token of one part"))?;
    let made_up = format!("{ids}.{}", "A".repeat(secret.len()));
    house.api.refresh(&made_up).send().await?.refusal(401, "REFRESH_TOKEN_INVALID")?;
    me(&house, &log_in.access_token).await?.with_status(200)?;
    house.api.refresh(&log_in.refresh_token).send().await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_user_sees_their_sessions_and_ends_one_or_all() -> Verdict {
    let house = BoxOffice::open().await?;
    let person = house.somebody().await?;
    let (here, there) = (person.log_in().await?, person.log_in().await?);
    let path = format!("/users/{}/sessions", person.id());
    let list = async || house.api.get(&path).bearer(&here.access_token).send().await?.answer::<Value>(200);
    let listed = list().await?;
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    let current: Vec<_> = items.iter().map(|item| item["current"] == true).collect();
    assert!(current.starts_with(&[false, true]), "{listed}");

    let other = format!("{path}/{}", items[0]["id"].as_str().unwrap_or_default());
    house.api.delete(&other).bearer(&here.access_token).send().await?.with_status(204)?;
    me(&house, &there.access_token).await?.refusal(401, "TOKEN_REVOKED")?;
    house.api.delete(&other).bearer(&here.access_token).send().await?.refusal(404, "SESSION_NOT_FOUND")?;
    assert_eq!(list().await?["items"].as_array().map(Vec::len), Some(items.len() - 1));

    house.api.delete(&path).bearer(&here.access_token).send().await?.with_status(204)?;
    me(&house, &here.access_token).await?.refusal(401, "TOKEN_REVOKED")?;
    Ok(())
}

#[tokio::test]
async fn a_malformed_refresh_token_refreshes_nothing() -> Verdict {
    let house = BoxOffice::open().await?;
    let log_in = house.buyer.log_in().await?;
    let (access, mut changed) = (log_in.access_token.clone(), log_in.refresh_token.clone());
    let last = changed.pop();
    changed.push(if last == Some('A') { 'B' } else { 'A' });
    for token in [access.as_str(), changed.as_str(), "x", "a.b.c"] {
        let reply = house.api.refresh(token).send().await?;
        let refused = reply.refusal(401, "REFRESH_TOKEN_INVALID").or_else(|_| reply.refusal(400, "VALIDATION_ERROR"));
        assert!(refused.is_ok(), "{reply:?}");
    }
    Ok(())
}

#[tokio::test]
async fn logging_out_ends_this_session_and_no_other() -> Verdict {
    let house = BoxOffice::open().await?;
    let (here, there) = (house.buyer.log_in().await?, house.buyer.log_in().await?);

    house.api.post("/users/logout").bearer(&here.access_token).send().await?.with_status(204)?;

    me(&house, &here.access_token).await?.refusal(401, "TOKEN_REVOKED")?;
    house.api.refresh(&here.refresh_token).send().await?.refusal(401, "REFRESH_TOKEN_INVALID")?;
    me(&house, &there.access_token).await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_log_in_that_names_the_session_before_it_ends_that_one_and_no_other() -> Verdict {
    let house = BoxOffice::open().await?;
    let (before, other) = (house.buyer.log_in().await?, house.buyer.log_in().await?);
    let account = &house.buyer.account;

    let again = json!({
        "username": account.user.username, "password": account.password, "refreshToken": before.refresh_token,
    });
    let log_in: LogIn = house.api.post("/users/login").json(&again).send().await?.answer(200)?;

    me(&house, &before.access_token).await?.refusal(401, "TOKEN_REVOKED")?;
    me(&house, &log_in.access_token).await?.with_status(200)?;
    me(&house, &other.access_token).await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_new_password_ends_every_session() -> Verdict {
    let house = BoxOffice::open().await?;
    let (person, new) = (house.somebody().await?, fresh("a new secret"));
    let (here, there) = (person.log_in().await?, person.log_in().await?);
    let change = |current: &str, new: &str| {
        let request = house.api.change_password(current, new);
        request.bearer(&here.access_token).from_address(&an_address())
    };

    change("not my password", &new).send().await?.refusal(401, "INVALID_CREDENTIALS")?;
    change(&person.account.password, "short").send().await?.refusal(400, "VALIDATION_ERROR")?;
    change(&person.account.password, "Password1").send().await?.refusal(400, "WEAK_PASSWORD")?;
    me(&house, &here.access_token).await?.with_status(200)?;
    change(&person.account.password, &new).send().await?.with_status(204)?;

    for log_in in [&here, &there] {
        me(&house, &log_in.access_token).await?.refusal(401, "TOKEN_REVOKED")?;
        house.api.refresh(&log_in.refresh_token).send().await?.refusal(401, "REFRESH_TOKEN_INVALID")?;
    }
    let name = &person.account.user.username;
    let old = house.api.log_in(name, &person.account.password).from_address(&an_address());
    old.send().await?.refusal(401, "INVALID_CREDENTIALS")?;
    house.api.log_in(name, &new).send().await?.with_status(200)?;
    Ok(())
}

/// Fails to log in until told to wait, and says how often that took.
async fn fail_until_told_to_wait(attempt: impl AsyncFn() -> Outcome<Reply>, at_most: usize) -> Outcome<(usize, Reply)> {
    for failed in 0..at_most {
        let reply = attempt().await?;
        if reply.status == 429 {
            return Ok((failed, reply));
        }
        reply.refusal(401, "INVALID_CREDENTIALS")?;
    }
    Err(Failure::new(format!("{at_most} wrong passwords, and nobody was told to wait")))
}

fn retry_after(reply: &Reply) -> Outcome<u32> {
    reply.refusal(429, "TOO_MANY_ATTEMPTS")?;
    let seconds = reply.header("retry-after").and_then(|text| text.parse().ok());
    seconds.filter(|seconds| *seconds >= 1).ok_or_else(|| Failure::new(format!("no Retry-After: {reply:?}")))
}

#[tokio::test]
async fn guesses_at_an_account_have_to_wait() -> Verdict {
    let house = BoxOffice::open().await?;
    let (victim, bystander, address) = (house.somebody().await?, house.somebody().await?, an_address());
    let name = &victim.account.user.username;
    let guess = async || house.api.log_in(name, &fresh("guess")).from_address(&an_address()).send().await;

    // From ever other addresses: it is the account that is guessed at.
    let (guesses, told) = fail_until_told_to_wait(&guess, 20).await?;
    retry_after(&told)?;
    assert!((3..=10).contains(&guesses), "told to wait after {guesses} guesses");

    // The right password has to wait as well, or a guess that is right would be told from one that is not.
    let right = async |person: &Person| {
        let Person { account, .. } = person;
        house.api.log_in(&account.user.username, &account.password).from_address(&address).send().await
    };
    until("the right password has to wait", SOON, async || {
        let reply = right(&victim).await?;
        if reply.status != 200 {
            return retry_after(&reply).map(|_| Look::Done(()));
        }
        // The first wait is short: on a slow machine it was over, and the guesser goes on.
        fail_until_told_to_wait(&guess, 20).await?;
        Ok(Look::NotYet("let in".to_owned()))
    })
    .await?;
    right(&bystander).await?.with_status(200)?;
    // Short at first: who mistyped gets in again.
    until("the wait is over", SOON, async || {
        let reply = right(&victim).await?;
        Ok(if reply.status == 200 { Look::Done(()) } else { Look::NotYet(format!("{}", retry_after(&reply)?)) })
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_guesser_is_locked_out_for_minutes_and_the_owner_is_not() -> Verdict {
    let house = BoxOffice::open().await?;
    let victim = house.somebody().await?;
    let (name, guesser) = (&victim.account.user.username, an_address());
    let device = victim.log_in().await?.device_token.ok_or_else(|| Failure::new("a log-in without a device token"))?;
    let longest = until("the wait is one of minutes", AFTER_ALL_RETRIES, async || {
        let reply = house.api.log_in(name, &fresh("guess")).from_address(&guesser).send().await?;
        let seconds = if reply.status == 429 { retry_after(&reply)? } else { 0 };
        Ok(Look::done_if(seconds > 60, seconds))
    })
    .await?;
    assert!(longest <= 3600, "locked out for {longest} s");
    // A device that the account knows does not wait, whatever address it has.
    let known = json!({ "username": name, "password": victim.account.password, "deviceToken": device });
    house.api.post("/users/login").json(&known).from_address(&guesser).send().await?.with_status(200)?;
    // Nor does a stranger's address for longer than documented.
    if !can(Ability::TellsAddresses, "that an owner elsewhere waits for seconds while a guesser waits for minutes")
        .await?
    {
        return Ok(());
    }
    let elsewhere = an_address();
    let log_in = async || house.api.log_in(name, &victim.account.password).from_address(&elsewhere).send().await;
    let reply = log_in().await?;
    if reply.status == 429 {
        let seconds = retry_after(&reply)?;
        assert!(seconds <= 30, "an owner is told to wait {seconds} s");
        until("the owner is let in", SOON, async || Ok(Look::done_if(log_in().await?.status == 200, ()))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_has_to_wait_and_others_have_not() -> Verdict {
    let house = BoxOffice::open().await?;
    // Where every caller has one address, the limit would meet everybody in every other test.
    if !can(Ability::TellsAddresses, "that an address which tries many accounts has to wait, and others have not")
        .await?
    {
        return Ok(());
    }
    let (address, account) = (an_address(), &house.buyer.account);
    let spray = async || house.api.log_in(&fresh("nobody"), "Summer2026!").from_address(&address).send().await;

    let (tries, told) = fail_until_told_to_wait(spray, 300).await?;
    retry_after(&told)?;
    assert!(tries >= 20, "an office behind one address is told to wait after {tries} tries");
    let log_in = house.api.log_in(&account.user.username, &account.password);
    retry_after(&log_in.clone().from_address(&address).send().await?)?;
    log_in.from_address(&an_address()).send().await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_right_password_costs_no_tries() -> Verdict {
    let house = BoxOffice::open().await?;
    let account = &house.somebody().await?.account;
    let address = an_address();
    for time in 0..15 {
        let log_in = house.api.log_in(&account.user.username, &account.password).from_address(&address);
        let reply = log_in.send().await?;
        ensure!(reply.status == 200, "log-in {time} of 15 with the right password: {reply:?}");
    }
    Ok(())
}
