//! Waiting for something to become true. Nothing here or in a test sleeps and hopes: every wait looks, and has a deadline.

use crate::{Failure, Outcome};
use std::{fmt, time::Duration};
use tokio::time::Instant;

/// The result of one look at the system.
#[derive(Debug)]
pub enum Look<T> {
    /// The awaited value.
    Done(T),
    /// Not yet; this is how it stands, for the message when the deadline passes.
    NotYet(String),
}

impl<T> Look<T> {
    /// Done with this when the condition holds.
    pub fn done_if(condition: bool, value: T) -> Self
    where
        T: fmt::Debug,
    {
        if condition { Self::Done(value) } else { Self::NotYet(format!("{value:?}")) }
    }
}

/// How long between two looks.
const INTERVAL: Duration = Duration::from_millis(150);

/// Longer than any step of a booking takes on a busy laptop; a failing test takes this long, a passing one never does.
pub const SOON: Duration = Duration::from_mins(1);

/// The hold of a local stack (20 s), and all that follows when it ends.
pub const AFTER_THE_HOLD: Duration = Duration::from_secs(90);

/// Every retry of every step and then some, with the state machine's waits as short as they are locally.
pub const AFTER_ALL_RETRIES: Duration = Duration::from_mins(4);

/// How many times longer than written every wait is: `BOXOFFICE_PATIENCE`, for a slow platform or a busy machine. A passing test never comes near a deadline.
pub fn patience() -> f64 {
    std::env::var("BOXOFFICE_PATIENCE").ok().and_then(|times| times.parse().ok()).unwrap_or(1.0)
}

/// Looks until it is done.
///
/// # Errors
/// When the deadline passes, with what was seen last; when looking itself fails.
pub async fn until<T>(
    what: impl fmt::Display,
    within: Duration,
    mut look: impl AsyncFnMut() -> Outcome<Look<T>>,
) -> Outcome<T> {
    let within = within.mul_f64(patience());
    let deadline = Instant::now() + within;
    loop {
        let seen = match look().await.map_err(|failure| failure.during(format_args!("waiting until {what}")))? {
            Look::Done(value) => return Ok(value),
            Look::NotYet(seen) => seen,
        };
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "waited {} s until {what}, and it did not happen; seen last: {seen}",
                within.as_secs()
            )));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
