//! The part of a simulation's report that answers the operator's questions.

use std::collections::BTreeMap;

use serde::Serialize;
use stint_core::points::Points;
use stint_simulation::control_plane::ControlUsage;
use stint_simulation::lambda::Usage;
use stint_simulation::poller::MappingUsage;
use stint_simulation::prices::Bill;
use stint_simulation::sqs::SqsUsage;

/// The results. Times are in seconds from the beginning.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SimulationResult {
    /// Whether every player was fetched within the simulated time.
    pub(crate) fits: bool,
    /// When every player had been fetched once.
    pub(crate) done_after_seconds: Option<f64>,
    /// The result in one sentence.
    pub(crate) verdict: String,
    pub(crate) flow: Flow,
    pub(crate) capacity: Capacity,
    pub(crate) ages: RankAges,
    /// The work that is left at the end.
    pub(crate) left: RemainingWork,
    pub(crate) keys: Vec<KeyResult>,
    pub(crate) wakeups: WakeDelay,
    pub(crate) cloud: Cloud,
    /// How often each requested fault occurred, by its name on the command line.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) faults: BTreeMap<&'static str, u64>,
}

/// Whether the fleet worked whenever there was work. A player is due if it was never fetched (discovered or not), if it
/// waits in a queue, or if its ranks are stale.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Flow {
    /// When the first ranks were stored.
    pub(crate) first_rank_after_seconds: Option<f64>,
    /// Points that expired in windows that ended before that time.
    pub(crate) expired_before_first_rank: Points,
    /// Points that expired in windows at whose end a player was due.
    pub(crate) expired_while_due: Points,
    /// Points spent divided by limits, in windows at whose end a player was due; 0 if there were none.
    pub(crate) utilisation_while_due: f64,
    /// When databases were generated.
    pub(crate) databases_after_seconds: Vec<f64>,
}

/// The capacity of the keys, as observed in the run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Capacity {
    /// The average cost of a player, including failed calls and readings.
    pub(crate) points_per_player: f64,
    /// Players that the keys serve per day if all their points are spent.
    pub(crate) players_per_day: f64,
    /// That number divided by the population.
    pub(crate) share_per_day: f64,
    /// Days needed to fetch every player once.
    pub(crate) days_for_all: f64,
    /// The number of such keys needed to fetch every player within the simulated time.
    pub(crate) keys_needed: u64,
}

/// The ages of the ranks at the end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RankAges {
    pub(crate) median_seconds: f64,
    pub(crate) p95_seconds: f64,
    /// Players that were never fetched.
    pub(crate) never: u64,
}

/// The work that is left at the end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RemainingWork {
    /// Discovered players that are due.
    pub(crate) to_queue: u64,
    /// Discovered players that are due later.
    pub(crate) fresh: u64,
    pub(crate) queued: u64,
    pub(crate) parked: u64,
    /// The most messages that waited at any time.
    pub(crate) most_queued: u64,
    pub(crate) most_parked: u64,
}

/// One key.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct KeyResult {
    pub(crate) key: String,
    pub(crate) limit: Points,
    pub(crate) windows: Vec<WindowResult>,
}

/// One whole window of a key, from the upstream's records.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct WindowResult {
    pub(crate) reset_at_seconds: f64,
    pub(crate) spent: Points,
    pub(crate) expired: Points,
    /// Whether messages waited from its start to its end.
    pub(crate) backlog: bool,
    /// Whether a player was due at its end.
    pub(crate) due: bool,
}

/// How long after they were due wake-ups fired.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct WakeDelay {
    pub(crate) fired: u64,
    pub(crate) median_seconds: f64,
    pub(crate) longest_seconds: f64,
}

/// Cloud usage and its cost.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cloud {
    pub(crate) rank_fetcher: Usage,
    pub(crate) others: Usage,
    pub(crate) mapping: MappingUsage,
    pub(crate) sqs: SqsUsage,
    pub(crate) control_plane: ControlUsage,
    /// In US dollars per month.
    pub(crate) bill: Bill,
}
