//! The meter: sums up recorded measurements.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stint_core::telemetry::{Metric, MetricKind};

/// The histogram bounds of a [`MetricKind::Distribution`] in seconds: they include a schedule's minute in the cloud and a window's
/// hour.
pub(super) const BOUNDS: [f64; 7] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// All series, by metric and dimension value.
pub(super) type Recorded = BTreeMap<Metric, BTreeMap<String, Series>>;

/// One metric of one key, queue or worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// The sum of all values so far.
    pub(super) sum: f64,
    /// The last value.
    pub(super) last: f64,
    /// The number of values so far.
    pub(super) count: u64,
    /// The number of values up to each of the bounds, and beyond the last.
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    /// What is new since the last read, if anything is. A distribution has no single value, and is read by `all` alone.
    fresh: Option<f64>,
}

/// Sums up the measurements of a process.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Recorded>);

impl Meter {
    pub(super) fn record(&self, metric: Metric, of: &str, value: f64) {
        let mut recorded = self.lock();
        let series = recorded.entry(metric).or_default();
        match series.get_mut(of) {
            Some(series) => series.add(metric.kind(), value),
            None => series.entry(of.to_owned()).or_default().add(metric.kind(), value),
        }
    }

    /// Returns everything since the process began.
    pub(super) fn all(&self) -> Recorded {
        self.lock().clone()
    }

    /// Returns what is new since the last call: the metric, its dimension value, and its value.
    pub(super) fn take_fresh(&self) -> Vec<(Metric, String, f64)> {
        let mut fresh = Vec::new();
        for (metric, series) in self.lock().iter_mut() {
            let new = series.iter_mut().filter_map(|(of, series)| Some((*metric, of.clone(), series.fresh.take()?)));
            fresh.extend(new);
        }
        fresh
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn add(&mut self, kind: MetricKind, value: f64) {
        self.sum += value;
        self.last = value;
        self.count += 1;
        self.buckets[BOUNDS.partition_point(|bound| *bound < value)] += 1;
        match kind {
            MetricKind::Sum => self.fresh = Some(self.fresh.unwrap_or(0.0) + value),
            MetricKind::Latest => self.fresh = Some(value),
            MetricKind::Distribution => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_added_and_the_latest_replaced() {
        let meter = Meter::default();
        for value in [1.0, 60.0, 61.0] {
            meter.record(Metric::Calls, "a", value);
            meter.record(Metric::PointsHeld, "a", value);
            meter.record(Metric::WakeDelay, "reviver", value);
        }
        meter.record(Metric::Calls, "b", 5.0);
        let named = |metric, of: &str, value| (metric, of.to_owned(), value);
        let expected =
            [named(Metric::PointsHeld, "a", 61.0), named(Metric::Calls, "a", 122.0), named(Metric::Calls, "b", 5.0)];
        assert_eq!(meter.take_fresh(), expected);
        assert_eq!(meter.take_fresh(), []);
        let all = meter.all();
        assert_eq!(all[&Metric::WakeDelay]["reviver"].buckets, [1, 0, 0, 1, 1, 0, 0, 0]);
        meter.record(Metric::Calls, "a", 2.0);
        assert_eq!((meter.all()[&Metric::Calls]["a"].sum, meter.take_fresh()[0].2), (124.0, 2.0));
    }
}
