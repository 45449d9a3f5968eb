//! Observes a running simulation: when there was a backlog, and the samples for the chart.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, before, between};
use stint_core::ports::Throttle;
use stint_warcraftlogs::store::Freshness;

use super::stage::Stage;

/// The time between two looks at the backlog. A window counts as having had a backlog throughout if every look saw one.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The most samples in a chart.
const MOST_SAMPLES: u64 = 1_440;

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
pub(super) struct Watch {
    pub(super) samples: Vec<Sample>,
    /// The times during which messages waited.
    pub(super) backlogs: Spans,
    /// The times during which any player was due, discovered or not.
    pub(super) due: Spans,
    pub(super) most_queued: u64,
    pub(super) most_parked: u64,
}

impl Watch {
    /// Returns whether messages waited all the time from `start` to `end`.
    pub(super) fn had_backlog(&self, start: Timestamp, end: Timestamp) -> bool {
        self.backlogs.cover(start, end)
    }

    /// Returns whether any player was due when a window ended.
    pub(super) fn had_due(&self, end: Timestamp) -> bool {
        self.due.cover(before(end, LOOK_EVERY), end)
    }
}

/// Spans of time during which a condition held at every look.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<(Timestamp, Timestamp)>,
    /// Whether the last look belongs to the last span.
    is_open: bool,
}

impl Spans {
    /// Adds a look.
    fn look(&mut self, is_so: bool, now: Timestamp) {
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

/// Observes the simulation until it ends. `tell` is called with the time that has passed.
pub(super) async fn watch(stage: &Stage, hours: Duration, seen: &RefCell<Watch>, tell: &dyn Fn(Duration)) {
    let looks = hours.as_secs() / LOOK_EVERY.as_secs();
    let sample_every = looks.div_ceil(MOST_SAMPLES).max(1);
    let mut look = 0;
    loop {
        let (now, counts, parked) = (stage.clock.now(), stage.queue.exact_counts(), stage.pool.parked());
        let queued = counts.unfinished();
        {
            let mut seen = seen.borrow_mut();
            seen.most_queued = seen.most_queued.max(queued);
            seen.most_parked = seen.most_parked.max(parked);
            seen.backlogs.look(counts.visible + counts.delayed + parked > 0, now);
            let freshness = Freshness::at(now, stage.settings().refresh_after());
            seen.due.look(stage.people.is_a_player_due(&freshness), now);
        }
        if look % sample_every == 0 {
            let sample = sample(stage, queued, parked, now).await;
            seen.borrow_mut().samples.push(sample);
            tell(between(stage.started, now));
        }
        look += 1;
        stage.clock.sleep(LOOK_EVERY).await;
    }
}

async fn sample(stage: &Stage, queued: u64, parked: u64, now: Timestamp) -> Sample {
    let limit = stage.settings().concurrency_limit;
    // The throttle in memory cannot fail.
    let set = stage.throttle.read(&stage.budget.worker).await.map_or(limit, |concurrency| concurrency.effective(limit));
    Sample { at: between(stage.started, now), queued, parked, running: stage.fetcher.take_peak(), concurrency: set }
}
