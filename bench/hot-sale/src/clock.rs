//! Virtual time: a clock that stands still while anything can be done, and then jumps to the next moment at which something happens.
//!
//! One thread polls one future, and a sleep costs nothing but its place in the agenda. So a minute of a sale takes as long as the work in it, and what
//! happens first does not depend on how fast this machine is.

use aws_smithy_async::{
    rt::sleep::{AsyncSleep, Sleep},
    time::TimeSource,
};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, SystemTime},
};

/// The moment at which every run begins, for those who ask for a date.
const EPOCH_SECONDS: u64 = 1_893_456_000;

/// The time of one run.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Mutex<Agenda>>);

#[derive(Debug, Default)]
struct Agenda {
    now: Duration,
    entries: u64,
    /// By moment, and in the order they were made.
    wakers: BTreeMap<(Duration, u64), Waker>,
}

/// Nothing is left to be done, and nothing will happen, yet somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("everybody waits, and nothing will happen")]
pub struct Stuck;

impl Clock {
    fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the run began.
    pub fn now(&self) -> Duration {
        self.agenda().now
    }

    /// Waits so long.
    pub fn pause(&self, duration: Duration) -> Pause {
        self.until(self.now().saturating_add(duration))
    }

    /// Waits until then; not at all when it is past.
    pub fn until(&self, moment: Duration) -> Pause {
        Pause { clock: self.clone(), moment, entry: None }
    }

    /// Runs a future to its end.
    ///
    /// # Errors
    /// When it waits for what will not happen.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> Result<T, Stuck> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                return Ok(outcome);
            }
            if !woken.0.swap(false, Ordering::Relaxed) {
                self.jump()?.wake();
            }
        }
    }

    fn jump(&self) -> Result<Waker, Stuck> {
        let mut agenda = self.agenda();
        let ((moment, _), waker) = agenda.wakers.pop_first().ok_or(Stuck)?;
        agenda.now = agenda.now.max(moment);
        Ok(waker)
    }
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A wait for a moment.
#[derive(Debug)]
pub struct Pause {
    clock: Clock,
    moment: Duration,
    entry: Option<u64>,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut agenda = clock.agenda();
        if agenda.now >= self.moment {
            return Poll::Ready(());
        }
        let entry = *self.entry.get_or_insert_with(|| {
            agenda.entries += 1;
            agenda.entries
        });
        agenda.wakers.insert((self.moment, entry), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            self.clock.agenda().wakers.remove(&(self.moment, entry));
        }
    }
}

impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.pause(duration))
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH_SECONDS) + Clock::now(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join, select};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_cost_no_time_and_end_in_their_order() {
        let clock = Clock::default();
        let order = Mutex::new(Vec::new());
        let wait = async |seconds: u32| {
            clock.pause(SECOND * seconds).await;
            order.lock().unwrap().push((seconds, clock.now()));
        };
        clock.run(join(wait(3600), wait(60))).unwrap();
        assert_eq!(order.into_inner().unwrap(), [(60, SECOND * 60), (3600, SECOND * 3600)]);
    }

    #[test]
    fn a_wait_given_up_does_not_hold_up_the_end() {
        let clock = Clock::default();
        clock.run(select(Box::pin(clock.pause(SECOND)), Box::pin(clock.pause(SECOND * 9)))).unwrap();
        assert_eq!(clock.now(), SECOND);
        assert!(clock.agenda().wakers.is_empty());
    }

    #[test]
    fn waiting_for_nothing_is_noticed() {
        assert_eq!(Clock::default().run(std::future::pending::<()>()), Err(Stuck));
    }
}
