//! A second factor, as its owner meets it: an app, its codes, and recovery codes.

use crate::sessions::an_address;
use boxoffice_e2e::{BoxOffice, Failure, Outcome, Person, Verdict, http::Reply, model::LogIn, story::fresh};
use ring::hmac;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// An authenticator app, which knows a secret as it was shown.
struct App {
    key: hmac::Key,
}

impl App {
    fn of(secret: &str) -> Outcome<Self> {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bits = Vec::new();
        for letter in secret.chars() {
            let value = ALPHABET.find(letter).ok_or_else(|| Failure::new(format!("{secret} is not Base32")))?;
            bits.extend((0..5).rev().map(|place| (value >> place) & 1 == 1));
        }
        let byte = |eight: &[bool]| eight.iter().fold(0_u8, |byte, bit| (byte << 1) | u8::from(*bit));
        let bytes: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes) })
    }

    /// The code that it shows now, or so many steps of 30 seconds later.
    fn code(&self, later: u64) -> Outcome<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| Failure::new(error.to_string()))?;
        let tag = hmac::sign(&self.key, &(now.as_secs() / 30 + later).to_be_bytes());
        let offset = usize::from(tag.as_ref().last().copied().unwrap_or_default() & 0xf);
        let four = tag.as_ref().iter().skip(offset).take(4);
        let number = four.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)) & 0x7fff_ffff;
        Ok(format!("{:06}", number % 1_000_000))
    }
}

async fn log_in(house: &BoxOffice, person: &Person, code: Option<&str>) -> Outcome<Reply> {
    let account = &person.account;
    let mut body = json!({ "username": account.user.username, "password": account.password });
    if let (Some(code), Some(fields)) = (code, body.as_object_mut()) {
        fields.insert("code".to_owned(), code.into());
    }
    house.api.post("/users/login").json(&body).from_address(&an_address()).send().await
}

/// Somebody enrols an app. Every session of theirs has ended then.
pub(crate) async fn enrol(house: &BoxOffice, person: &Person) -> Outcome<()> {
    let token = person.log_in().await?.access_token;
    let shown: Value = house.api.post("/users/me/second-factor").bearer(&token).send().await?.answer(200)?;
    let app = App::of(shown.get("secret").and_then(Value::as_str).unwrap_or_default())?;
    let confirm = house.api.post("/users/me/second-factor/confirm").json(&json!({ "code": app.code(0)? }));
    confirm.bearer(&token).send().await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_log_in_asks_for_the_code_of_an_enrolled_app_and_takes_a_recovery_code_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let person = house.somebody().await?;
    let first = person.log_in().await?;

    let begin = house.api.post("/users/me/second-factor").bearer(&first.access_token);
    let shown: Value = begin.send().await?.answer(200)?;
    let app = App::of(shown["secret"].as_str().unwrap_or_default())?;
    log_in(&house, &person, None).await?.with_status(200)?;
    let confirm = |code: &str| {
        let body = json!({ "code": code });
        house.api.post("/users/me/second-factor/confirm").json(&body).bearer(&first.access_token)
    };
    let mistyped = confirm(&fresh("x")).send().await?.refusal(400, "VALIDATION_ERROR")?;
    assert_eq!(mistyped.field.as_deref(), Some("code"));
    let confirmed: Value = confirm(&app.code(0)?).send().await?.answer(200)?;
    let recovery: Vec<&str> =
        confirmed["recoveryCodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(recovery.len(), 10, "{confirmed}");
    house.api.get("/users/me").bearer(&first.access_token).send().await?.refusal(401, "TOKEN_REVOKED")?;

    // The password alone opens nothing, and says nothing to who does not know it.
    log_in(&house, &person, None).await?.refusal(401, "SECOND_FACTOR_REQUIRED")?;
    let guess = house.api.log_in(&person.account.user.username, "not my password").from_address(&an_address());
    guess.send().await?.refusal(401, "INVALID_CREDENTIALS")?;

    // An app a step ahead: the code that confirmed it is used up.
    let code = app.code(1)?;
    let second: LogIn = log_in(&house, &person, Some(&code)).await?.answer(200)?;
    house.api.get("/users/me").bearer(&second.access_token).send().await?.with_status(200)?;
    log_in(&house, &person, Some(&code)).await?.refusal(401, "SECOND_FACTOR_INVALID")?;

    let third: LogIn = log_in(&house, &person, Some(recovery[0])).await?.answer(200)?;
    log_in(&house, &person, Some(recovery[0])).await?.refusal(401, "SECOND_FACTOR_INVALID")?;

    let remove = house.api.delete("/users/me/second-factor").bearer(&third.access_token);
    remove.send().await?.with_status(204)?;
    log_in(&house, &person, None).await?.with_status(200)?;
    Ok(())
}

#[tokio::test]
async fn an_admin_resets_the_second_factor_of_somebody_who_lost_it() -> Verdict {
    let house = BoxOffice::open().await?;
    let person = house.somebody().await?;
    enrol(&house, &person).await?;

    let admin = house.admin.log_in().await?.access_token;
    let path = format!("/users/{}/second-factor/reset", person.id());
    let reset =
        || house.api.post(&path).json(&json!({ "reason": "Lost the telephone; seen in person" })).bearer(&admin);
    reset().send().await?.with_status(204)?;
    reset().send().await?.refusal(409, "ILLEGAL_TRANSITION")?;
    log_in(&house, &person, None).await?.with_status(200)?;
    Ok(())
}
