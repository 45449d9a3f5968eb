//! Watching a simulation run: when there was a backlog, and what the chart shows.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, between};
use stint_core::ports::Throttle;

use super::stage::Stage;

/// Between two looks at the backlog: a window had one from start to end when every look saw one.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The most samples that a chart is drawn from.
const MOST_SAMPLES: u64 = 1_440;

/// A moment of a simulation.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// From the beginning.
    pub(super) at: Duration,
    /// Messages in the queue, on loan included.
    pub(super) queued: u64,
    pub(super) parked: u64,
    /// The most invocations of the rank fetcher at once since the sample before.
    pub(super) running: u32,
    /// The concurrency that was set last.
    pub(super) concurrency: u32,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) samples: Vec<Sample>,
    /// From when to when messages waited.
    pub(super) backlogs: Vec<(Timestamp, Timestamp)>,
    pub(super) most_queued: u64,
    pub(super) most_parked: u64,
}

impl Watch {
    /// Whether messages waited all the time from `start` to `end`.
    pub(super) fn had_backlog(&self, start: Timestamp, end: Timestamp) -> bool {
        self.backlogs.iter().any(|(from, to)| *from <= start && end <= *to)
    }
}

/// Looks again and again; `tell` is told how much of the time has passed.
pub(super) async fn watch(stage: &Stage, hours: Duration, seen: &RefCell<Watch>, tell: &dyn Fn(Duration)) {
    let looks = hours.as_secs() / LOOK_EVERY.as_secs();
    let sample_every = looks.div_ceil(MOST_SAMPLES).max(1);
    let mut look = 0;
    let mut waited_since = None;
    loop {
        let (now, counts, parked) = (stage.clock.now(), stage.queue.exact_counts(), stage.pool.parked());
        let queued = counts.unfinished();
        {
            let mut seen = seen.borrow_mut();
            seen.most_queued = seen.most_queued.max(queued);
            seen.most_parked = seen.most_parked.max(parked);
            waited_since = if counts.visible + counts.delayed + parked > 0 {
                let since = waited_since.unwrap_or(now);
                match seen.backlogs.last_mut().filter(|(from, _)| *from == since) {
                    Some((_, to)) => *to = now,
                    None => seen.backlogs.push((since, now)),
                }
                Some(since)
            } else {
                None
            };
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
    // The throttle in memory does not fail.
    let set = stage.throttle.read(&stage.budget.worker).await.map_or(limit, |concurrency| concurrency.effective(limit));
    Sample { at: between(stage.started, now), queued, parked, running: stage.fetcher.take_peak(), concurrency: set }
}
