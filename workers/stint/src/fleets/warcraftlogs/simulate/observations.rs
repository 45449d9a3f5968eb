//! Observes a running simulation: when there was a backlog, and the samples for the chart.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, before, between};
use stint_core::ports::Throttle;
use stint_warcraftlogs::store::Freshness;

use super::simulated_fleet::SimulatedFleet;

/// The time between two observations of the backlog. A window counts as having had a backlog throughout if
/// every observation saw one.
const INTERVAL: Duration = Duration::from_secs(60);

/// The most samples in a chart.
const MAX_SAMPLES: u64 = 1_440;

/// A sample of a simulation.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// The time since the beginning.
    pub(super) at: Duration,
    /// Messages in the queue, including those in flight.
    pub(super) queued: u64,
    pub(super) parked: u64,
    /// The most concurrent invocations of the rank fetcher since the previous sample.
    pub(super) running: u32,
    /// The concurrency that was last set.
    pub(super) concurrency: u32,
}

/// All observations.
#[derive(Debug, Default)]
pub(super) struct Observations {
    pub(super) samples: Vec<Sample>,
    /// The times during which messages waited.
    pub(super) backlogs: Spans,
    /// The times during which any player was due, discovered or not.
    pub(super) due: Spans,
    pub(super) most_queued: u64,
    pub(super) most_parked: u64,
}

impl Observations {
    /// Returns whether messages waited all the time from `start` to `end`.
    pub(super) fn had_backlog(&self, start: Timestamp, end: Timestamp) -> bool {
        self.backlogs.cover(start, end)
    }

    /// Returns whether any player was due when a window ended.
    pub(super) fn had_due(&self, end: Timestamp) -> bool {
        self.due.cover(before(end, INTERVAL), end)
    }
}

/// Spans of time during which a condition held at every observation.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<(Timestamp, Timestamp)>,
    /// Whether the last observation belongs to the last span.
    is_open: bool,
}

impl Spans {
    /// Adds an observation.
    fn record(&mut self, is_so: bool, now: Timestamp) {
        match self.spans.last_mut().filter(|_| self.is_open && is_so) {
            Some((_, to)) => *to = now,
            None if is_so => self.spans.push((now, now)),
            None => {}
        }
        self.is_open = is_so;
    }

    /// Returns whether the condition held from `start` to `end`.
    fn cover(&self, start: Timestamp, end: Timestamp) -> bool {
        self.spans.iter().any(|(from, to)| *from <= start && end <= *to)
    }
}

/// Observes the simulation until it ends. `on_progress` is called with the time that has passed.
pub(super) async fn observe(
    fleet: &SimulatedFleet,
    hours: Duration,
    observed: &RefCell<Observations>,
    on_progress: &dyn Fn(Duration),
) {
    let observations = hours.as_secs() / INTERVAL.as_secs();
    let sample_every = observations.div_ceil(MAX_SAMPLES).max(1);
    let mut observation = 0;
    loop {
        let (now, counts, parked) = (fleet.clock.now(), fleet.queue.exact_counts(), fleet.pool.parked());
        let queued = counts.unfinished();
        {
            let mut observed = observed.borrow_mut();
            observed.most_queued = observed.most_queued.max(queued);
            observed.most_parked = observed.most_parked.max(parked);
            observed.backlogs.record(counts.visible + counts.delayed + parked > 0, now);
            let freshness = Freshness::at(now, fleet.settings().refresh_after());
            observed.due.record(fleet.stores.is_a_player_due(&freshness), now);
        }
        if observation % sample_every == 0 {
            let sample = sample(fleet, queued, parked, now).await;
            observed.borrow_mut().samples.push(sample);
            on_progress(between(fleet.started, now));
        }
        observation += 1;
        fleet.clock.sleep(INTERVAL).await;
    }
}

async fn sample(fleet: &SimulatedFleet, queued: u64, parked: u64, now: Timestamp) -> Sample {
    let limit = fleet.settings().concurrency_limit;
    // The throttle in memory cannot fail.
    let set = fleet.throttle.read(&fleet.budget.worker).await.map_or(limit, |concurrency| concurrency.effective(limit));
    Sample { at: between(fleet.started, now), queued, parked, running: fleet.fetcher.take_peak(), concurrency: set }
}
