//! What an answer brought, sorted into what to store and what is left to be fetched.

use jiff::Timestamp;
use stint_core::ports::{NewMessage, PortResult, Queue};
use stint_core::worker::retry_delay;

use crate::batch::Batch;
use crate::client::{Fate, Ranked, RanksOf, in_words};
use crate::message::PlayerMessage;
use crate::model::{PlayerId, Unit};
use crate::rank_fetcher::Report;
use crate::store::{Answered, DropReason, Dropped, Known, Players, RefreshAnswer, Refreshed};
use crate::whom::Whom;

/// What an answer brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// To be stored.
    pub(crate) answered: Vec<Answered>,
    /// To be recorded.
    pub(crate) dropped: Vec<Dropped>,
    /// Asked for by name, and without ranks for good: there is no id to record that under.
    pub(crate) unrecorded: Vec<(Whom, DropReason)>,
    /// What is left of players who turned out to have another id than their message says, under that id.
    pub(crate) follow_ups: Vec<NewMessage>,
    /// What a person who waits for one of these players is told.
    pub(crate) answers: Vec<RefreshAnswer>,
    /// What the answer means for each player's message.
    pub(crate) ends: Vec<(Whom, End)>,
}

/// What an answer means for a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// What was asked for is done.
    Served,
    /// The whole message is done, whatever else it asks for.
    Over,
    /// Some of what was asked for did not come, and why.
    Missing(Vec<Unit>, String),
    /// The player must be asked for alone.
    Unclear,
}

impl Results {
    /// Sorts the fates of those of `batch` who were asked for, in the same order. Nothing is done yet.
    pub(crate) fn sort_out(batch: &Batch, asked: &[RanksOf], fates: Vec<Fate>, now: Timestamp) -> Results {
        let mut results = Results::default();
        for (request, fate) in asked.iter().zip(fates) {
            let end = match fate {
                Fate::Ranked(ranked) => results.rank(batch, request, *ranked),
                Fate::Dropped(reason) => {
                    results.tell(&request.whom, Refreshed::Dropped(reason), now);
                    results.drop(&request.whom, reason, now)
                }
                Fate::Failed(reason) => End::Missing(request.units.clone(), reason),
                Fate::Unclear => End::Unclear,
            };
            results.ends.push((request.whom.clone(), end));
        }
        results
    }

    /// Stores what is to be stored. Doing it twice changes nothing. What is left of a player under another id is sent first:
    /// once a former id is recorded as merged, nothing more is fetched of it.
    pub(crate) async fn keep(&self, players: &dyn Players, queue: &dyn Queue) -> PortResult<()> {
        if !self.follow_ups.is_empty() {
            queue.send(&self.follow_ups).await?;
        }
        if !self.answered.is_empty() {
            players.store(&self.answered).await?;
        }
        players.drop_players(&self.dropped).await
    }

    /// Counts what was stored.
    pub(crate) fn count(&self, report: &mut Report) {
        for (whom, reason) in &self.unrecorded {
            tracing::warn!(%whom, ?reason, "{whom} has no ranks ({reason:?}), and no id to record that under");
        }
        report.ranked += self.answered.len();
        report.dropped += self.dropped.len();
        report.unrecorded += self.unrecorded.len();
        report.answers.extend_from_slice(&self.answers);
        report.refused += self.answered.iter().map(|answered| answered.refused.len()).sum::<usize>();
    }

    /// Whose answers these are.
    pub(crate) fn ids(&self) -> Vec<PlayerId> {
        let answered = self.answered.iter().map(|answered| answered.player.id);
        answered.chain(self.dropped.iter().map(|dropped| dropped.id)).collect()
    }

    /// These results but for what was fetched later.
    pub(crate) fn without_older_than(&self, known: &Known) -> Results {
        let is_older = |id: PlayerId, unit: Unit, at: Timestamp| {
            known.players.get(&id).is_some_and(|fetched| fetched.is_fresh(unit, at))
        };
        let mut results = self.clone();
        for Answered { player, refused, .. } in &mut results.answered {
            let (id, at) = (player.id, player.updated_at);
            for (raid, ranks) in &mut player.raids {
                ranks.retain(|difficulty, _| !is_older(id, (*raid, *difficulty), at));
            }
            player.raids.retain(|_, ranks| !ranks.is_empty());
            refused.retain(|(unit, _)| !is_older(id, *unit, at));
        }
        results.answered.retain(|Answered { player, refused, .. }| !(player.raids.is_empty() && refused.is_empty()));
        results.dropped.retain(|dropped| {
            let fetched_since =
                known.players.get(&dropped.id).is_some_and(|fetched| fetched.is_known_since(dropped.at));
            !fetched_since
        });
        results
    }

    fn rank(&mut self, batch: &Batch, request: &RanksOf, ranked: Ranked) -> End {
        let Ranked { player, mut refused, missing } = ranked;
        refused.extend(batch.passed_over(&request.whom));
        let (id, at) = (player.id, player.updated_at);
        let reason = in_words(&missing);
        let missing: Vec<Unit> = missing.into_iter().map(|(unit, _)| unit).collect();
        let left: Vec<Unit> = missing.iter().copied().chain(batch.rest_of(request)).collect();
        if missing.is_empty() {
            let result = match player.raids.is_empty() && !refused.is_empty() {
                true => Refreshed::Refused(in_words(&refused)),
                false => Refreshed::Ranked(id),
            };
            self.tell(&request.whom, result, at);
        }
        self.answered.push(Answered { player, refused, complete: left.is_empty() });
        if request.whom.id() == Some(id) {
            return if missing.is_empty() { End::Served } else { End::Missing(missing, reason) };
        }
        self.follow_up(id, left, !missing.is_empty());
        if request.whom.id().is_some() {
            self.drop(&request.whom, DropReason::Merged, at);
        }
        End::Over
    }

    /// What is left goes on under the id that the upstream keeps: the message itself cannot be changed.
    fn follow_up(&mut self, id: PlayerId, left: Vec<Unit>, has_failed: bool) {
        if left.is_empty() {
            return;
        }
        let message = PlayerMessage { whom: Whom::Id(id), raids_to_scrap: left.into_iter().collect() };
        let mut message = NewMessage::new(message.to_body());
        if has_failed {
            message.delay = retry_delay(1);
        }
        self.follow_ups.push(message);
    }

    fn tell(&mut self, whom: &Whom, result: Refreshed, at: Timestamp) {
        self.answers.push(RefreshAnswer { whom: whom.clone(), at, result });
    }

    fn drop(&mut self, whom: &Whom, reason: DropReason, at: Timestamp) -> End {
        match whom {
            Whom::Id(id) => self.dropped.push(Dropped { id: *id, reason, at }),
            Whom::Named(_) => self.unrecorded.push((whom.clone(), reason)),
        }
        End::Over
    }
}
