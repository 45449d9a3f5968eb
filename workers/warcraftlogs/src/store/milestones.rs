//! When the fleet last passed each of its stages. From these instants a worker decides whether the next one has
//! something to do, so that each worker is woken once per stage.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::PortResult;

/// Upper bound on the difference between the clocks of two machines. An instant further ahead was written by a wrong
/// clock.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// A stage in the processing of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// The start of the last aggregator run that read all players who are due.
    Aggregated,
    /// Players were sent to the queue, or the aggregator saw some in it.
    Queued,
    /// A rank fetcher found the queue empty.
    Emptied,
    /// When the database generator began to read the players of the last databases that it published.
    Generated,
    /// Players were imported from elsewhere.
    Imported,
}

impl Milestone {
    /// All stages.
    pub const ALL: [Milestone; 5] =
        [Milestone::Aggregated, Milestone::Queued, Milestone::Emptied, Milestone::Generated, Milestone::Imported];

    /// The name under which the stage is stored.
    pub fn name(self) -> &'static str {
        match self {
            Milestone::Aggregated => "aggregated",
            Milestone::Queued => "queued",
            Milestone::Emptied => "emptied",
            Milestone::Generated => "generated",
            Milestone::Imported => "imported",
        }
    }
}

/// When each stage was last passed; `None` if never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MilestoneTimes {
    /// See [`Milestone::Aggregated`].
    pub aggregated: Option<Timestamp>,
    /// See [`Milestone::Queued`].
    pub queued: Option<Timestamp>,
    /// See [`Milestone::Emptied`].
    pub emptied: Option<Timestamp>,
    /// See [`Milestone::Generated`].
    pub generated: Option<Timestamp>,
    /// See [`Milestone::Imported`].
    pub imported: Option<Timestamp>,
}

impl MilestoneTimes {
    /// Sets when `milestone` was passed.
    pub fn set(&mut self, milestone: Milestone, at: Timestamp) {
        let field = match milestone {
            Milestone::Aggregated => &mut self.aggregated,
            Milestone::Queued => &mut self.queued,
            Milestone::Emptied => &mut self.emptied,
            Milestone::Generated => &mut self.generated,
            Milestone::Imported => &mut self.imported,
        };
        *field = Some(at);
    }

    /// The instants to use at `now`: an instant in the future, written by a clock that was ahead, counts as never.
    pub fn as_of(self, now: Timestamp) -> MilestoneTimes {
        let past = |at: Option<Timestamp>| at.filter(|at| *at <= after(now, CLOCK_SKEW));
        MilestoneTimes {
            aggregated: past(self.aggregated),
            queued: past(self.queued),
            emptied: past(self.emptied),
            generated: past(self.generated),
            imported: past(self.imported),
        }
    }

    /// Whether players were queued after the queue was last found empty.
    pub fn has_queued_since_empty(&self) -> bool {
        self.queued > self.emptied
    }

    /// Whether players were queued, fetched or imported since the databases were last generated.
    pub fn databases_out_of_date(&self) -> bool {
        self.queued.max(self.emptied).max(self.imported) > self.generated
    }
}

/// When the fleet last passed each of its stages.
#[async_trait]
pub trait Milestones: Send + Sync {
    /// All stages.
    async fn reached(&self) -> PortResult<MilestoneTimes>;

    /// Records that a stage was passed at `at`. The last call wins, even with an earlier instant.
    async fn pass(&self, milestone: Milestone, at: Timestamp) -> PortResult<()>;
}
