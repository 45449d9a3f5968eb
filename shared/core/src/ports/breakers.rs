//! The port of the circuit breakers' records: what all processes of an installation know of an upstream's health.

use async_trait::async_trait;

use super::PortResult;
use crate::circuit::Circuit;

/// Stores one [`Circuit`] per upstream, by name and with a version.
///
/// Successful calls do not use this port: a [`Circuit`] is read when it may have changed, and written when it changes.
#[async_trait]
pub trait Breakers: Send + Sync {
    /// Returns the record of `upstream` and its version, counted from 1. Returns version 0 with a closed breaker if
    /// there is no record.
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)>;

    /// Stores `circuit` as the version after `version`, if `version` is still the stored one. Returns whether it was;
    /// if not, nothing has changed.
    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool>;
}
