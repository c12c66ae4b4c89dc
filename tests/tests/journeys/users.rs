//! Accounts: who may have one, see one, change one and end one.

use crate::sessions::an_address;
use boxoffice_e2e::{
    BoxOffice, Card, Outcome, Person, Verdict, ensure,
    model::{LogIn, User},
    race::at_once,
    story::{Body, fresh, fresh_id},
    wait::{Look, SOON, until},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_new_user_has_role_user_and_sees_itself() -> Verdict {
    let house = BoxOffice::open().await?;
    let body = Body::user().with("notificationChannel", "SMS").with("phone", "+14155550123");

    let reply = house.api.post("/users/register").json(&body.json()).send().await?;
    let user: User = reply.answer(201)?;

    let location = reply.header("location").unwrap_or_default();
    assert!(location.ends_with(&format!("/users/{}", user.id)), "Location: {location}");
    assert_eq!((user.role.as_str(), user.notification_channel.as_str(), user.version), ("USER", "SMS", 1));
    let log_in: LogIn = house.api.log_in(&body.text("username"), &body.text("password")).send().await?.answer(200)?;
    let me: User = house.api.get("/users/me").bearer(&log_in.access_token).send().await?.answer(200)?;
    assert_eq!(me, user);
    assert_eq!(log_in.user, user);
    Ok(())
}

#[tokio::test]
async fn a_user_shows_exactly_what_is_promised() -> Verdict {
    let house = BoxOffice::open().await?;
    let body = Body::user().with("phone", "+14155550123");
    let reply = house.api.post("/users").json(&body.json()).send().await?;
    let fields: serde_json::Map<String, Value> = reply.answer(201)?;
    let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    let promised = BTreeSet::from([
        "id",
        "username",
        "email",
        "firstName",
        "lastName",
        "role",
        "notificationChannel",
        "phone",
        "version",
        "createdAt",
        "updatedAt",
    ]);
    assert_eq!(fields, promised);
    Ok(())
}

#[tokio::test]
async fn a_user_is_found_by_id_by_name_and_by_address() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = &house.buyer;

    for path in [
        format!("/users/{}", me.id()),
        format!("/users/username/{}", me.account.user.username),
        format!("/users/email/{}", me.email()),
    ] {
        let found: User = me.get(&path).send().await?.answer(200)?;
        assert_eq!(found, me.account.user, "{path}");
        assert_eq!(house.admin.get(&path).send().await?.answer::<User>(200)?, me.account.user, "{path}");
    }
    let looked_up = me.post("/users/lookup").json(&json!({ "email": me.email() })).send().await?;
    assert_eq!(looked_up.answer::<User>(200)?, me.account.user);
    Ok(())
}

