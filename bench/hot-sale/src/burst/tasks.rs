//! Many things under way at once, on one thread, in virtual time.

use futures_util::{
    future::LocalBoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    task::{Poll, Waker},
};

/// The work to begin: work under way may begin more.
#[derive(Default)]
pub struct Tasks(RefCell<Vec<LocalBoxFuture<'static, ()>>>);

impl Tasks {
    /// Begins something, which goes on beside its beginner.
    pub fn begin(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(task));
    }

    /// Runs everything that was begun, and all that it begins, to its end.
    pub async fn run(&self) {
        let mut under_way = FuturesUnordered::new();
        poll_fn(|context| {
            loop {
                under_way.extend(self.0.take());
                match under_way.poll_next_unpin(context) {
                    Poll::Ready(Some(())) => {}
                    _ if !self.0.borrow().is_empty() => {}
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }
}

/// A condition that becomes true once, and those who wait for it.
#[derive(Debug, Default)]
pub struct Flag {
    raised: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Flag {
    /// Makes it true.
    pub fn raise(&self) {
        self.raised.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Whether it is true.
    pub fn is_raised(&self) -> bool {
        self.raised.get()
    }

    /// Waits until it is true.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.raised.get() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::{rc::Rc, time::Duration};

    #[test]
    fn everything_begun_is_run_to_its_end() {
        let (clock, tasks, done) = (Clock::default(), Rc::new(Tasks::default()), Rc::new(Cell::new(0)));
        for seconds in 1..=3 {
            let (clock, inner, done) = (clock.clone(), Rc::clone(&tasks), Rc::clone(&done));
            tasks.begin(async move {
                clock.pause(Duration::from_secs(seconds)).await;
                inner.begin(async move { done.set(done.get() + 1) });
            });
        }
        clock.run(tasks.run()).unwrap();
        assert_eq!((done.get(), clock.now()), (3, Duration::from_secs(3)));
    }

    #[test]
    fn a_flag_lets_everybody_on_who_waits_for_it() {
        let (clock, tasks, flag) = (Clock::default(), Tasks::default(), Rc::new(Flag::default()));
        let waiting = Rc::clone(&flag);
        tasks.begin(async move { waiting.wait().await });
        let (raising, moment) = (Rc::clone(&flag), clock.pause(Duration::from_secs(9)));
        tasks.begin(async move {
            moment.await;
            raising.raise();
        });
        clock.run(tasks.run()).unwrap();
        assert!(flag.is_raised());
    }
}
