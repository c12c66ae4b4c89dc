//! Many buyers at one moment, and the judge of what they got.

use crate::{Outcome, ensure};
use std::{sync::Arc, time::Instant};
use tokio::{sync::Barrier, task::JoinSet};

/// One buyer's answer, and when it came.
#[derive(Debug, Clone)]
pub struct Attempt<T> {
    started: Instant,
    ended: Instant,
    /// The answer.
    pub got: T,
}

/// Lets so many buyers try at the same moment.
///
/// # Errors
/// When one of them fails to try at all.
pub async fn at_once<T, F>(buyers: usize, attempt: impl Fn(usize) -> F) -> Outcome<Vec<Attempt<T>>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let (gate, mut tries) = (Arc::new(Barrier::new(buyers)), JoinSet::new());
    for buyer in 0..buyers {
        let (gate, attempt) = (gate.clone(), attempt(buyer));
        tries.spawn(async move {
            gate.wait().await;
            let started = Instant::now();
            let got = attempt.await?;
            Ok(Attempt { started, ended: Instant::now(), got })
        });
    }
    tries.join_all().await.into_iter().collect()
}

/// How many were under way at the busiest moment. A race in which nobody meets anybody proves nothing.
pub fn most_at_once<T>(attempts: &[Attempt<T>]) -> usize {
    let under_way = |moment: Instant| attempts.iter().filter(|a| a.started <= moment && moment < a.ended).count();
    attempts.iter().map(|attempt| under_way(attempt.started)).max().unwrap_or(0)
}

/// A buyer gets seats or a clean refusal. Anything else is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// So many seats.
    Seats(u32),
    /// No seats, and was told so.
    SoldOut,
}

/// The judge: every seat went to exactly one buyer, and nobody was turned away while there were seats.
///
/// # Errors
/// With what is wrong.
pub fn judge(results: impl IntoIterator<Item = Got>, seats: u32, wanted_each: u32) -> Outcome<()> {
    let (mut sold, mut refused) = (0_u32, 0_u32);
    for got in results {
        match got {
            Got::Seats(seats) => sold += seats,
            Got::SoldOut => refused += 1,
        }
    }
    ensure!(sold <= seats, "oversold: {sold} seats sold of {seats}");
    let left = seats - sold;
    ensure!(
        refused == 0 || left < wanted_each,
        "{refused} buyers of {wanted_each} were turned away although {left} of {seats} seats were left"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(winners: u32, refused: u32) -> Vec<Got> {
        let winners = (0..winners).map(|_| Got::Seats(1));
        winners.chain((0..refused).map(|_| Got::SoldOut)).collect()
    }

    #[test]
    fn the_judge_accepts_exactly_the_seats_there_are() {
        assert_eq!(judge(results(50, 150), 50, 1), Ok(()));
    }

    #[test]
    fn the_judge_notices_one_seat_too_many_and_one_too_few() {
        assert!(judge(results(51, 149), 50, 1).is_err());
        assert!(judge(results(49, 151), 50, 1).is_err());
    }

    #[test]
    fn the_last_seats_may_be_too_few_for_anyone() {
        let pairs = (0..24).map(|_| Got::Seats(2)).chain([Got::SoldOut]);
        assert_eq!(judge(pairs.clone(), 49, 2), Ok(()));
        assert!(judge(pairs, 50, 2).is_err());
    }
}
