//! Spans that have ended and wait for their export.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

/// The most spans kept between two exports. A fleet creates some hundreds a second here; beyond this they are counted
/// and dropped.
const MAX_PENDING_SPANS: usize = 4_096;

/// A span: a piece of work in a trace.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    /// Whether the trace is recorded, as decided where it began; `None` if it began here.
    pub(super) sampled: Option<bool>,
    pub(super) name: &'static str,
    pub(super) begun: Timestamp,
    pub(super) ended: Timestamp,
    /// The fields by name. A later field replaces an earlier one of the same name.
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

/// Creates unique ids.
#[derive(Debug)]
pub(super) struct Ids {
    process: u64,
    made: AtomicU64,
}

impl Ids {
    /// Creates the id generator of a process that started at `now`.
    pub(super) fn new(now: Timestamp) -> Ids {
        // Without random bytes, use the time. Two processes that start in the same nanosecond then share ids, which
        // only mixes up their traces.
        let process = getrandom::u64().unwrap_or(now.as_nanosecond() as u64);
        Ids { process, made: AtomicU64::new(0) }
    }

    /// Returns the id that distinguishes this process from all others.
    pub(super) fn process(&self) -> u64 {
        self.process
    }

    pub(super) fn span(&self) -> u64 {
        // The multiplier is odd, so no number repeats within 2^64 of them. To a collector 0 means "none".
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.process.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1)
    }

    pub(super) fn trace(&self) -> u128 {
        u128::from(self.process.rotate_left(32).max(1)) << 64 | u128::from(self.span())
    }
}

/// Spans that wait for an export.
#[derive(Debug, Default)]
pub(super) struct FinishedSpans(Mutex<(Vec<Span>, u64)>);

impl FinishedSpans {
    pub(super) fn push(&self, span: Span) {
        let mut ended = self.lock();
        if ended.0.len() < MAX_PENDING_SPANS {
            ended.0.push(span);
        } else {
            ended.1 += 1;
        }
    }

    /// Returns all waiting spans, and the number of dropped ones.
    pub(super) fn take(&self) -> (Vec<Span>, u64) {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Span>, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
