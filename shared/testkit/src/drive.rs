//! Runs futures on virtual time: when no future can make progress, time jumps to the next instant that one of them
//! waits for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::executor::{LocalPool, LocalSpawner};
use futures::task::{ArcWake, LocalSpawnExt, waker};
use stint_core::clock::{Clock, ManualClock, after};

/// Virtual time that a run may take by default. Longer than any simulation takes.
const LONGEST_RUN: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Times that the main future may be polled at one instant. Higher than any fleet needs; only a busy loop reaches it.
const MOST_POLLS_AT_ONE_INSTANT: u32 = 10_000_000;

/// Runs `main` to its end on `clock`. Nothing else may move the clock meanwhile.
///
/// # Panics
/// If `main` cannot end because no timer is left that could wake it, or if it runs for more than 400 days.
pub fn drive<T>(clock: &ManualClock, main: impl Future<Output = T>) -> T {
    Driver::new(clock).run(main)
}

/// Like [`drive`], with companions that run beside the main future: hosts, upstreams, anything that is not awaited.
///
/// Works only for futures that are woken by the clock or by each other, such as the embedded adapters run inline. While
/// a future waits for another thread, the driver sees no progress and reports a standstill.
pub struct Driver {
    clock: ManualClock,
    pool: LocalPool,
    running: Running,
    limit: Duration,
}

/// The companions that have not ended, in the order in which they were started.
type Running = Rc<RefCell<BTreeMap<usize, String>>>;

/// Starts companions. Clones belong to the same driver.
#[derive(Clone)]
pub struct Companions {
    spawner: LocalSpawner,
    running: Running,
    started: Rc<RefCell<usize>>,
}

impl Driver {
    /// Returns a driver of `clock`.
    pub fn new(clock: &ManualClock) -> Driver {
        Driver { clock: clock.clone(), pool: LocalPool::new(), running: Running::default(), limit: LONGEST_RUN }
    }

    /// Allows at most `limit` of virtual time.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Driver {
        self.limit = limit;
        self
    }

    /// Returns a handle that starts companions of the main future, before it runs or from within it.
    pub fn companions(&self) -> Companions {
        let (spawner, running) = (self.pool.spawner(), self.running.clone());
        Companions { spawner, running, started: Rc::default() }
    }

    /// Runs `main` to its end. Companions that have not ended by then are dropped.
    ///
    /// # Panics
    /// If `main` cannot end because no timer is left that could wake it, or if it runs for longer than the limit.
    pub fn run<T>(mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = waker(woken.clone());
        // Measured on the steady clock: a test may set the wall clock during the run, and the limit still applies.
        let end = after(self.clock.steady().now(), self.limit);
        let mut polls = 0;
        loop {
            while woken.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
                polls += 1;
                assert!(
                    polls < MOST_POLLS_AT_ONE_INSTANT,
                    "{}",
                    self.standstill("a task wakes itself without waiting")
                );
                self.pool.run_until_stalled();
            }
            self.pool.run_until_stalled();
            if !woken.0.load(Ordering::SeqCst) {
                polls = 0;
                self.advance(end);
            }
        }
    }

    fn advance(&self, end: jiff::Timestamp) {
        let time = self.clock.steady();
        match time.next_deadline() {
            Some(deadline) if deadline <= end => time.advance_to(deadline),
            Some(deadline) => {
                panic!("{}", self.standstill(&format!("the next timer fires at {deadline}, after {end}")))
            }
            None => panic!("{}", self.standstill("no timer is pending")),
        }
    }

    fn standstill(&self, reason: &str) -> String {
        let running = self.running.borrow();
        let companions = running.values().map(String::as_str).collect::<Vec<&str>>().join(", ");
        let companions = if companions.is_empty() { "none" } else { companions.as_str() };
        format!("the main future has not ended at {}: {reason}; companions that run: {companions}", self.clock.now())
    }
}

impl Companions {
    /// Starts `companion`. If the run comes to a standstill, the panic message lists the companion by `name`.
    pub fn start(&self, name: &str, companion: impl Future<Output = ()> + 'static) {
        let number = {
            let mut started = self.started.borrow_mut();
            *started += 1;
            *started
        };
        self.running.borrow_mut().insert(number, name.to_owned());
        let running = self.running.clone();
        let spawned = self.spawner.spawn_local(async move {
            companion.await;
            running.borrow_mut().remove(&number);
        });
        assert!(spawned.is_ok(), "the run has ended, '{name}' cannot be started");
    }
}

struct Flag(AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(flag: &Arc<Flag>) {
        flag.0.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_day_passes_in_no_time() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let slept = drive(&clock, async {
            clock.sleep(Duration::from_secs(86_400)).await;
            clock.now()
        });
        assert_eq!(slept, after(Timestamp::UNIX_EPOCH, Duration::from_secs(86_400)));
    }

    #[test]
    fn companions_run_beside_the_main_future() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let driver = Driver::new(&clock);
        let companions = driver.companions();
        let (sender, receiver) = oneshot::channel();
        let sleeper = clock.clone();
        companions.start("a sender", async move {
            sleeper.sleep(Duration::from_secs(5)).await;
            assert_eq!(sender.send(7), Ok(()));
        });
        assert_eq!(driver.run(receiver), Ok(7));
        assert_eq!(clock.now(), after(Timestamp::UNIX_EPOCH, Duration::from_secs(5)));
    }

    #[test]
    #[should_panic(expected = "no timer is pending; companions that run: a keeper")]
    fn a_standstill_panics() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let driver = Driver::new(&clock);
        driver.companions().start("a keeper", std::future::pending());
        driver.run(std::future::pending::<()>());
    }

    #[test]
    #[should_panic(expected = "the next timer fires at")]
    fn virtual_time_is_bounded() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let sleeper = clock.clone();
        Driver::new(&clock).limit(Duration::from_secs(10)).run(async move {
            loop {
                sleeper.sleep(Duration::from_secs(3)).await;
            }
        });
    }
}
