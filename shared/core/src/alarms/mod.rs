//! Alarms on durable records: which message is due, and who sends it.
//!
//! A message is entered into the record before it is sent, with a lease, and taken out afterwards. The record is replaced
//! only if no other process has changed it, so of any number of processes that see the fault, one sends.
//!
//! # What may happen between any two lines
//! * *The process exits before the record is stored:* the next call sends the message.
//! * *It exits after that, before or while the message is sent:* the lease ends after a minute, and the next call sends
//!   it.
//! * *It exits after the message is sent, before the record says so:* the message is sent once more, a minute later. No
//!   recipient can be asked whether it has a message.
//! * *It exits in the middle of several recipients:* all of them get the message again.
//! * *The outage ends, or begins again, while a message is being sent:* the record has changed, so the end of the sending
//!   is not entered; the newer message follows.
//! * *A recipient fails:* the fault is in the record and in the log, and the message is sent again an hour later. An
//!   all-clear is given up after a day.

mod breakers;
mod log;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::clock::{Clock, after, between};
use crate::ports::{
    AlarmId, AlarmKind, AlarmMessage, AlarmRecord, AlarmRecords, AlarmSink, Alarms, PendingMessage, PortError,
    PortResult, REMINDER,
};

pub use breakers::AlarmingBreakers;
pub use log::LogSink;

/// Lease of a message that is being sent. Longer than all recipients together may take.
const LEASE: Duration = Duration::from_secs(60);

/// How often an all-clear is sent in vain.
const MOST_FAILURES: u32 = 24;

/// How often a change is tried, because other processes may change the record meanwhile.
const TRIES: usize = 8;

/// Alarms on records, with recipients.
pub struct StoredAlarms {
    records: Arc<dyn AlarmRecords>,
    sinks: Vec<Arc<dyn AlarmSink>>,
    clock: Arc<dyn Clock>,
}

impl StoredAlarms {
    /// Creates alarms whose messages go to all `sinks`.
    pub fn new(records: Arc<dyn AlarmRecords>, sinks: Vec<Arc<dyn AlarmSink>>, clock: Arc<dyn Clock>) -> StoredAlarms {
        StoredAlarms { records, sinks, clock }
    }

    /// Stores what `step` makes of the record, and sends the message that it enters. `step` returns `None` to change
    /// nothing.
    async fn change(
        &self,
        id: &AlarmId,
        step: impl Fn(Option<AlarmRecord>, Timestamp) -> Option<AlarmRecord> + Send + Sync,
    ) -> PortResult<()> {
        for _ in 0..TRIES {
            let (version, record) =
                self.records.load(id).await?.map_or((0, None), |(version, record)| (version, Some(record)));
            let Some(changed) = step(record, self.clock.now()) else { return Ok(()) };
            if self.records.replace(version, &changed).await? {
                return self.send(changed).await;
            }
        }
        Err(PortError::backend(format!("alarm '{}'", id.key()), "other processes changed it each time"))
    }

