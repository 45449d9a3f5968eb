//! The port of the breakers' records: what all processes of an installation know of an upstream's health.

use async_trait::async_trait;

use super::PortResult;
use crate::circuit::Circuit;

/// Keeps one [`Circuit`] for each upstream, by name, with a version.
///
/// Good calls ask nothing of it: a [`Circuit`] is read when it may have changed, and written when it does.
#[async_trait]
pub trait Breakers: Send + Sync {
    /// The record of `upstream` and its version, from 1; version 0 with a closed breaker where none was ever kept.
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)>;

    /// Keeps `circuit` as the version after `version`, if that is still the one that is kept. Returns whether it was; if it
    /// was not, nothing has changed.
    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool>;
}
