//! Handles a clock that is set back, for the deadlines in the file of the queues.
//!
//! Every deadline in the file was written at some time, and the file stores the latest of those times. If the clock
//! shows an earlier time it was set back, either between two starts or while the fleet runs, and every deadline would
//! be late by the difference. All deadlines are therefore moved by the difference: what had ten minutes left still has
//! ten. A deadline that was written before the clock went ahead is then early, which every worker tolerates: a message
//! that is visible early is received early. A one-shot wake-up then fires at once; its worker learns from the upstream
//! whether that is early, and sets it again. The slots of an aligned wake-up are not moved: see
//! `stint_core::schedule::Every`.
//!
//! A clock that is set ahead looks the same as a fleet that did not run for a while, and there deadlines are early too.

use std::time::Duration;

use rusqlite::Connection;
use stint_core::clock::{from_millis, set_back_by};

/// How far back the clock may go without counting as set back. All processes of a machine share a clock, but each reads
/// it a little before it writes.
const SLACK: Duration = Duration::from_secs(2);

/// Records that deadlines will be written at this time, after this call. Called in each transaction that writes
/// deadlines. First moves those that were written by a clock that was ahead, and returns by how many milliseconds,
/// because deadlines written now must not be moved too.
pub(crate) fn record_write_time(connection: &Connection, now: i64) -> rusqlite::Result<i64> {
    let ClockCheck { latest, moved } = check_clock(connection, now)?;
    if latest < now {
        connection.prepare_cached("UPDATE clock SET latest = ?1 WHERE id = 1")?.execute([now])?;
    }
    Ok(moved)
}

/// Moves all deadlines if the clock was set back since one of them was written. Called in each transaction that looks
/// for due rows, before it looks.
pub(crate) fn shift_deadlines(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    check_clock(connection, now).map(drop)
}

/// What the file says about the clock.
struct ClockCheck {
    /// The latest time at which a deadline was written.
    latest: i64,
    /// By how many milliseconds the deadlines were moved just now; 0 if the clock was not set back.
    moved: i64,
}

fn check_clock(connection: &Connection, now: i64) -> rusqlite::Result<ClockCheck> {
    let mut statement = connection.prepare_cached("SELECT latest FROM clock WHERE id = 1")?;
    let latest: i64 = statement.query_row([], |row| row.get(0))?;
    let Some(back) = set_back_by(from_millis(latest), from_millis(now), SLACK) else {
        return Ok(ClockCheck { latest, moved: 0 });
    };
    let (seconds, moved) = (back.as_secs(), latest.saturating_sub(now));
    tracing::warn!(seconds, "the clock was set back by {seconds} s: all deadlines were moved back by the same time");
    connection.execute("UPDATE messages SET visible_at = visible_at - ?1", [moved])?;
    // The last case keeps `at` unless the clock is more than a period before the slot that has fired last.
    let wakeups = "UPDATE wakeups SET lent_until = lent_until - ?1, at = CASE
                   WHEN period IS NULL THEN min(at - ?1, ?2)
                   WHEN NOT aligned THEN at - ?1
                   WHEN ?2 < at - 2 * period THEN (?2 / period + 1) * period
                   ELSE at END";
    connection.execute(wakeups, [moved, now])?;
    connection.execute("UPDATE leases SET expires_at = max(expires_at - ?1, 0)", [moved])?;
    connection.execute("UPDATE clock SET latest = ?1 WHERE id = 1", [now])?;
    Ok(ClockCheck { latest: now, moved })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::executor::block_on;
    use jiff::SignedDuration;
    use stint_core::clock::{Clock, ManualClock, after};
    use stint_core::ports::{NewMessage, Queue, QueueSettings, WakeupSource, Wakeups};
    use stint_core::worker::WorkerId;

    use super::*;
    use crate::{Embedded, SqliteQueue, SqliteWakeups};

    const MINUTE: Duration = Duration::from_secs(60);
    const REVIVER: WorkerId = WorkerId::new("fleet", "reviver");
    const SETTINGS: QueueSettings = QueueSettings { visibility_timeout: MINUTE, max_receives: 3 };

    struct SetBackWorld {
        clock: ManualClock,
        queue: Arc<SqliteQueue>,
        wakeups: Arc<SqliteWakeups>,
    }

    impl SetBackWorld {
        fn new() -> SetBackWorld {
            let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
            let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
            SetBackWorld { clock, queue: embedded.queue("work", SETTINGS), wakeups: embedded.wakeups() }
        }

        /// Returns the bodies of the messages and the names of the wake-ups that are due now.
        async fn due(&self) -> Vec<String> {
            let received = self.queue.receive(10).await.unwrap().into_iter().map(|delivery| delivery.body);
            let fired = self.wakeups.claim_due(&[(REVIVER, MINUTE * 10)]).await.unwrap();
            received.chain(fired.into_iter().map(|firing| firing.name)).collect()
        }
    }

    #[test]
    fn what_is_written_after_the_clock_was_set_back_keeps_its_time() {
        let world = SetBackWorld::new();
        let SetBackWorld { clock, queue, wakeups } = &world;
        block_on(async {
            queue.send(&[NewMessage { delay: MINUTE * 2, ..NewMessage::new("before") }]).await.unwrap();
            wakeups.every("often", &REVIVER, MINUTE * 2).await.unwrap();
            clock.jump(SignedDuration::from_hours(-1));
            queue.send(&[NewMessage { delay: MINUTE, ..NewMessage::new("after") }]).await.unwrap();
            wakeups.once("once", &REVIVER, after(clock.now(), MINUTE)).await.unwrap();
            assert_eq!(world.due().await, [""; 0]);
            clock.advance(MINUTE);
            assert_eq!(world.due().await, ["after", "once"]);
            clock.advance(MINUTE);
            assert_eq!(world.due().await, ["before", "after", "often"], "one was received a minute ago");
        });
    }

    #[test]
    fn a_wakeup_that_fires_while_the_clock_is_set_back_comes_again_after_its_period() {
        let SetBackWorld { clock, wakeups, .. } = &SetBackWorld::new();
        block_on(async {
            wakeups.every("often", &REVIVER, MINUTE).await.unwrap();
            clock.advance(MINUTE);
            let fired = wakeups.claim_due(&[(REVIVER, MINUTE * 10)]).await.unwrap();
            clock.jump(SignedDuration::from_hours(-1));
            wakeups.complete(&fired[0]).await.unwrap();
            assert_eq!(wakeups.list().await.unwrap()[0].at, after(clock.now(), MINUTE));
        });
    }
}