#[tokio::test]
async fn a_name_is_used_once_however_it_is_spelled_and_an_address_is_its_readers() -> Verdict {
    let house = BoxOffice::open().await?;
    let taken = &house.buyer.account.user;
    for (field, value, code) in [
        ("username", taken.username.clone(), "USERNAME_TAKEN"),
        ("username", taken.username.to_uppercase(), "USERNAME_TAKEN"),
    ] {
        let body = Body::user().with(field, value);
        let problem = house.api.post("/users").json(&body.json()).send().await?.refusal(409, code)?;
        assert_eq!(problem.field.as_deref(), Some(field));
    }
    let (somebody, other) = (house.somebody().await?, house.somebody().await?);
    let rename = somebody.put_user(somebody.id(), &json!({ "username": other.account.user.username }));
    rename.send().await?.refusal(409, "USERNAME_TAKEN")?;

    // Whether an address is anybody's is not said: registering with one and changing to one answer alike.
    house.verified(&other).await?;
    for email in [other.email().to_uppercase(), format!("{}@example.org", fresh("nobody"))] {
        let stranger = Person::register_as(&house.api, &Body::user().with("email", email.clone())).await?;
        let waiting: Value = stranger.put_user(stranger.id(), &json!({ "email": email })).send().await?.answer(200)?;
        assert_eq!((&waiting["email"], &waiting["emailVerifiedAt"]), (&json!(email), &json!(null)));
        house.api.log_in(&email, &stranger.account.password).send().await?.with_status(200)?;
    }
    let log_in: LogIn = house.api.log_in(other.email(), &other.account.password).send().await?.answer(200)?;
    assert_eq!(log_in.user.id, other.id());
    // The reader of the address proves it once, and no other account is given it.
    let late = Person::register_as(&house.api, &Body::user().with("email", other.email())).await?;
    let ask = || late.post("/users/me/email-verification");
    ask().send().await?.with_status(204)?;
    let proof = until("the other account's token has come", SOON, async || {
        let mails = house.mailbox.mails_to(other.email()).await?;
        let verifying: Vec<_> = mails.iter().filter(|mail| mail.subject.contains("Verify")).collect();
        let second = verifying.get(1).and_then(|mail| mail.body_text.lines().find(|line| line.len() == 43));
        Ok(Look::done_if(second.is_some(), second.unwrap_or_default().to_owned()))
    })
    .await?;
    let verify = house.api.post("/users/email-verification").json(&json!({ "token": proof }));
    verify.send().await?.refusal(409, "EMAIL_TAKEN")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_concurrent_registrations_gets_the_username() -> Verdict {
    let house = BoxOffice::open().await?;
    let name = fresh("twin");
    let replies = at_once(6, |_| {
        let request = house.api.post("/users").json(&Body::user().with("username", name.clone()).json());
        async move { request.send().await }
    })
    .await?;
    let mut registered = 0;
    for reply in &replies {
        if reply.got.status == 201 {
            registered += 1;
        } else {
            reply.got.refusal(409, "USERNAME_TAKEN")?;
        }
    }
    assert_eq!(registered, 1);
    Ok(())
}

#[tokio::test]
async fn nobody_registers_as_more_than_a_user() -> Verdict {
    let house = BoxOffice::open().await?;
    for role in ["ADMIN", "MANAGER"] {
        let body = Body::user().with("role", role);
        let refused = house.api.post("/users").json(&body.json()).send().await?.refusal(403, "FORBIDDEN")?;
        assert_eq!(refused.field.as_deref(), Some("role"));
        // Nor is there an account now that only lacks the role.
        let name = body.text("username");
        house.admin.get(&format!("/users/username/{name}")).send().await?.refusal(404, "USER_NOT_FOUND")?;
    }
    // Clients of the reference send it.
    let user: User =
        house.api.post("/users").json(&Body::user().with("role", "USER").json()).send().await?.answer(201)?;
    assert_eq!(user.role, "USER");
    Ok(())
}

#[tokio::test]
async fn only_an_admin_grants_a_role_and_that_ends_the_log_ins_before_it() -> Verdict {
    let house = BoxOffice::open().await?;
    let somebody = house.somebody().await?;
    let before = somebody.token().await?;
    let promote = |by: &Person| by.put_user(somebody.id(), &json!({ "role": "MANAGER" }));

    promote(&somebody).send().await?.refusal(403, "FORBIDDEN")?;
    promote(&house.buyer).send().await?.refusal(403, "FORBIDDEN")?;
    promote(&house.manager).send().await?.refusal(403, "FORBIDDEN")?;
    assert_eq!(house.admin.user(somebody.id()).await?.role, "USER");

    let manager = somebody.clone().made("MANAGER", &house.admin).await?;
    assert_eq!(manager.account.user.role, "MANAGER");
    house.api.get("/users/me").bearer(&before).send().await?.refusal(401, "TOKEN_REVOKED")?;
    manager.post_inventory(&Body::show(1).json()).send().await?.with_status(201)?;
    Ok(())
}

#[tokio::test]
async fn absent_fields_of_an_account_change_keep_their_values() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    let change = |body: Value| me.put_user(me.id(), &body);

    let with_phone: User = change(json!({ "phone": "+14155550123" })).send().await?.answer(200)?;
    let renamed: User =
        change(json!({ "firstName": "Kim", "version": with_phone.version })).send().await?.answer(200)?;
    assert_eq!((renamed.first_name.as_str(), renamed.phone.as_deref()), ("Kim", Some("+14155550123")));
    assert_eq!((renamed.last_name, renamed.email), (me.account.user.last_name.clone(), me.email().to_owned()));
    change(json!({ "firstName": "Late", "version": 1 })).send().await?.refusal(409, "VERSION_CONFLICT")?;
    let without: User = change(json!({ "phone": null })).send().await?.answer(200)?;
    assert_eq!(without.phone, None);
    assert_eq!(me.user(me.id()).await?, without);
    Ok(())
}

#[tokio::test]
async fn a_changed_name_is_free_at_once_and_a_changed_address_once_the_new_one_is_verified() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    let (name, address) = (fresh("new"), format!("{}@example.org", fresh("new")));
    house.verified(&me).await?;
    let token = me.token().await?;
    let change = house.api.put_user(me.id(), &json!({ "username": name, "email": address })).bearer(&token);
    let waiting: Value = change.send().await?.answer(200)?;
    assert_eq!((&waiting["email"], &waiting["pendingEmail"]), (&json!(me.email()), &json!(address)));
    let password = &me.account.password;
    for known_as in [name.as_str(), me.email()] {
        house.api.log_in(known_as, password).send().await?.with_status(200)?;
    }
    house
        .api
        .log_in(&address, password)
        .from_address(&an_address())
        .send()
        .await?
        .refusal(401, "INVALID_CREDENTIALS")?;

    house.api.post("/users/me/email-verification").bearer(&token).send().await?.with_status(204)?;
    let mail = house.mailbox.until_mailed_about(&address, "Verify your email address").await?;
    let proof = mail.body_text.lines().find(|line| line.len() == 43).unwrap_or_default();
    let verify = || house.api.post("/users/email-verification").json(&json!({ "token": proof }));
    verify().send().await?.with_status(204)?;
    verify().send().await?.refusal(400, "PROOF_INVALID")?;
    house.api.log_in(&address, password).send().await?.with_status(200)?;
    let old = house.api.log_in(me.email(), password).from_address(&an_address());
    old.send().await?.refusal(401, "INVALID_CREDENTIALS")?;

    let successor = Body::user().with("username", me.account.user.username.clone()).with("email", me.email());
    let successor = Person::register_as(&house.api, &successor).await?;
    assert_eq!(successor.email(), me.email());
    Ok(())
}

