//! From a confirmed booking to the door: admissions, their codes, devices and scans.

use boxoffice_e2e::{
    Booking, BoxOffice, Card, Failure, Outcome, SagaStatus, Show, Verdict, ensure, http::Request, story::fresh,
    tables::StoredEvent, wait::AFTER_ALL_RETRIES,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::task::JoinSet;

/// A list of a show with one enrolled device.
struct Door<'a> {
    house: &'a BoxOffice,
    list: String,
    device: String,
    token: String,
}

/// The text at this pointer of an answer.
fn text(answer: &Value, pointer: &str) -> Outcome<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("{answer} has no text at {pointer}")))
}

fn nonce() -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (fresh("scan"), salt).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

async fn admissions(house: &BoxOffice, booking: &Booking) -> Outcome<Vec<Value>> {
    let path = format!("/tickets/{}/admissions", booking.id());
    let page: Value = house.buyer.get(&path).send().await?.answer(200)?;
    Ok(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
}

impl<'a> Door<'a> {
    async fn open(house: &'a BoxOffice, show: &Show) -> Outcome<Self> {
        let path = format!("/inventory/{}/check-in-lists", show.id());
        // The show is weeks away, and the door is open today.
        let list = json!({
            "name": "Main entrance", "exits": true,
            "opensAt": "2020-01-01T00:00:00Z", "closesAt": "2099-01-01T00:00:00Z"
        });
        let list: Value = house.manager.post(&path).json(&list).send().await?.answer(201)?;
        let list = text(&list, "/id")?;
        let path = format!("/check-in-lists/{list}/devices");
        let device: Value = house.manager.post(&path).json(&json!({ "label": "North 1" })).send().await?.answer(201)?;
        let once = json!({ "token": text(&device, "/enrolment/token")? });
        let enrolled: Value = house.api.post("/devices/enrol").json(&once).send().await?.answer(200)?;
        house.api.post("/devices/enrol").json(&once).send().await?.refusal(400, "ENROLMENT_INVALID")?;
        Ok(Self { house, list, device: text(&device, "/id")?, token: text(&enrolled, "/token")? })
    }

    fn request(&self, code: &str, direction: &str, nonce: &str) -> Request {
        let scan = json!({ "code": code, "list": self.list, "nonce": nonce, "direction": direction });
        self.house.api.post("/check-ins").bearer(&self.token).json(&scan)
    }

    async fn scan_as(&self, code: &str, direction: &str, nonce: &str) -> Outcome<Value> {
        self.request(code, direction, nonce).send().await?.answer(200)
    }

    /// The verdict of a new scan, with its reason.
    async fn scan(&self, code: &str, direction: &str) -> Outcome<String> {
        let answer = self.scan_as(code, direction, &nonce()).await?;
        let reason = text(&answer, "/reason").map(|reason| format!(" {reason}")).unwrap_or_default();
        Ok(text(&answer, "/verdict")? + &reason)
    }

    async fn inside(&self) -> Outcome<u64> {
        let path = format!("/check-in-lists/{}/numbers", self.list);
        let numbers: Value = self.house.manager.get(&path).send().await?.answer(200)?;
        Ok(numbers.get("inside").and_then(Value::as_u64).unwrap_or(u64::MAX))
    }
}

/// A paid booking of two seats, with the codes of its admissions.
async fn paid(house: &BoxOffice, show: &Show) -> Outcome<(Booking, Vec<Value>, Vec<String>)> {
    let booking = show.order(2).paid_with(Card::Good).booked().await?;
    booking.until_confirmed().await?;
    let admissions = admissions(house, &booking).await?;
    let codes = admissions.iter().map(|admission| text(admission, "/code")).collect::<Outcome<_>>()?;
    Ok((booking, admissions, codes))
}

/// The events of a door: two admissions of which one enters and leaves and the other's entry is undone, a booking that is cancelled, a device that ends.
pub(crate) async fn events_of_a_door(house: &BoxOffice) -> Outcome<Vec<StoredEvent>> {
    let show = house.show(10).await?;
    let (_, admissions, codes) = paid(house, &show).await?;
    let (cancelled, revoked, _) = paid(house, &show).await?;
    cancelled.cancel().await?.with_status(202)?;
    cancelled.until_cancelled("CANCELLED_BY_BUYER").await?;
    let door = Door::open(house, &show).await?;
    let mut aggregates = vec![door.list.clone(), door.device.clone()];
    for (admission, code) in admissions.iter().zip(&codes) {
        let id = text(admission, "/id")?;
        ensure!(door.scan(code, "ENTRY").await? == "IN", "{admission} does not enter");
        if Some(admission) == admissions.first() {
            ensure!(door.scan(code, "EXIT").await? == "OUT", "{admission} does not leave");
            aggregates.push(id.clone());
        } else {
            let undo = house.manager.post(&format!("/check-in-lists/{}/undo", door.list));
            undo.json(&json!({ "admissionId": id })).send().await?.with_status(200)?;
        }
        aggregates.push(format!("{}:{id}", door.list));
    }
    house.manager.delete(&format!("/devices/{}", door.device)).send().await?.with_status(204)?;
    aggregates.extend(revoked.first().map(|admission| text(admission, "/id")).transpose()?);
    let mut stored = Vec::new();
    for aggregate in &aggregates {
        stored.extend(house.tables.events_of(aggregate).await?);
    }
    Ok(stored)
}

#[tokio::test]
async fn a_confirmed_booking_has_an_admission_a_seat_with_a_code_of_its_own() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let pending = show.order(1).booked().await?;
    let path = format!("/tickets/{}/admissions", pending.id());
    house.buyer.get(&path).send().await?.refusal(404, "ADMISSION_NOT_FOUND")?;

    let (booking, admissions, codes) = paid(&house, &show).await?;
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 2);
    let keys: Value = house.api.get("/.well-known/ticket-keys.json").send().await?.answer(200)?;
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    for (admission, code) in admissions.iter().zip(&codes) {
        assert_eq!((code.len(), &code[..4], &admission["status"]), (142, "BO1:", &json!("ISSUED")));
        let path = format!("/admissions/{}", text(admission, "/id")?);
        let mine: Value = house.buyer.get(&path).send().await?.answer(200)?;
        assert_eq!(&mine, admission);
        let seen_by_staff: Value = house.manager.get(&path).send().await?.answer(200)?;
        assert_eq!(seen_by_staff.get("code"), None, "staff see no code");
        let pixels = house.buyer.get(&format!("{path}/code.png")).header("Accept", "image/png").send().await?;
        assert_eq!((pixels.status, pixels.header("content-type")), (200, Some("image/png")));
        assert!(pixels.bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{}", pixels.body);
        house.manager.get(&format!("{path}/code.png")).send().await?.refusal(403, "FORBIDDEN")?;
        let picture = house.buyer.get(&format!("{path}/code.svg")).send().await?;
        assert!(picture.status == 200 && picture.body.starts_with("<svg"), "{}", picture.body);
        house.somebody().await?.get(&path).send().await?.refusal(403, "FORBIDDEN")?;
    }
    booking.cancel().await?.with_status(202)?;
    booking.until_cancelled("CANCELLED_BY_BUYER").await?;
    let revoked = self::admissions(&house, &booking).await?;
    assert!(revoked.iter().all(|it| it["status"] == "REVOKED" && it.get("code").is_none()), "{revoked:?}");
    Ok(())
}

