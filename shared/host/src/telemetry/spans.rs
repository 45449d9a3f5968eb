//! Spans that have ended, until they are exported.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

/// Spans kept between two exports. A fleet here makes some hundreds a second; more are counted and dropped.
const MOST_SPANS: usize = 4_096;

/// A piece of work, as a trace shows it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: &'static str,
    pub(super) begun: Timestamp,
    pub(super) ended: Timestamp,
    /// Fields by name; a later one of a name replaces the earlier.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Span {
    /// Sets a field.
    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        match self.fields.iter_mut().find(|field| field.0 == name) {
            Some(field) => field.1 = value,
            None => self.fields.push((name, value)),
        }
    }
}

/// Names that no other span has.
#[derive(Debug)]
pub(super) struct Ids {
    process: u64,
    made: AtomicU64,
}

impl Ids {
    /// Ids of a process that began at `now`.
    pub(super) fn new(now: Timestamp) -> Ids {
        // Without random bytes, the time: two processes of one nanosecond share ids, which spoils nothing but a trace.
        let process = getrandom::u64().unwrap_or(now.as_nanosecond() as u64);
        Ids { process, made: AtomicU64::new(0) }
    }

    /// Tells this process from all others.
    pub(super) fn process(&self) -> u64 {
        self.process
    }

    pub(super) fn span(&self) -> u64 {
        // An odd multiplier: no number repeats before 2^64 of them. 0 means "none" to a collector.
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.process.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1)
    }

    pub(super) fn trace(&self) -> u128 {
        u128::from(self.process.rotate_left(32).max(1)) << 64 | u128::from(self.span())
    }
}

/// Spans that wait for an export.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<(Vec<Span>, u64)>);

impl Ended {
    pub(super) fn push(&self, span: Span) {
        let mut ended = self.lock();
        if ended.0.len() < MOST_SPANS {
            ended.0.push(span);
        } else {
            ended.1 += 1;
        }
    }

    /// All that wait, and how many there was no room for.
    pub(super) fn take(&self) -> (Vec<Span>, u64) {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Span>, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
