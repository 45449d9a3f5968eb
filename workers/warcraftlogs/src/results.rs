//! What an answer brought, sorted into what to store and what failed.

use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_core::worker::Disposition;

use crate::client::{Fate, RanksOf};
use crate::model::Player;
use crate::rank_fetcher::Report;
use crate::store::{DropReason, Dropped, Players};
use crate::whom::Whom;

/// What an answer brought.
pub(crate) struct Results {
    /// To be stored.
    players: Vec<Player>,
    /// To be recorded.
    dropped: Vec<Dropped>,
    /// Asked for by name, and without ranks for good: there is no id to record that under.
    unrecorded: Vec<(Whom, DropReason)>,
    /// Players whose message must not be acknowledged.
    pub(crate) failed: Vec<(Whom, Disposition)>,
}

impl Results {
    /// Sorts the fates of those who were asked for, in the same order. Nothing is done yet.
    pub(crate) fn sort_out(asked: &[RanksOf], fates: Vec<Fate>, now: Timestamp) -> Results {
        let mut results =
            Results { players: Vec::new(), dropped: Vec::new(), unrecorded: Vec::new(), failed: Vec::new() };
        for (request, fate) in asked.iter().zip(fates) {
            match fate {
                Fate::Ranked(player) => {
                    if request.whom.id().is_some_and(|id| id != player.id) {
                        results.drop(&request.whom, DropReason::Merged, now);
                    }
                    results.players.push(*player);
                }
                Fate::Dropped(reason) => results.drop(&request.whom, reason, now),
                Fate::Rejected(reason) => results.fail(&request.whom, Disposition::Reject { reason }),
                Fate::Failed(reason) => results.fail(&request.whom, Disposition::Retry { reason }),
            }
        }
        results
    }

    /// Stores what is to be stored, and counts it. Doing it twice changes nothing.
    pub(crate) async fn store(&self, players: &dyn Players, report: &mut Report) -> PortResult<()> {
        players.upsert(&self.players).await?;
        players.drop_players(&self.dropped).await?;
        for (whom, reason) in &self.unrecorded {
            tracing::warn!(%whom, ?reason, "{whom} has no ranks ({reason:?}), and no id to record that under");
        }
        report.ranked += self.players.len();
        report.dropped += self.dropped.len();
        report.unrecorded += self.unrecorded.len();
        Ok(())
    }

    fn drop(&mut self, whom: &Whom, reason: DropReason, at: Timestamp) {
        match whom {
            Whom::Id(id) => self.dropped.push(Dropped { id: *id, reason, at }),
            Whom::Named(_) => self.unrecorded.push((whom.clone(), reason)),
        }
    }

    fn fail(&mut self, whom: &Whom, disposition: Disposition) {
        self.failed.push((whom.clone(), disposition));
    }
}
