//! The vectors of `docs/ticket-codes.md`, which the implementation in `scripts/ticket_codes.py` is tested by too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is missing shall fail the test"
)]

use boxoffice_admission::{
    Code, Direction, EventTag, Facts, KeyId, Last, List, Nonce, Record, Scan, Serial, Stop, Verdict, base45, decide,
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/ticket-codes.json")).unwrap()
}

fn each(kind: &str) -> Vec<Value> {
    vectors()[kind].as_array().unwrap().clone()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn number<T: TryFrom<u64>>(value: &Value) -> T {
    value.as_u64().and_then(|number| T::try_from(number).ok()).unwrap_or_else(|| panic!("{value} is out of range"))
}

fn numbers(value: &Value) -> Vec<u16> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn facts(value: &Value) -> Facts {
    Facts {
        key: KeyId(number(&value["key"])),
        event: EventTag(bytes(&value["event"]).try_into().unwrap()),
        serial: Serial(number(&value["serial"])),
        ticket_type: number(&value["type"]),
        gate: number(&value["gate"]),
        valid_from: number(&value["validFrom"]),
        valid_until: number(&value["validUntil"]),
    }
}

fn shown(facts: Facts) -> Value {
    json!({
        "key": facts.key.0, "event": hex(&facts.event.0), "serial": facts.serial.0, "type": facts.ticket_type,
        "gate": facts.gate, "validFrom": facts.valid_from, "validUntil": facts.valid_until
    })
}

fn reading(text: &str, keys: &BTreeMap<u16, Vec<u8>>) -> Value {
    let code = match Code::read(text) {
        Ok(code) => code,
        Err(unread) => return Stop::from(unread).name().into(),
    };
    let Some(key) = keys.get(&code.key().0) else { return Stop::UnknownKey.name().into() };
    let is_signed =
        |message: &[u8], signature: &[u8; 64]| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok();
    code.verify(is_signed).map_or_else(|| Stop::Forged.name().into(), shown)
}

#[test]
fn base45_is_written_and_read() {
    for vector in each("base45") {
        let text = vector["text"].as_str().unwrap();
        assert_eq!(base45::encode(&bytes(&vector["bytes"])), text);
        assert_eq!(base45::decode(text), Ok(bytes(&vector["bytes"])));
    }
}

#[test]
fn codes_are_read_or_refused_for_the_reason() {
    let keys = each("keys").into_iter().map(|key| (number(&key["id"]), bytes(&key["publicKey"]))).collect();
    for vector in each("codes") {
        assert_eq!(reading(vector["text"].as_str().unwrap(), &keys), vector["reading"], "{}", vector["name"]);
    }
}

#[test]
fn signing_the_facts_gives_the_code_of_the_vector() {
    let key = &each("keys")[0];
    let pair = Ed25519KeyPair::from_seed_unchecked(&bytes(&key["seed"])).unwrap();
    assert_eq!(hex(pair.public_key().as_ref()), key["publicKey"]);
    for vector in each("codes").iter().filter(|vector| vector["reading"].is_object()) {
        let facts = facts(&vector["reading"]);
        let signature = pair.sign(&facts.message()).as_ref().try_into().unwrap();
        assert_eq!(Code::new(facts, signature).to_string(), vector["text"].as_str().unwrap().trim_end());
    }
}

fn direction(value: &Value) -> Direction {
    if value == "ENTRY" { Direction::Entry } else { Direction::Exit }
}

fn nonce(value: &Value) -> Nonce {
    Nonce(bytes(value).try_into().unwrap())
}

#[test]
fn scans_are_decided() {
    for vector in each("decisions") {
        let (list, scan, record) = (&vector["list"], &vector["scan"], &vector["record"]);
        let list = List {
            event: EventTag(bytes(&list["event"]).try_into().unwrap()),
            types: numbers(&list["types"]),
            gates: numbers(&list["gates"]),
            exits: list["exits"].as_bool().unwrap(),
            reentry: list["reentry"].as_bool().unwrap(),
            entitled: numbers(&list["entitled"]),
            opens: number(&list["opens"]),
            closes: number(&list["closes"]),
        };
        let scan = Scan {
            gate: number(&scan["gate"]),
            direction: direction(&scan["direction"]),
            nonce: nonce(&scan["nonce"]),
            vouched: scan["vouched"].as_bool().unwrap(),
            now: number(&scan["now"]),
        };
        let passage = record.get("last");
        let passage = passage.map(|it| Last { direction: direction(&it["direction"]), nonce: nonce(&it["nonce"]) });
        let record = match record["state"].as_str().unwrap() {
            "GOOD" => Record::Good(passage),
            "REVOKED" => Record::Revoked(passage),
            _ => Record::Unknown,
        };
        let verdict = match decide(&list, &facts(&vector["facts"]), &record, &scan) {
            Verdict::In => "IN",
            Verdict::Out => "OUT",
            Verdict::Stop(stop) => stop.name(),
            Verdict::Look(look) => look.name(),
        };
        assert_eq!(verdict, vector["verdict"], "{}", vector["name"]);
    }
}
