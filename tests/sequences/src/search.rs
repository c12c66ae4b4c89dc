//! Looking for a sequence that breaks a rule, and from one that does, for the shortest.
//!
//! Sequences are vectors whose parts are sequences too (see [`crate::moves`]), so proptest shrinks them: it leaves moves out, and makes numbers
//! smaller, for as long as a rule is broken. `proptest-state-machine` would choose each move by the model's state; here the state is with the
//! database, which a synchronous reference state does not see, and nothing depends on such choices.

use crate::{
    house::{Flaw, House},
    moves::{Turn, sequences},
    play::play,
    rules::Broken,
};
use boxoffice_testing::Database;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::{fmt, time::Duration};
use tokio::runtime::Handle;

/// A sequence that breaks a rule, as short as could be found.
#[derive(Debug)]
pub struct Found {
    /// The moves.
    pub turns: Vec<Turn>,
    /// The rule, and when it was broken.
    pub broken: Broken,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} moves break a rule:", self.turns.len())?;
        for (turn, number) in self.turns.iter().zip(1..) {
            writeln!(f, "  {number}. {turn}")?;
        }
        write!(f, "{}", self.broken)
    }
}

/// How long, how often, and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Sequences to play.
    pub cases: u32,
    /// The most moves of one.
    pub longest: usize,
    /// The states that they follow from.
    pub seed: u64,
    /// How long to look for a shorter one.
    pub shrink_for: Duration,
}

impl Search {
    /// Plays so many random sequences; the shortest found that breaks a rule, if one does. To be called on a runtime of several threads.
    pub fn run(self, database: &Database, flaw: Option<Flaw>) -> Option<Found> {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.seed.to_le_bytes()).for_each(|(byte, seed)| *byte = seed);
        let config = Config {
            cases: self.cases,
            failure_persistence: None,
            max_shrink_time: u32::try_from(self.shrink_for.as_millis()).unwrap_or(u32::MAX),
            max_shrink_iters: u32::MAX,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let outcome = runner.run(&sequences(self.longest), |turns| {
            let house = House::open(database, flaw);
            let played = tokio::task::block_in_place(|| Handle::current().block_on(play(&house, &turns)));
            played.map_err(TestCaseError::fail)
        });
        match outcome {
            Ok(()) => None,
            Err(TestError::Fail(reason, turns)) => Some(Found { turns, broken: reason.message().to_owned() }),
            Err(TestError::Abort(reason)) => panic!("the search was given up: {reason}"),
        }
    }
}
