//! What a simulation adds to the report: the answers to an operator's questions.

use std::collections::BTreeMap;

use serde::Serialize;
use stint_core::points::Points;
use stint_simulation::control_plane::ControlUsage;
use stint_simulation::lambda::Usage;
use stint_simulation::poller::MappingUsage;
use stint_simulation::prices::Bill;
use stint_simulation::sqs::SqsUsage;

/// The answers. Times are in seconds from the beginning.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Whether everybody was fetched in the time that was simulated.
    pub(crate) fits: bool,
    /// When everybody had been fetched once.
    pub(crate) done_after_seconds: Option<f64>,
    /// In one sentence.
    pub(crate) verdict: String,
    pub(crate) flow: Flow,
    pub(crate) capacity: Capacity,
    pub(crate) ages: RankAges,
    /// What is still to be done at the end.
    pub(crate) left: Left,
    pub(crate) keys: Vec<KeyOutcome>,
    pub(crate) wakeups: WakeDelay,
    pub(crate) cloud: Cloud,
    /// How often each fault happened that was wished for, by its name on the command line.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) faults: BTreeMap<&'static str, u64>,
}

/// Whether the fleet worked whenever there was work. A player is due who was never fetched, discovered or not, who waits in a
/// queue, or whose ranks are stale.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Flow {
    /// When the first ranks were stored.
    pub(crate) first_rank_after_seconds: Option<f64>,
    /// Of windows that ended before.
    pub(crate) expired_before_first_rank: Points,
    /// Of windows at whose end a player was due.
    pub(crate) expired_while_due: Points,
    /// Spent of limit, in windows at whose end a player was due; 0 when there was none.
    pub(crate) utilisation_while_due: f64,
    /// When databases were generated.
    pub(crate) databases_after_seconds: Vec<f64>,
}

/// How much the keys can carry, by what the run has shown.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Capacity {
    /// What a player cost on average, failed calls and readings included.
    pub(crate) points_per_player: f64,
    /// Players that the keys serve in a day when all their points are spent.
    pub(crate) players_per_day: f64,
    /// Of the population, in a day.
    pub(crate) share_per_day: f64,
    /// Days for everybody once.
    pub(crate) days_for_all: f64,
    /// Keys such as these, for everybody in the time that was simulated.
    pub(crate) keys_needed: u64,
}

/// How old the ranks are at the end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RankAges {
    pub(crate) median_seconds: f64,
    pub(crate) p95_seconds: f64,
    /// Players that were not fetched yet.
    pub(crate) never: u64,
}

/// What is left at the end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Left {
    /// Discovered players who are due.
    pub(crate) to_queue: u64,
    /// Discovered players who are due later.
    pub(crate) fresh: u64,
    pub(crate) queued: u64,
    pub(crate) parked: u64,
    /// The most messages that ever waited.
    pub(crate) most_queued: u64,
    pub(crate) most_parked: u64,
}

/// One key.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct KeyOutcome {
    pub(crate) key: String,
    pub(crate) limit: Points,
    pub(crate) windows: Vec<WindowOutcome>,
}

/// One whole window of a key, by the upstream's books.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct WindowOutcome {
    pub(crate) reset_at_seconds: f64,
    pub(crate) spent: Points,
    pub(crate) expired: Points,
    /// Whether messages waited from its start to its end.
    pub(crate) backlog: bool,
    /// Whether a player was due at its end.
    pub(crate) due: bool,
}

/// How late wake-ups came after they were due.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct WakeDelay {
    pub(crate) fired: u64,
    pub(crate) median_seconds: f64,
    pub(crate) longest_seconds: f64,
}

/// What the cloud did, and what it costs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cloud {
    pub(crate) rank_fetcher: Usage,
    pub(crate) others: Usage,
    pub(crate) mapping: MappingUsage,
    pub(crate) sqs: SqsUsage,
    pub(crate) control_plane: ControlUsage,
    /// US dollars a month.
    pub(crate) bill: Bill,
}
