//! Breaker records in memory, which no other process shares.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use stint_core::circuit::Circuit;
use stint_core::ports::{Breakers, PortResult};

/// Breaker records in memory, for simulations and tests.
#[derive(Default)]
pub struct MemoryBreakers {
    records: Mutex<BTreeMap<String, (u64, Circuit)>>,
}

impl MemoryBreakers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Circuit)>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Breakers for MemoryBreakers {
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)> {
        Ok(self.lock().get(upstream).cloned().unwrap_or_default())
    }

    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool> {
        let mut records = self.lock();
        let record = records.entry(upstream.to_owned()).or_default();
        let seen = record.0 == version;
        if seen {
            *record = (version + 1, circuit.clone());
        }
        Ok(seen)
    }
}