    /// Sends the pending message of a record that is stored, and enters the outcome unless the record has changed.
    async fn send(&self, stored: AlarmRecord) -> PortResult<()> {
        let Some(pending) = &stored.pending else { return Ok(()) };
        let message = message(&stored, pending.kind, self.clock.now());
        let mut failures = Vec::new();
        for sink in &self.sinks {
            failures.extend(sink.send(&message).await.err());
        }
        let failure = (!failures.is_empty()).then(|| failures.join("; "));
        if let Some(failure) = &failure {
            tracing::warn!(alarm = stored.id.key(), failure, "an alarm did not reach every recipient: {failure}");
        }
        let sent = sent(&stored, pending, failure, self.clock.now());
        // If another process has replaced the record, it is ahead of this outcome.
        match self.records.load(&stored.id).await? {
            Some((version, current)) if current == stored => self.records.replace(version, &sent).await.map(drop),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Alarms for StoredAlarms {
    async fn raise(&self, id: &AlarmId, text: &str) -> PortResult<()> {
        self.change(id, |record, now| raised(id, text, record, now)).await
    }

    async fn clear(&self, id: &AlarmId) -> PortResult<()> {
        self.change(id, |record, now| cleared(record?, now)).await
    }

    async fn open(&self) -> PortResult<Vec<AlarmRecord>> {
        let mut open: Vec<_> = self.records.list().await?.into_iter().filter(AlarmRecord::is_open).collect();
        open.sort_by(|one, two| (one.since, &one.id).cmp(&(two.since, &two.id)));
        Ok(open)
    }
}

/// Returns the record of an outage that is seen now, with the message that is due; `None` if none is.
fn raised(id: &AlarmId, text: &str, record: Option<AlarmRecord>, now: Timestamp) -> Option<AlarmRecord> {
    let Some(record) = record.filter(AlarmRecord::is_open) else {
        let pending = pending(AlarmKind::Raised, now, 0);
        let (id, text) = (id.clone(), text.to_owned());
        return Some(AlarmRecord { id, text, since: now, told_at: None, cleared_at: None, pending, failure: None });
    };
    let (kind, failed) = match (&record.pending, record.told_at) {
        (Some(pending), _) if is_ahead(pending.until, now) => return None,
        (Some(pending), _) => (pending.kind, pending.failed),
        (None, Some(told_at)) if is_ahead(after(told_at, REMINDER), now) => return None,
        (None, Some(_)) => (AlarmKind::Reminder, 0),
        (None, None) => (AlarmKind::Raised, 0),
    };
    Some(AlarmRecord { text: text.to_owned(), pending: pending(kind, now, failed), ..record })
}

/// Returns the record of an outage that is over, with the message that is due; `None` if none is.
fn cleared(record: AlarmRecord, now: Timestamp) -> Option<AlarmRecord> {
    if record.is_open() {
        return Some(AlarmRecord { cleared_at: Some(now), pending: pending(AlarmKind::Cleared, now, 0), ..record });
    }
    let waiting = record.pending.as_ref().filter(|pending| !is_ahead(pending.until, now))?;
    let again = pending(AlarmKind::Cleared, now, waiting.failed);
    Some(AlarmRecord { pending: again, ..record })
}

/// Returns the record after its message was sent, or could not be delivered everywhere.
fn sent(record: &AlarmRecord, pending: &PendingMessage, failure: Option<String>, now: Timestamp) -> AlarmRecord {
    let failed = pending.failed + 1;
    let gives_up = !record.is_open() && failed >= MOST_FAILURES;
    let again = (failure.is_some() && !gives_up).then(|| PendingMessage {
        kind: pending.kind,
        until: after(now, REMINDER),
        failed,
    });
    AlarmRecord { told_at: Some(now), pending: again, failure, ..record.clone() }
}

fn pending(kind: AlarmKind, now: Timestamp, failed: u32) -> Option<PendingMessage> {
    Some(PendingMessage { kind, until: after(now, LEASE), failed })
}

/// Whether an instant is still to come. One that is further away than any is set was written by a clock that was
/// ahead, and counts as past.
fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    now < at && between(now, at) <= REMINDER
}

fn message(record: &AlarmRecord, kind: AlarmKind, now: Timestamp) -> AlarmMessage {
    let lasted = between(record.since, record.cleared_at.unwrap_or(now));
    let AlarmId { source, name } = &record.id;
    let text = match kind {
        AlarmKind::Raised => format!("{source}: {}", record.text),
        AlarmKind::Reminder => format!("{source}: still, for {}: {}", duration(lasted), record.text),
        AlarmKind::Cleared => format!("{source}: {name} is over after {}: {}", duration(lasted), record.text),
    };
    let (id, since) = (record.id.clone(), record.since);
    AlarmMessage { kind, id, text, since, at: now, lasted_seconds: lasted.as_secs() }
}

/// Returns a duration in the two largest units that it needs.
fn duration(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", duration.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
