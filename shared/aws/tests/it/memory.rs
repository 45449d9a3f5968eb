//! A throttle memory for tests: behaves like a stored one, but ends with the process.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use stint_aws::{DesiredState, ThrottleMemory, ThrottleRecord};
use stint_core::ports::PortResult;
use stint_core::worker::WorkerId;

#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<WorkerId, ThrottleRecord>>);

#[async_trait]
impl ThrottleMemory for Memory {
    async fn load(&self, worker: &WorkerId) -> PortResult<ThrottleRecord> {
        Ok(self.0.lock().unwrap().get(worker).copied().unwrap_or_default())
    }

    async fn replace(&self, worker: &WorkerId, record: &ThrottleRecord) -> PortResult<bool> {
        let mut records = self.0.lock().unwrap();
        let kept = records.entry(worker.clone()).or_default();
        let ours = kept.version == record.version;
        if ours {
            *kept = ThrottleRecord { version: record.version + 1, ..*record };
        }
        Ok(ours)
    }
}

impl Memory {
    /// Stores what another process has written completely.
    pub(crate) fn overwrite(&self, worker: &WorkerId, written: DesiredState) {
        let mut records = self.0.lock().unwrap();
        let kept = records.entry(worker.clone()).or_default();
        *kept = ThrottleRecord { version: kept.version + 2, written, intent: None };
    }
}