#[tokio::test]
async fn a_ticket_enters_once_and_a_used_booking_is_not_cancelled_until_the_entry_is_undone() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let (booking, admissions, codes) = paid(&house, &show).await?;
    let door = Door::open(&house, &show).await?;

    let scan = nonce();
    let first = door.scan_as(&codes[0], "ENTRY", &scan).await?;
    assert_eq!(first["verdict"], "IN");
    assert_eq!(door.scan_as(&codes[0], "ENTRY", &scan).await?, first, "the same scan, sent again");
    let second = door.scan_as(&codes[0], "ENTRY", &nonce()).await?;
    assert_eq!((&second["verdict"], &second["reason"]), (&json!("STOP"), &json!("ALREADY_IN")));
    assert_eq!((&second["passage"]["device"], &second["passage"]["at"]), (&json!("North 1"), &first["passage"]["at"]));
    assert_eq!(door.inside().await?, 1);

    booking.cancel().await?.refusal(409, "ADMISSION_USED")?;
    let undo = json!({ "admissionId": admissions[0]["id"] });
    let path = format!("/check-in-lists/{}/undo", door.list);
    house.buyer.post(&path).json(&undo).send().await?.refusal(403, "FORBIDDEN")?;
    house.manager.post(&path).json(&undo).send().await?.with_status(200)?;
    house.manager.post(&path).json(&undo).send().await?.refusal(409, "NOTHING_TO_UNDO")?;
    assert_eq!(door.inside().await?, 0);

    booking.cancel().await?.with_status(202)?;
    for code in &codes {
        assert_eq!(door.scan(code, "ENTRY").await?, "STOP REVOKED");
    }
    booking.until_saga_is(SagaStatus::Compensated, AFTER_ALL_RETRIES).await?;
    let csv = house.manager.get(&format!("/devices/{}/scans.csv", door.device)).send().await?;
    assert_eq!(csv.body.lines().count(), 1 + 4, "{}", csv.body);
    Ok(())
}