#[tokio::test]
async fn an_account_with_a_bad_field_is_not_made() -> Verdict {
    let house = BoxOffice::open().await?;
    let long = |length: usize| json!("x".repeat(length));
    let bad = [
        ("username", vec![json!("ab"), long(51), json!("has space"), json!("a@b.example"), json!(""), json!(7)]),
        ("email", vec![json!("nobody"), json!("a@b"), json!(""), long(260), json!(null)]),
        ("password", vec![json!("short"), long(129), json!(""), json!(12_345_678)]),
        ("firstName", vec![json!(""), long(51), json!("a\nb")]),
        ("lastName", vec![json!(""), long(51)]),
        ("notificationChannel", vec![json!("PIGEON"), json!("email")]),
        ("phone", vec![json!("0123"), json!("+0123456789"), json!("call me")]),
        ("pushEndpoint", vec![json!("arn:aws:sqs:us-east-1:000000000000:queue"), json!("device")]),
    ];
    for (field, values) in bad {
        for value in values {
            let case = format!("POST /users with {field} = {value}");
            let body = Body::user().with(field, value);
            let reply = house.api.post("/users").json(&body.json()).send().await?;
            let problem = reply.refusal(400, "VALIDATION_ERROR").map_err(|failure| failure.during(&case))?;
            assert_eq!(problem.field.as_deref(), Some(field), "{case}");
        }
    }
    for field in ["username", "email", "password", "firstName", "lastName"] {
        let body = Body::user().without(field);
        let problem = house.api.post("/users").json(&body.json()).send().await?.refusal(400, "VALIDATION_ERROR")?;
        assert_eq!(problem.field.as_deref(), Some(field));
    }
    for field in ["id", "passwordHash", "version", "createdAt"] {
        let body = Body::user().with(field, 1);
        house.api.post("/users").json(&body.json()).send().await?.refusal(400, "UNKNOWN_FIELD")?;
    }
    Ok(())
}

#[tokio::test]
async fn a_deleted_account_is_gone_its_names_free_and_its_person_forgotten() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    let token = me.token().await?;
    let booking = house.show(5).await?.order_of(&me, 1).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    me.delete(&format!("/users/{}", me.id())).send().await?.refusal(409, "USER_HAS_TICKETS")?;
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;

    me.delete(&format!("/users/{}", me.id())).send().await?.with_status(204)?;

    house.admin.get(&format!("/users/{}", me.id())).send().await?.refusal(404, "USER_NOT_FOUND")?;
    house.api.get("/users/me").bearer(&token).send().await?.refusal(401, "TOKEN_REVOKED")?;
    let log_in = house.api.log_in(&me.account.user.username, &me.account.password).from_address(&an_address());
    log_in.send().await?.refusal(401, "INVALID_CREDENTIALS")?;
    nothing_personal_is_left(&house, &me).await?;
    // Money's record stays.
    let payment: Value = house.admin.get(&format!("/payments/{}", booking.payment_id())).send().await?.answer(200)?;
    assert_eq!(payment["status"], "REFUNDED");
    let successor = Body::user().with("username", me.account.user.username.clone()).with("email", me.email());
    Person::register_as(&house.api, &successor).await?;
    Ok(())
}

