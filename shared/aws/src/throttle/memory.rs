//! The throttle's last values, kept outside Lambda's control plane, which does not allow enough requests to read them
//! there.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::{Clock, after};
use stint_core::ports::{Concurrency, PortResult};
use stint_core::worker::WorkerId;

/// Lease of a pending write. Longer than the slowest write including retries, so no other process takes over while the
/// writer is alive.
const LEASE: Duration = Duration::from_secs(60);

/// A store with one small record per worker, shared by all processes of a fleet.
#[async_trait]
pub trait ThrottleMemory: Send + Sync {
    /// Returns the record of `worker`, or the default one if there is none.
    async fn load(&self, worker: &WorkerId) -> PortResult<ThrottleRecord>;

    /// Stores `record` with its version raised by one, if the stored version is still that of `record` (0: there is
    /// none). Returns whether it did. Durable when it returns.
    async fn replace(&self, worker: &WorkerId, record: &ThrottleRecord) -> PortResult<bool>;
}

/// What is known of a worker's throttle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleRecord {
    /// How many times the record was replaced.
    pub version: u64,
    /// What was last written to the mapping, as far as known.
    pub written: DesiredState,
    /// The pending write.
    pub intent: Option<PendingWrite>,
}

/// The desired state of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredState {
    /// The concurrency, if it was ever set.
    pub concurrency: Option<u32>,
    /// Whether an operator has paused the worker.
    pub paused: bool,
}

/// A write that is in progress, or whose writer has exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingWrite {
    /// The state that is being written.
    pub wanted: DesiredState,
    /// When its lease ends.
    pub until: Timestamp,
}

impl ThrottleRecord {
    /// Returns the state that applies or is about to. All processes rely on a live writer, so that not all of them
    /// write.
    pub(super) fn current(&self, now: Timestamp) -> DesiredState {
        self.intent.filter(|intent| intent.until > now).map_or(self.written, |intent| intent.wanted)
    }

    /// Returns the record of a writer that is about to write to the mapping, or `None` if nothing is to be written or a
    /// live writer is doing so.
    pub(super) fn begin_write(&self, wanted: DesiredState, clock: &dyn Clock) -> Option<ThrottleRecord> {
        let now = clock.now();
        // An exited writer's change may have been made or not, so even the previously written state is written again.
        let has_lapsed = self.intent.is_some_and(|intent| intent.until <= now);
        if wanted == self.current(now) && !has_lapsed {
            return None;
        }
        let intent = PendingWrite { wanted, until: after(now, LEASE) };
        Some(ThrottleRecord { intent: Some(intent), ..*self })
    }

    /// Returns the record after its pending write has succeeded.
    pub(super) fn finished(&self) -> ThrottleRecord {
        let written = self.intent.map_or(self.written, |intent| intent.wanted);
        ThrottleRecord { written, intent: None, ..*self }
    }

    /// Returns the record after its pending write has failed: no process relies on it any more, and the next one writes
    /// whatever state it wants.
    pub(super) fn failed(&self, now: Timestamp) -> ThrottleRecord {
        let intent = self.intent.map(|intent| PendingWrite { until: now, ..intent });
        ThrottleRecord { intent, ..*self }
    }

    /// Returns the record with the version that it has once it is stored.
    pub(super) fn stored(self) -> ThrottleRecord {
        ThrottleRecord { version: self.version + 1, ..self }
    }
}

impl From<DesiredState> for Concurrency {
    fn from(wanted: DesiredState) -> Concurrency {
        Concurrency { limit: wanted.concurrency, paused: wanted.paused }
    }
}

#[cfg(test)]
mod tests {
    use stint_core::clock::ManualClock;

    use super::*;

    const FIVE: DesiredState = DesiredState { concurrency: Some(5), paused: false };
    const NINE: DesiredState = DesiredState { concurrency: Some(9), paused: false };

    fn written(wanted: DesiredState) -> ThrottleRecord {
        ThrottleRecord { version: 3, written: wanted, intent: None }
    }

    #[test]
    fn all_processes_rely_on_a_live_writer() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let record = written(FIVE).begin_write(NINE, &clock).unwrap();
        assert_eq!(record.current(clock.now()), NINE);
        assert_eq!(record.begin_write(NINE, &clock), None, "a live writer is writing");
        assert!(record.begin_write(FIVE, &clock).is_some(), "the last one wins");
        assert_eq!(record.finished(), written(NINE));
        assert_eq!(record.finished().begin_write(NINE, &clock), None, "it is done");
    }

    #[test]
    fn an_exited_or_failed_writer_is_overwritten_with_any_state() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let record = written(FIVE).begin_write(NINE, &clock).unwrap();
        let failed = record.failed(clock.now());
        clock.advance(LEASE);
        for record in [record, failed] {
            assert_eq!(record.current(clock.now()), FIVE);
            assert!(record.begin_write(NINE, &clock).is_some());
            assert!(record.begin_write(FIVE, &clock).is_some(), "the mapping may have been told 9");
        }
    }
}
