//! Logging in and out, and what becomes of the tokens.

use boxoffice_e2e::{
    BoxOffice, Failure, Outcome, Person, Verdict, ensure,
    http::Reply,
    model::LogIn,
    race::at_once,
    story::{fresh, random},
    wait::{AFTER_ALL_RETRIES, Look, SOON, until},
};

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
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() -> Verdict {
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
async fn a_refresh_token_sent_twice_at_one_moment_works_at_most_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let log_in = house.buyer.log_in().await?;
    let replies = at_once(5, |_| {
        let request = house.api.refresh(&log_in.refresh_token);
        async move { request.send().await }
    })
    .await?;
    let renewed = replies.iter().filter(|reply| reply.got.status == 200).count();
    for reply in replies.iter().filter(|reply| reply.got.status != 200) {
        reply.got.refusal(401, "REFRESH_TOKEN_INVALID")?;
    }
    assert_eq!(renewed, 1);
    Ok(())
}

#[tokio::test]
async fn what_is_no_refresh_token_refreshes_nothing() -> Verdict {
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
async fn an_account_makes_who_guesses_its_password_wait() -> Verdict {
    let house = BoxOffice::open().await?;
    let (victim, bystander, address) = (house.somebody().await?, house.somebody().await?, an_address());
    let name = &victim.account.user.username;
    let guess = async || house.api.log_in(name, &fresh("guess")).from_address(&an_address()).send().await;

    // From ever other addresses: it is the account that is guessed at.
    let (guesses, told) = fail_until_told_to_wait(guess, 20).await?;
    retry_after(&told)?;
    assert!((3..=10).contains(&guesses), "told to wait after {guesses} guesses");

    // The right password has to wait as well, or a guess that is right would be told from one that is not.
    let right = async |person: &Person| {
        let Person { account, .. } = person;
        house.api.log_in(&account.user.username, &account.password).from_address(&address).send().await
    };
    retry_after(&right(&victim).await?)?;
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
async fn an_account_that_is_guessed_at_on_and_on_is_locked_for_minutes() -> Verdict {
    let house = BoxOffice::open().await?;
    let victim = house.somebody().await?;
    let (name, inside) = (&victim.account.user.username, victim.token().await?);
    let longest = until("the wait is one of minutes", AFTER_ALL_RETRIES, async || {
        let reply = house.api.log_in(name, &fresh("guess")).from_address(&an_address()).send().await?;
        let seconds = if reply.status == 429 { retry_after(&reply)? } else { 0 };
        Ok(Look::done_if(seconds > 60, seconds))
    })
    .await?;
    assert!(longest <= 3600, "locked for {longest} s: a way to lock others out");
    // Who is logged in stays so: a lock is no way to throw somebody out.
    me(&house, &inside).await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_has_to_wait_and_others_have_not() -> Verdict {
    let house = BoxOffice::open().await?;
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
