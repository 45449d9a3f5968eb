//! Fleets and their workers as data, with times in seconds.

use serde::Serialize;
use stint_core::worker::{Trigger, WorkerSpec};

use crate::fleets::FLEETS;
use crate::time_format::format_duration;

#[derive(Serialize)]
pub(super) struct FleetDescription {
    pub(super) fleet: &'static str,
    pub(super) workers: Vec<WorkerDescription>,
    pub(super) queues: Vec<QueueDescription>,
}

#[derive(Serialize)]
pub(super) struct WorkerDescription {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) triggers: Vec<TriggerDescription>,
    pub(super) concurrency: u32,
    pub(super) timeout_seconds: u64,
}

#[derive(Serialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub(super) enum TriggerDescription {
    Schedule { every_seconds: u64 },
    Wakeup,
    Queue { queue: &'static str },
}

#[derive(Serialize)]
pub(super) struct QueueDescription {
    pub(super) queue: &'static str,
    pub(super) feeds: &'static str,
    pub(super) batch: usize,
    pub(super) visibility_timeout_seconds: u64,
    pub(super) max_receives: u32,
}

/// Returns the fleets that work today.
pub(super) fn fleets() -> Vec<FleetDescription> {
    FLEETS.iter().map(|row| fleet(row.name(), row.workers())).collect()
}

fn fleet(fleet: &'static str, workers: &[WorkerSpec]) -> FleetDescription {
    FleetDescription {
        fleet,
        workers: workers.iter().map(WorkerDescription::new).collect(),
        queues: workers.iter().filter_map(QueueDescription::new).collect(),
    }
}

impl WorkerDescription {
    fn new(spec: &WorkerSpec) -> WorkerDescription {
        WorkerDescription {
            name: spec.name,
            summary: spec.summary,
            triggers: spec.triggers.iter().map(TriggerDescription::new).collect(),
            concurrency: spec.concurrency,
            timeout_seconds: spec.timeout.as_secs(),
        }
    }
}

impl TriggerDescription {
    fn new(trigger: &Trigger) -> TriggerDescription {
        match trigger {
            Trigger::Every { period } => TriggerDescription::Schedule { every_seconds: period.as_secs() },
            Trigger::Wakeup => TriggerDescription::Wakeup,
            Trigger::Queue(queue) => TriggerDescription::Queue { queue: queue.queue },
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            TriggerDescription::Schedule { every_seconds } => {
                format!("every {}", format_duration(std::time::Duration::from_secs(*every_seconds)))
            }
            TriggerDescription::Wakeup => "by wake-up".into(),
            TriggerDescription::Queue { .. } => "by message".into(),
        }
    }
}

impl QueueDescription {
    fn new(spec: &WorkerSpec) -> Option<QueueDescription> {
        let queue = spec.queue()?;
        Some(QueueDescription {
            queue: queue.queue,
            feeds: spec.name,
            batch: queue.batch,
            visibility_timeout_seconds: queue.visibility_timeout.as_secs(),
            max_receives: queue.max_receives,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_fleet_is_described() {
        let fleet = fleets().pop().unwrap();
        assert_eq!((fleet.fleet, fleet.workers[0].name), ("sample", "sampler"));
    }
}
