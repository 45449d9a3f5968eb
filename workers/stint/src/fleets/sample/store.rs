//! A backend for the store of samples: memory. A real fleet has a file per backend, such as `sqlite.rs`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;

use super::sampler::Samples;

/// Samples in memory.
#[derive(Default)]
pub(super) struct MemorySamples {
    times: Mutex<BTreeSet<Timestamp>>,
}

#[async_trait]
impl Samples for MemorySamples {
    async fn add(&self, at: Timestamp) -> PortResult<u64> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.insert(at);
        Ok(times.len() as u64)
    }

    async fn count(&self) -> PortResult<u64> {
        Ok(self.times.lock().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }
}
