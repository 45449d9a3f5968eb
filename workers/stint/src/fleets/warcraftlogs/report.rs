//! The report of `demo` and `simulate`, as data and as text.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;
use stint_core::points::Points;

use super::simulate::result::SimulationResult;

/// The result of a whole run of a fleet.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct FleetReport {
    pub(crate) players: Players,
    pub(crate) budget: Budget,
    pub(crate) queue: Queue,
    pub(crate) invocations: Invocations,
    pub(crate) databases: Vec<Database>,
    pub(crate) virtual_seconds: f64,
    pub(crate) wall_seconds: f64,
    /// Results that only a simulation has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) simulation: Option<Box<SimulationResult>>,
}

/// Players, counted by id.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Players {
    pub(crate) discovered: u64,
    /// Players that the aggregator sent to the queue.
    pub(crate) queued: u64,
    pub(crate) ranked: u64,
    pub(crate) dropped: u64,
    /// Players that were discovered, and are neither ranked nor dropped nor still queued or parked.
    pub(crate) lost: u64,
}

/// Points of all keys, in all windows that were observed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Budget {
    pub(crate) limit: Points,
    pub(crate) spent: Points,
    /// Points that expired in windows that have ended.
    pub(crate) expired: Points,
    pub(crate) overspent: Points,
    /// Points spent divided by limits, in windows that had a backlog from start to end; 0 if there was none.
    pub(crate) utilisation: f64,
    pub(crate) refused_calls: u64,
}

/// Messages.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Queue {
    pub(crate) received: u64,
    pub(crate) succeeded: u64,
    pub(crate) receives_per_success: f64,
    pub(crate) parked: u64,
    pub(crate) dead_letters: u64,
}

/// Invocations of workers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Invocations {
    pub(crate) total: u64,
    pub(crate) wasted: u64,
}

/// One region's database.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Database {
    pub(crate) region: String,
    pub(crate) path: PathBuf,
    pub(crate) players: u64,
    pub(crate) bytes: u64,
}

impl FleetReport {
    /// Formats the report as text.
    pub(crate) fn to_text(&self) -> String {
        let FleetReport { players, budget, queue, invocations, .. } = self;
        let mut text = String::from("\n");
        let mut row = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<12} {value}");
        };
        row(
            "players",
            format!(
                "{} discovered = {} ranked + {} dropped (hidden, unknown, never classed, merged), {} lost",
                players.discovered, players.ranked, players.dropped, players.lost
            ),
        );
        row(
            "points",
            format!(
                "{} spent, {} overspent, {} calls refused; {} expired unspent",
                budget.spent, budget.overspent, budget.refused_calls, budget.expired
            ),
        );
        if budget.utilisation > 0.0 {
            row("", format!("{:.1} % used of the windows that had work all the time", budget.utilisation * 100.0));
        }
        row(
            "messages",
            format!(
                "{} received for {} done, {} parked, {} dead letters",
                queue.received, queue.succeeded, queue.parked, queue.dead_letters
            ),
        );
        row("invocations", format!("{}, {} wasted", invocations.total, invocations.wasted));
        for database in &self.databases {
            let Database { region, path, players, bytes } = database;
            row(&format!("database {region}"), format!("{players} players, {bytes} bytes: {}", path.display()));
        }
        text
    }
}
