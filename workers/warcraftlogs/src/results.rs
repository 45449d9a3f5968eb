//! What an answer brought, sorted into what to store and what failed.

use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_core::worker::Disposition;

use crate::client::{Fate, Ranked, RanksOf, in_words};
use crate::model::Player;
use crate::rank_fetcher::Report;
use crate::store::{DropReason, Dropped, Players};
use crate::whom::Whom;

/// What an answer brought.
#[derive(Default)]
pub(crate) struct Results {
    /// To be stored.
    pub(crate) players: Vec<Player>,
    /// To be recorded.
    pub(crate) dropped: Vec<Dropped>,
    /// Asked for by name, and without ranks for good: there is no id to record that under.
    pub(crate) unrecorded: Vec<(Whom, DropReason)>,
    /// Players whose message must not be acknowledged.
    pub(crate) failed: Vec<(Whom, Disposition)>,
    /// Players who must be asked for alone.
    pub(crate) unclear: Vec<RanksOf>,
}

impl Results {
    /// Sorts the fates of those who were asked for, in the same order. Nothing is done yet.
    pub(crate) fn sort_out(asked: &[RanksOf], fates: Vec<Fate>, now: Timestamp) -> Results {
        let mut results = Results::default();
        for (request, fate) in asked.iter().zip(fates) {
            match fate {
                Fate::Ranked(ranked) => results.rank(&request.whom, *ranked, now),
                Fate::Dropped(reason) => results.drop(&request.whom, reason, now),
                Fate::Failed(reason) => results.fail(&request.whom, Disposition::Retry { reason }),
                Fate::Unclear => results.unclear.push(request.clone()),
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

    fn rank(&mut self, whom: &Whom, ranked: Ranked, now: Timestamp) {
        let Ranked { player, refused, missing } = ranked;
        if whom.id().is_some_and(|id| id != player.id) {
            self.drop(whom, DropReason::Merged, now);
        }
        self.players.push(player);
        if !missing.is_empty() {
            self.fail(whom, Disposition::Retry { reason: in_words(&missing) });
        } else if !refused.is_empty() {
            self.fail(whom, Disposition::Reject { reason: in_words(&refused) });
        }
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
