//! Readings: what the upstream says about a key.

use std::time::Duration;

use jiff::Timestamp;

use super::KeyId;
use crate::clock::after;
use crate::points::Points;

/// A key's counter in an answer of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Points per window.
    pub limit: Points,
    /// Points spent in the window so far, without the charge of the request that returned this reading.
    pub spent: Points,
    /// The time until the window ends, in whole seconds.
    pub resets_in: Duration,
    /// When the answer arrived.
    pub received_at: Timestamp,
}

impl Reading {
    /// Returns when the window ends. Late by at most the round trip and the second that the upstream rounds up.
    pub fn reset_at(&self) -> Timestamp {
        after(self.received_at, self.resets_in)
    }
}

/// The right and the duty to read a key's counter. Granted to one caller at a time, so that a key that fifty callers
/// find empty is read once and not fifty times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingClaim {
    /// The key to read.
    pub key: KeyId,
    /// The key's sequence number before the request is sent. 0 for a reading without a claim, which confirms nothing.
    pub started: u64,
}
