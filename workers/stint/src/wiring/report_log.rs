//! Collects what the scheduled workers of a host have reported since it started.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::Clock;
use stint_core::worker::{Outcome, WorkerError, WorkerId};
use stint_host::Observer;

/// The reports of all scheduled workers. Clones share them.
#[derive(Clone)]
pub(crate) struct ReportLog {
    clock: Arc<dyn Clock>,
    workers: Arc<Mutex<BTreeMap<WorkerId, WorkerReports>>>,
}

/// The reports of one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerReports {
    /// The last report.
    pub(crate) last: Option<Value>,
    /// The number of failures since the last report.
    pub(crate) failures: u32,
    /// The last error.
    pub(crate) error: Option<String>,
    /// Each number in the reports: its sum, and when it was first above zero.
    sums: BTreeMap<String, (u64, Option<Timestamp>)>,
}

impl ReportLog {
    /// Creates an empty log.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> ReportLog {
        ReportLog { clock, workers: Arc::default() }
    }

    /// Returns an observer that records the host's reports.
    pub(crate) fn observer(&self) -> Observer {
        let report_log = self.clone();
        Arc::new(move |worker, outcome| report_log.write(worker, outcome))
    }

    /// Returns what a worker has reported.
    pub(crate) fn of(&self, worker: &WorkerId) -> WorkerReports {
        self.lock().get(worker).cloned().unwrap_or_default()
    }

    fn write(&self, worker: &WorkerId, outcome: &Result<Outcome, WorkerError>) {
        let now = self.clock.now();
        let mut workers = self.lock();
        let reports = workers.entry(worker.clone()).or_default();
        match outcome {
            Ok(outcome) => reports.report(&outcome.report, now),
            Err(error) => {
                reports.failures += 1;
                reports.error = Some(error.to_string());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerId, WorkerReports>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkerReports {
    /// Returns the sum of a number over all reports.
    pub(crate) fn total(&self, field: &str) -> u64 {
        self.sums.get(field).map_or(0, |(sum, _)| *sum)
    }

    /// Returns when a number was first above zero.
    pub(crate) fn first_above_zero(&self, field: &str) -> Option<Timestamp> {
        self.sums.get(field).and_then(|(_, since)| *since)
    }

    fn report(&mut self, report: &Value, now: Timestamp) {
        (self.failures, self.error) = (0, None);
        for (field, value) in report.as_object().into_iter().flatten() {
            let Some(number) = value.as_u64() else { continue };
            let (sum, since) = self.sums.entry(field.clone()).or_default();
            *sum += number;
            *since = since.or((number > 0).then_some(now));
        }
        self.last = Some(report.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use stint_core::clock::{ManualClock, after};

    use super::*;

    const AGGREGATOR: WorkerId = WorkerId::new("fleet", "aggregator");
    const GENERATOR: WorkerId = WorkerId::new("fleet", "db-generator");

    #[test]
    fn numbers_add_up_and_a_success_forgets_failures() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let report_log = ReportLog::new(Arc::new(clock.clone()));
        let tell = report_log.observer();
        let queued = |queued: u64| Ok(Outcome::report(json!({ "queued": queued, "waits_for": null })));
        tell(&AGGREGATOR, &queued(0));
        clock.advance(Duration::from_secs(5));
        tell(&AGGREGATOR, &queued(3));
        tell(&AGGREGATOR, &Err(WorkerError::Failed("no".into())));
        tell(&AGGREGATOR, &queued(4));
        tell(&GENERATOR, &Err(WorkerError::Failed("no disk".into())));
        let reports = report_log.of(&AGGREGATOR);
        assert_eq!((reports.total("queued"), reports.failures, reports.error), (7, 0, None));
        let since = report_log.of(&AGGREGATOR).first_above_zero("queued");
        assert_eq!(since, Some(after(Timestamp::UNIX_EPOCH, Duration::from_secs(5))));
        let reports = report_log.of(&GENERATOR);
        assert_eq!((reports.failures, reports.error.as_deref(), reports.last), (1, Some("no disk"), None));
        assert_eq!(report_log.of(&WorkerId::new("other", "aggregator")).total("pages"), 0);
    }
}
