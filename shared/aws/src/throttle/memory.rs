//! What was last set, kept outside the control plane, which could not bear to be asked.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::{Clock, after};
use stint_core::ports::{Concurrency, PortResult};

/// How long a writer's word holds. Longer than a write can take with all its tries, so that nobody writes in its stead
/// while it lives.
const LEASE: Duration = Duration::from_secs(60);

/// A store of one small record for each worker, shared by all processes of a fleet.
#[async_trait]
pub trait ThrottleMemory: Send + Sync {
    /// The record of `worker`, or the default one.
    async fn load(&self, worker: &str) -> PortResult<ThrottleRecord>;

    /// Keeps `record` with a version that is one higher, if the version that is kept is still that of `record` (0: none
    /// is kept). Answers whether it was. Durable when it returns.
    async fn replace(&self, worker: &str, record: &ThrottleRecord) -> PortResult<bool>;
}

/// What is known of a worker's throttle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleRecord {
    /// How often the record was replaced.
    pub version: u64,
    /// What the mapping was last told, as far as is known.
    pub written: Wanted,
    /// What it is being told.
    pub intent: Option<Intent>,
}

/// How a worker is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The concurrency, if any was ever set.
    pub concurrency: Option<u32>,
    /// Whether an operator has paused the worker.
    pub paused: bool,
}

/// A write that is under way, or whose writer died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What is being written.
    pub wanted: Wanted,
    /// From when on it counts for nothing.
    pub until: Timestamp,
}

impl ThrottleRecord {
    /// What holds, or is about to: everybody relies on a writer that lives, so that not all of them write.
    pub(super) fn current(&self, now: Timestamp) -> Wanted {
        self.intent.filter(|intent| intent.until > now).map_or(self.written, |intent| intent.wanted)
    }

    /// The record of a writer that is about to tell the mapping; `None` when that is done, or somebody is at it.
    pub(super) fn intend(&self, wanted: Wanted, clock: &dyn Clock) -> Option<ThrottleRecord> {
        let now = clock.now();
        // A dead writer's intent may have been carried out or not, so even what was written before is written again.
        let dead = self.intent.is_some_and(|intent| intent.until <= now);
        if wanted == self.current(now) && !dead {
            return None;
        }
        let intent = Intent { wanted, until: after(now, LEASE) };
        Some(ThrottleRecord { intent: Some(intent), ..*self })
    }

    /// The record after its intent was carried out.
    pub(super) fn carried_out(&self) -> ThrottleRecord {
        let written = self.intent.map_or(self.written, |intent| intent.wanted);
        ThrottleRecord { written, intent: None, ..*self }
    }

    /// The record after its intent failed: nobody relies on it any more, and the next writer writes whatever it wants.
    pub(super) fn given_up(&self, now: Timestamp) -> ThrottleRecord {
        let intent = self.intent.map(|intent| Intent { until: now, ..intent });
        ThrottleRecord { intent, ..*self }
    }

    /// The record as it is once it was kept.
    pub(super) fn kept(self) -> ThrottleRecord {
        ThrottleRecord { version: self.version + 1, ..self }
    }
}

impl From<Wanted> for Concurrency {
    fn from(wanted: Wanted) -> Concurrency {
        Concurrency { set: wanted.concurrency, paused: wanted.paused }
    }
}

#[cfg(test)]
mod tests {
    use stint_core::clock::ManualClock;

    use super::*;

    const FIVE: Wanted = Wanted { concurrency: Some(5), paused: false };
    const NINE: Wanted = Wanted { concurrency: Some(9), paused: false };

    fn written(wanted: Wanted) -> ThrottleRecord {
        ThrottleRecord { version: 3, written: wanted, intent: None }
    }

    #[test]
    fn everybody_relies_on_a_writer_that_lives() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let record = written(FIVE).intend(NINE, &clock).unwrap();
        assert_eq!(record.current(clock.now()), NINE);
        assert_eq!(record.intend(NINE, &clock), None, "somebody is at it");
        assert!(record.intend(FIVE, &clock).is_some(), "the last one wins");
        assert_eq!(record.carried_out(), written(NINE));
        assert_eq!(record.carried_out().intend(NINE, &clock), None, "it is done");
    }

    #[test]
    fn a_dead_or_failed_writer_is_written_over_whatever_is_wanted() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let record = written(FIVE).intend(NINE, &clock).unwrap();
        let failed = record.given_up(clock.now());
        clock.advance(LEASE);
        for record in [record, failed] {
            assert_eq!(record.current(clock.now()), FIVE);
            assert!(record.intend(NINE, &clock).is_some());
            assert!(record.intend(FIVE, &clock).is_some(), "the mapping may have been told 9");
        }
    }
}
