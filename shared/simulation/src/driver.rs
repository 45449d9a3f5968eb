//! Runs futures on virtual time: when no future can make progress, time jumps to the next instant that one of them
//! waits for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::task::{ArcWake, waker};
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};

/// Turns at one instant. Higher than any fleet needs; only a busy loop reaches it.
const MOST_TURNS_AT_ONE_INSTANT: u32 = 10_000_000;

/// Time cannot advance, because a task works without ever waiting.
#[derive(Debug, thiserror::Error)]
#[error("time cannot advance at {0}: a task never waits")]
pub struct Standstill(Timestamp);

/// Runs `tasks` on `clock` until `end`, and drops the tasks that still run then. Nothing else may move the clock
/// meanwhile.
///
/// Works only for futures that are woken by the clock or by each other.
pub fn run(clock: &ManualClock, tasks: Vec<LocalBoxFuture<'_, ()>>, end: Timestamp) -> Result<(), Standstill> {
    let mut tasks: FuturesUnordered<LocalBoxFuture<'_, ()>> = tasks.into_iter().collect();
    let woken = Arc::new(Flag(AtomicBool::new(true)));
    let waker = waker(woken.clone());
    let mut turns = 0;
    loop {
        while woken.0.swap(false, Ordering::Relaxed) {
            while let Poll::Ready(Some(())) = Pin::new(&mut tasks).poll_next(&mut Context::from_waker(&waker)) {}
            turns += 1;
            if turns > MOST_TURNS_AT_ONE_INSTANT {
                return Err(Standstill(clock.now()));
            }
        }
        turns = 0;
        match clock.next_deadline() {
            Some(deadline) if deadline < end => clock.advance_to(deadline),
            _ => {
                clock.advance_to(end);
                return Ok(());
            }
        }
    }
}

struct Flag(AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(flag: &Arc<Flag>) {
        flag.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use stint_core::clock::after;

    use super::*;

    #[test]
    fn time_jumps_and_stops_at_the_end() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let (counted, sleeper) = (std::cell::Cell::new(0), clock.clone());
        let hourly = async {
            loop {
                sleeper.sleep(Duration::from_secs(3_600)).await;
                counted.set(counted.get() + 1);
            }
        };
        let end = after(Timestamp::UNIX_EPOCH, Duration::from_secs(86_400));
        run(&clock, vec![hourly.boxed_local()], end).unwrap();
        assert_eq!(counted.get(), 23);
        assert_eq!(clock.now(), end);
    }
}
