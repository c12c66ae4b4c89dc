//! Every target on what is kept, and for some seconds on what can be made of that: proptest changes kept inputs at random, and shrinks what it finds.
//!
//! `BOXOFFICE_FUZZ_SECONDS` says how long each takes (5). A finding becomes a seed of its target.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: it fails by panicking, and says why"
)]

use base64::{Engine as _, prelude::BASE64_STANDARD};
use boxoffice_fuzz::{TARGETS, Target, material};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Byte(Index, u8),
    Insert(Index, Vec<u8>),
    Word(Index, Index),
    Remove(Index, usize),
    Repeat(Index, usize, u8),
    Splice(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), "[0-9eE.+-]{1,8}|\\PC{1,4}").prop_map(|(at, text)| Change::Insert(at, text.into_bytes())),
        (any::<Index>(), any::<Index>()).prop_map(|(at, word)| Change::Word(at, word)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), 1..20_usize, 2..100_u8).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>, kept: &[Vec<u8>]) {
        let place = |at: &Index| at.index(input.len() + 1);
        match self {
            Self::Byte(at, byte) => {
                let at = place(at);
                input.splice(at..(at + 1).min(input.len()), [*byte]);
            }
            Self::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Word(at, word) => {
                let at = place(at);
                input.splice(at..at, word.get(&material::WORDS).bytes());
            }
            Self::Remove(at, length) => {
                let at = place(at);
                input.drain(at..(at + length).min(input.len()));
            }
            Self::Repeat(at, length, times) => {
                let at = place(at);
                let piece = input[at..(at + length).min(input.len())].repeat(usize::from(*times));
                input.splice(at..at, piece);
            }
            Self::Splice(at, other) => {
                let at = place(at);
                let other = other.get(kept);
                input.truncate(at);
                input.extend(other.get(at..).unwrap_or_default());
            }
        }
    }
}

fn seconds() -> Duration {
    let given = std::env::var("BOXOFFICE_FUZZ_SECONDS").ok();
    Duration::from_secs(given.map_or(5, |text| text.parse().expect("BOXOFFICE_FUZZ_SECONDS is a number of seconds")))
}

fn run(target: &Target) {
    run_on(target, &(target.seeds)().into_iter().chain(material::corpus(target)).collect::<Vec<_>>());
}

fn run_on(target: &Target, kept: &[Vec<u8>]) {
    assert!(!kept.is_empty(), "{} has nothing to begin with", target.name);
    for input in kept {
        (target.check)(input);
    }
    let inputs = (any::<Index>(), prop::collection::vec(change(), 1..8)).prop_map(|(start, changes)| {
        let mut input = start.get(kept).clone();
        for change in changes {
            change.apply(&mut input, kept);
        }
        input
    });
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let deadline = Instant::now() + seconds();
    while Instant::now() < deadline {
        let outcome = runner.run(&inputs, |input| {
            catch_unwind(AssertUnwindSafe(|| (target.check)(&input))).map_err(|_| {
                let line = BASE64_STANDARD.encode(&input);
                TestCaseError::fail(format!("{line} is {:?}", String::from_utf8_lossy(&input)))
            })
        });
        outcome.unwrap_or_else(|failure| panic!("{} is wrong: {failure}", target.name));
    }
}

macro_rules! each_target {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            run(&Target::named(stringify!($name)).unwrap());
        })+

        #[test]
        fn no_target_is_left_out() {
            let run = BTreeSet::from([$(stringify!($name)),+]);
            assert_eq!(run, TARGETS.iter().map(|target| target.name).collect());
        }
    };
}

each_target!(bodies, requests, values, tokens, events, provider, codes);

/// A run that could not fail would prove nothing.
#[test]
#[should_panic(expected = "is wrong")]
fn every_planted_violation_is_found() {
    fn check(input: &[u8]) {
        assert!(!input.windows(2).any(|pair| pair == b"!!"), "a planted mistake");
    }
    run_on(&Target { name: "planted", check, seeds: Vec::new }, &[b"!".to_vec()]);
}