#[tokio::test]
async fn every_bad_code_is_stopped_for_its_own_reason() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, other) = (house.show(10).await?, house.show(10).await?);
    let (_, _, codes) = paid(&house, &show).await?;
    let (_, _, of_other) = paid(&house, &other).await?;
    let door = Door::open(&house, &show).await?;
    let mut edited = codes[0].clone();
    edited.replace_range(20..21, if &codes[0][20..21] == "0" { "1" } else { "0" });
    for (code, direction, verdict) in [
        ("https://example.com/", "ENTRY", "STOP NOT_A_TICKET"),
        ("BO2:ABC", "ENTRY", "STOP OTHER_FORMAT"),
        (edited.as_str(), "ENTRY", "STOP FORGED"),
        (of_other[0].as_str(), "ENTRY", "STOP OTHER_EVENT"),
        (codes[0].as_str(), "EXIT", "STOP NOT_INSIDE"),
        (codes[0].as_str(), "ENTRY", "IN"),
        (codes[0].as_str(), "EXIT", "OUT"),
        (codes[0].as_str(), "ENTRY", "STOP NO_REENTRY"),
    ] {
        assert_eq!(door.scan(code, direction).await?, verdict, "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_device_scans_for_its_list_and_gates_until_it_ends() -> Verdict {
    let house = BoxOffice::open().await?;
    let (show, other) = (house.show(10).await?, house.show(10).await?);
    let (door, foreign) = (Door::open(&house, &show).await?, Door::open(&house, &other).await?);
    let scan = |list: &str, gate: u16| json!({ "code": "x", "list": list, "gate": gate, "nonce": nonce(), "direction": "ENTRY" });
    let post = |token: &str, body: Value| house.api.post("/check-ins").bearer(token).json(&body);
    post(&door.token, scan(&door.list, 0)).send().await?.with_status(200)?;
    post(&door.token, scan(&foreign.list, 0)).send().await?.refusal(403, "FORBIDDEN")?;
    post(&door.token, scan(&door.list, 7)).send().await?.refusal(403, "FORBIDDEN")?;
    post(&house.manager.token().await?, scan(&door.list, 0)).send().await?.refusal(401, "TOKEN_INVALID")?;
    // The token of a device opens nothing else.
    let numbers = format!("/check-in-lists/{}/numbers", door.list);
    house.api.get(&numbers).bearer(&door.token).send().await?.refusal(401, "TOKEN_INVALID")?;
    house.manager.delete(&format!("/devices/{}", door.device)).send().await?.with_status(204)?;
    post(&door.token, scan(&door.list, 0)).send().await?.refusal(401, "TOKEN_REVOKED")?;
    Ok(())
}

#[tokio::test]
async fn twenty_scanners_at_once_admit_one_ticket_once() -> Verdict {
    let house = BoxOffice::open().await?;
    let show = house.show(10).await?;
    let (_, _, codes) = paid(&house, &show).await?;
    let door = Door::open(&house, &show).await?;
    let mut scanning = JoinSet::new();
    for _ in 0..20 {
        scanning.spawn(door.request(&codes[0], "ENTRY", &nonce()).send());
    }
    let mut verdicts = Vec::new();
    for reply in scanning.join_all().await {
        let answer: Value = reply?.answer(200)?;
        verdicts.push((text(&answer, "/verdict")?, answer["passage"]["at"].clone()));
    }
    let (admitted, stopped): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(|(verdict, _)| verdict == "IN");
    assert_eq!((admitted.len(), stopped.len()), (1, 19), "{stopped:?}");
    assert!(stopped.iter().all(|(verdict, at)| verdict == "STOP" && *at == admitted[0].1), "{stopped:?}");
    assert_eq!(door.inside().await?, 1);
    Ok(())
}
