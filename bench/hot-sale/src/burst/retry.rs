//! A state's `Retry` and `Catch`, followed as Step Functions does (<https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>).

use super::template::Deployed;
use boxoffice_statemachines::{Machine, Retry, State};
use std::time::Duration;

/// How often each of a state's retriers has been used in this visit.
#[derive(Debug, Default)]
pub struct Attempts(Vec<u32>);

impl Attempts {
    /// How long to wait before the next try; nothing when there is none.
    pub fn next(&mut self, state: &State, error: &str, random: &mut fastrand::Rng) -> Option<Duration> {
        self.0.resize(state.retry.len(), 0);
        let mut retriers = state.retry.iter().zip(&mut self.0);
        let (retry, used) = retriers.find(|(retry, _)| matches(&retry.error_equals, error))?;
        if *used >= retry.max_attempts {
            return None;
        }
        let delay = delay(retry, *used);
        *used += 1;
        Some(if retry.jitter_strategy.as_deref() == Some("FULL") { delay.mul_f64(random.f64()) } else { delay })
    }
}

/// The delay before a retry, without jitter.
fn delay(retry: &Retry, used: u32) -> Duration {
    let factor = f64::from(retry.backoff_rate).powi(i32::try_from(used).unwrap_or(i32::MAX));
    let seconds = f64::from(retry.interval_seconds) * factor;
    let most = retry.max_delay_seconds.map_or(f64::MAX, f64::from);
    // Step Functions waits for at most a year.
    Duration::from_secs_f64(seconds.min(most).min(31_536_000.0))
}

/// Where an error leads when it is tried no more.
pub fn caught<'a>(state: &'a State, error: &str) -> Option<&'a str> {
    let catch = state.catch.iter().find(|catch| matches(&catch.error_equals, error));
    catch.map(|catch| catch.next.as_str())
}

fn matches(names: &[String], error: &str) -> bool {
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => true,
        "States.TaskFailed" => error != "States.Timeout",
        name => name == error,
    })
}

/// The saga with the retries it had at commit 8c810a0, the negative control: its forward steps gave up after 1, 2, 4 and 8 seconds.
#[must_use]
pub fn impatient(mut saga: Machine) -> Machine {
    for (name, state) in &mut saga.states {
        let goes_back =
            state.catch.iter().any(|catch| matches!(catch.next.as_str(), "Revoke Admissions" | "Reverse Payment"));
        if goes_back && name != "Claim Saga" {
            for retry in state.retry.iter_mut().filter(|retry| retry.max_attempts > 0) {
                retry.max_attempts = 4;
                retry.interval_seconds = 1;
                retry.backoff_rate = 2;
                retry.max_delay_seconds = Some(10);
                retry.jitter_strategy = Some("FULL".into());
            }
        }
    }
    saga
}

/// A deployment whose saga undoes a booking when it starts after the hold, paid or not: the negative control of `docs/adr/0035-a-saga-that-starts-late.md`.
#[must_use]
pub fn punctual(mut deployed: Deployed) -> Deployed {
    deployed.latest_start = Duration::ZERO;
    if let Some(state) = deployed.saga.states.get_mut("Verify Hold") {
        state.catch.retain(|catch| catch.error_equals == ["States.ALL"]);
    }
    deployed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::burst::template::deployed;

    fn state() -> State {
        serde_json::from_value(serde_json::json!({
            "Type": "Task",
            "Retry": [
                { "ErrorEquals": ["Declined"], "MaxAttempts": 0 },
                { "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 5, "MaxDelaySeconds": 10,
                  "BackoffRate": 2, "JitterStrategy": "FULL" }
            ],
            "Catch": [
                { "ErrorEquals": ["States.Timeout"], "Next": "Expire" },
                { "ErrorEquals": ["States.ALL"], "Next": "Reverse" }
            ]
        }))
        .unwrap()
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread_over_all_of_it() {
        let (state, mut random) = (state(), fastrand::Rng::with_seed(3));
        let mut longest = [0.0_f64; 5];
        for _ in 0..2_000 {
            let mut attempts = Attempts::default();
            for longest in &mut longest {
                let wait = attempts.next(&state, "Transient", &mut random).unwrap().as_secs_f64();
                *longest = longest.max(wait);
            }
            assert_eq!(attempts.next(&state, "Transient", &mut random), None);
        }
        for (longest, most) in longest.into_iter().zip([1.0, 2.0, 4.0, 8.0, 10.0]) {
            assert!(longest <= most && longest > 0.98 * most, "{longest} of {most}");
        }
    }

    #[test]
    fn refusals_are_not_tried_again_and_lead_where_the_first_catch_says() {
        let (state, mut random) = (state(), fastrand::Rng::with_seed(3));
        assert_eq!(Attempts::default().next(&state, "Declined", &mut random), None);
        assert_eq!(caught(&state, "Declined"), Some("Reverse"));
        assert_eq!(caught(&state, "States.Timeout"), Some("Expire"));
    }

    #[test]
    fn the_impatient_saga_gives_up_after_four_tries_on_its_way_forward_only() {
        let saga = impatient(deployed().unwrap().saga);
        let most = |state: &str| saga.states[state].retry.iter().map(|retry| retry.max_attempts).max();
        assert_eq!(most("Initiate Payment"), Some(4));
        assert_eq!(most("Confirm Ticket"), Some(4));
        assert!(most("Reverse Payment") > Some(4));
    }
}
