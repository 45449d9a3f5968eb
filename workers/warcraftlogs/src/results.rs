//! The results of a response, sorted into results to store and raids and difficulties left to fetch.

mod storing;

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::ports::NewMessage;
use stint_core::worker::retry_delay;

use crate::batch::Batch;
use crate::client::{Fate, Ranked, RanksOf, in_words};
use crate::message::{PlayerMessage, Sent};
use crate::model::{PlayerId, Unit};
use crate::rank_fetcher::Report;
use crate::store::{Answered, DropReason, Dropped, RefreshAnswer, Refreshed};
use crate::whom::Whom;

/// The sorted results of a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// Players to store.
    pub(crate) answered: Vec<Answered>,
    /// Drops to record.
    pub(crate) dropped: Vec<Dropped>,
    /// Players requested by name that will never have ranks: there is no id under which to record them.
    pub(crate) unrecorded: Vec<(Whom, DropReason)>,
    /// Messages for the rest of players who turned out to have another id than their message says, under that id.
    pub(crate) follow_ups: Vec<NewMessage>,
    /// Results to report to the persons who wait for these players.
    pub(crate) answers: Vec<RefreshAnswer>,
    /// The effect of the response on each player's message.
    pub(crate) ends: Vec<(Whom, End)>,
    /// The ids under which the ranks are stored.
    pub(crate) stored_under: BTreeMap<Whom, PlayerId>,
}

/// The effect of a response on a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// Everything requested is done.
    Served,
    /// The whole message is done, including what was not requested.
    Over,
    /// Some of what was requested did not come, and why.
    Missing(Vec<Unit>, String),
    /// The player must be requested alone.
    Unclear,
    /// The store will never accept the results, and why.
    Rejected(String),
}

impl Results {
    /// Sorts the outcomes of the players of `batch` that were requested, in the same order. Nothing is stored or sent
    /// yet.
    pub(crate) fn sort_out(batch: &Batch, asked: &[RanksOf], fates: Vec<Fate>, now: Timestamp) -> Results {
        let mut results = Results::default();
        for (request, fate) in asked.iter().zip(fates) {
            let end = match fate {
                Fate::Ranked(ranked) => results.rank(batch, request, *ranked),
                Fate::Dropped(reason) => {
                    results.tell(batch, &request.whom, &Refreshed::Dropped(reason), now);
                    results.drop(&request.whom, reason, now)
                }
                Fate::Failed(reason) => End::Missing(request.units.clone(), reason),
                Fate::Unclear => End::Unclear,
            };
            results.ends.push((request.whom.clone(), end));
        }
        results
    }

    /// Counts what was stored.
    pub(crate) fn count(&self, report: &mut Report) {
        for (whom, reason) in &self.unrecorded {
            tracing::warn!(%whom, ?reason, "{whom} has no ranks ({reason:?}), and no id to record that under");
        }
        report.ranked += self.answered.len();
        report.dropped += self.dropped.len();
        report.unrecorded += self.unrecorded.len();
        report.refused += self.answered.iter().map(|answered| answered.refused.len()).sum::<usize>();
    }

    fn rank(&mut self, batch: &Batch, request: &RanksOf, ranked: Ranked) -> End {
        let Ranked { player, mut refused, missing } = ranked;
        refused.extend(batch.passed_over(&request.whom));
        let (id, at) = (player.id, player.updated_at);
        let reason = in_words(&missing);
        let missing: Vec<Unit> = missing.into_iter().map(|(unit, _)| unit).collect();
        let left: Vec<Unit> = missing.iter().copied().chain(batch.rest_of(request)).collect();
        // A person who waits for the player is told once nothing is left of it.
        if left.is_empty() {
            let result = match player.raids.is_empty() && !refused.is_empty() {
                true => Refreshed::Refused(in_words(&refused)),
                false => Refreshed::Ranked(id),
            };
            self.tell(batch, &request.whom, &result, at);
        }
        self.answered.push(Answered { player, refused, complete: left.is_empty() });
        self.stored_under.insert(request.whom.clone(), id);
        if request.whom.id() == Some(id) {
            return if missing.is_empty() { End::Served } else { End::Missing(missing, reason) };
        }
        let asked_as = batch.asked_as(&request.whom).next().unwrap_or(&request.whom);
        self.follow_up(id, left, asked_as, !missing.is_empty());
        if request.whom.id().is_some() {
            self.drop(&request.whom, DropReason::Merged, at);
        }
        End::Over
    }

    /// Queues what is left under the id that the upstream keeps: the message itself cannot be changed.
    fn follow_up(&mut self, id: PlayerId, left: Vec<Unit>, asked_as: &Whom, has_failed: bool) {
        if left.is_empty() {
            return;
        }
        let message = PlayerMessage { whom: Whom::Id(id), raids_to_scrap: left.into_iter().collect() };
        let sent = Sent { message, queued_at: None, asked_as: Some(asked_as.clone()) };
        let mut message = NewMessage::new(sent.to_body());
        if has_failed {
            message.delay = retry_delay(1);
        }
        self.follow_ups.push(message);
    }

    /// Tells the persons who wait for a player, under every id or name by which it was requested.
    fn tell(&mut self, batch: &Batch, whom: &Whom, result: &Refreshed, at: Timestamp) {
        for whom in std::iter::once(whom).chain(batch.asked_as(whom)) {
            self.answers.push(RefreshAnswer { whom: whom.clone(), at, result: result.clone() });
        }
    }

    fn drop(&mut self, whom: &Whom, reason: DropReason, at: Timestamp) -> End {
        match whom {
            Whom::Id(id) => self.dropped.push(Dropped { id: *id, reason, at }),
            Whom::Named(_) => self.unrecorded.push((whom.clone(), reason)),
        }
        End::Over
    }
}