async fn nothing_personal_is_left(house: &BoxOffice, gone: &Person) -> Outcome<()> {
    let events = house.tables.events_of(gone.id()).await?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    ensure!(types == ["UserCreated", "UserDeleted"], "{} has the events {types:?}", gone.id());
    let stored: String = events.iter().map(|stored| stored.detail.as_str()).collect();
    for word in [gone.email(), &gone.account.user.username] {
        ensure!(!stored.contains(word), "{word} is still in the event store: {stored}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unpaid_hold_keeps_an_account_too() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    house.show(5).await?.order_of(&me, 1).booked().await?;
    house.admin.delete(&format!("/users/{}", me.id())).send().await?.refusal(409, "USER_HAS_TICKETS")?;
    assert_eq!(me.user(me.id()).await?, me.account.user);
    Ok(())
}

#[tokio::test]
async fn an_account_that_never_was_is_not_found() -> Verdict {
    let house = BoxOffice::open().await?;
    let id = fresh_id("usr");
    house.admin.get(&format!("/users/{id}")).send().await?.refusal(404, "USER_NOT_FOUND")?;
    house.admin.put_user(&id, &json!({ "firstName": "No" })).send().await?.refusal(404, "USER_NOT_FOUND")?;
    house.admin.delete(&format!("/users/{id}")).send().await?.refusal(404, "USER_NOT_FOUND")?;
    // Whether there is one is nobody else's business.
    house.buyer.get(&format!("/users/{id}")).send().await?.refusal(403, "FORBIDDEN")?;
    Ok(())
}

#[tokio::test]
async fn every_change_of_an_account_is_told_once_and_in_order() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    me.put_user(me.id(), &json!({ "lastName": "Changed" })).send().await?.with_status(200)?;

    let events = house.tables.events_of(me.id()).await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let types: Vec<_> = events.iter().map(|stored| stored.event.metadata.event_type.as_str()).collect();
    assert_eq!(types, ["UserCreated", "UserUpdated"]);
    Ok(())
}

#[tokio::test]
async fn a_suspended_user_is_out_until_an_admin_reinstates_them() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    let token = me.token().await?;
    let act = |verb: &str| house.admin.post(&format!("/users/{}/{verb}", me.id())).json(&json!({ "reason": "A test" }));

    let suspended: Value = act("suspend").send().await?.answer(200)?;
    assert_eq!(suspended["suspension"]["reason"], "A test");
    house.api.get("/users/me").bearer(&token).send().await?.refusal(401, "TOKEN_REVOKED")?;
    let log_in = || house.api.log_in(&me.account.user.username, &me.account.password);
    log_in().send().await?.refusal(403, "ACCOUNT_SUSPENDED")?;

    act("reinstate").send().await?.with_status(200)?;
    log_in().send().await?.with_status(200)?;
    let events = house.tables.events_of(me.id()).await?;
    events.iter().try_for_each(|event| house.contracts.check(event))?;
    let own = house.admin.post(&format!("/users/{}/suspend", house.admin.id())).json(&json!({ "reason": "A test" }));
    own.send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_demote_each_other_at_one_moment_leave_one() -> Verdict {
    let house = BoxOffice::open().await?;
    let ada = house.somebody().await?.made("ADMIN", &house.admin).await?;
    let grace = house.somebody().await?.made("ADMIN", &house.admin).await?;
    ada.token().await?;
    grace.token().await?;
    let replies = at_once(2, |number| {
        let (by, on) = if number == 0 { (&ada, &grace) } else { (&grace, &ada) };
        let request = by.put_user(on.id(), &json!({ "role": "USER" }));
        async move { request.send().await }
    })
    .await?;
    let demoted = replies.iter().filter(|reply| reply.got.status == 200).count();
    assert_eq!(demoted, 1, "{replies:?}");
    let left: Vec<_> = [house.admin.user(ada.id()).await?.role, house.admin.user(grace.id()).await?.role].into();
    assert_eq!(left.iter().filter(|role| *role == "ADMIN").count(), 1);
    for admin in [&ada, &grace] {
        house.admin.put_user(admin.id(), &json!({ "role": "USER" })).send().await?.with_status(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_mail_of_the_account_and_of_no_other() -> Verdict {
    let house = BoxOffice::open().await?;
    let me = house.somebody().await?;
    let ask = |email: &str| house.api.post("/users/password-reset").json(&json!({ "email": email }));
    ask(&format!("{}@example.org", fresh("nobody"))).send().await?.with_status(204)?;
    ask(me.email()).send().await?.with_status(204)?;

    let mail = house.mailbox.until_mailed_about(me.email(), "Your new password").await?;
    let token = mail.body_text.lines().find(|line| line.len() == 43).unwrap_or_default().to_owned();
    let confirm = |token: &str, password: &str| {
        let body = json!({ "token": token, "newPassword": password });
        house.api.post("/users/password-reset/confirm").json(&body)
    };
    let new = fresh("another secret");
    confirm("made up", &new).send().await?.refusal(400, "PROOF_INVALID")?;
    confirm(&token, "password1").send().await?.refusal(400, "WEAK_PASSWORD")?;
    confirm(&token, &new).send().await?.with_status(204)?;
    confirm(&token, &fresh("a third")).send().await?.refusal(400, "PROOF_INVALID")?;
    let log_in: LogIn = house.api.log_in(&me.account.user.username, &new).send().await?.answer(200)?;
    let shown: Value = house.api.get("/users/me").bearer(&log_in.access_token).send().await?.answer(200)?;
    assert!(shown["emailVerifiedAt"].is_string(), "{shown}");
    Ok(())
}
