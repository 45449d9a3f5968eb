//! The results of a response, sorted into results to store and raids and difficulties left to fetch.

mod storing;

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::ports::NewMessage;
use stint_core::worker::retry_delay;

use crate::batch::Batch;
use crate::client::{CharacterOutcome, CharacterRequest, RankedCharacter, reasons_text};
use crate::message::{PlayerMessage, Sent};
use crate::model::{PlayerId, Unit};
use crate::player_ref::PlayerRef;
use crate::rank_fetcher::FetchReport;
use crate::store::{DropReason, Dropped, FetchedPlayer, RefreshOutcome, RefreshResult};

/// The sorted results of a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// Players to store.
    pub(crate) fetched: Vec<FetchedPlayer>,
    /// Drops to record.
    pub(crate) dropped: Vec<Dropped>,
    /// Players requested by name that will never have ranks: there is no id under which to record them.
    pub(crate) unrecorded: Vec<(PlayerRef, DropReason)>,
    /// Messages for the rest of players who turned out to have another id than their message says, under that id.
    pub(crate) follow_ups: Vec<NewMessage>,
    /// Results to report to the persons who wait for these players.
    pub(crate) refresh_results: Vec<RefreshResult>,
    /// The effect of the response on each player's message.
    pub(crate) effects: Vec<(PlayerRef, MessageEffect)>,
    /// The ids under which the ranks are stored.
    pub(crate) stored_under: BTreeMap<PlayerRef, PlayerId>,
}

/// The effect of a response on a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MessageEffect {
    /// Everything requested is done.
    Served,
    /// The whole message is done, including what was not requested.
    Complete,
    /// Some of what was requested did not come, and why.
    Missing(Vec<Unit>, String),
    /// The player must be requested alone.
    RequestAlone,
    /// The store will never accept the results, and why.
    Rejected(String),
}

impl Results {
    /// Sorts the outcomes of the players of `batch` that were requested, in the same order. Nothing is stored or sent
    /// yet.
    pub(crate) fn sort_out(
        batch: &Batch,
        asked: &[CharacterRequest],
        outcomes: Vec<CharacterOutcome>,
        now: Timestamp,
    ) -> Results {
        let mut results = Results::default();
        for (request, outcome) in asked.iter().zip(outcomes) {
            let effect = match outcome {
                CharacterOutcome::Ranked(ranked) => results.rank(batch, request, *ranked),
                CharacterOutcome::Dropped(reason) => {
                    results.notify(batch, &request.player_ref, &RefreshOutcome::Dropped(reason), now);
                    results.drop(&request.player_ref, reason, now)
                }
                CharacterOutcome::Failed(reason) => MessageEffect::Missing(request.units.clone(), reason),
                CharacterOutcome::Unclear => MessageEffect::RequestAlone,
            };
            results.effects.push((request.player_ref.clone(), effect));
        }
        results
    }

    /// Counts what was stored.
    pub(crate) fn count(&self, report: &mut FetchReport) {
        for (player_ref, reason) in &self.unrecorded {
            tracing::warn!(%player_ref, ?reason, "{player_ref} has no ranks ({reason:?}), and no id to record that under");
        }
        report.ranked += self.fetched.len();
        report.dropped += self.dropped.len();
        report.unrecorded += self.unrecorded.len();
        report.refused += self.fetched.iter().map(|fetched| fetched.refused.len()).sum::<usize>();
    }

    fn rank(&mut self, batch: &Batch, request: &CharacterRequest, ranked: RankedCharacter) -> MessageEffect {
        let RankedCharacter { player, mut refused, missing } = ranked;
        refused.extend(batch.refused_of(&request.player_ref));
        let (id, at) = (player.id, player.updated_at);
        let reason = reasons_text(&missing);
        let missing: Vec<Unit> = missing.into_iter().map(|(unit, _)| unit).collect();
        let left: Vec<Unit> = missing.iter().copied().chain(batch.rest_of(request)).collect();
        // A person who waits for the player is told once nothing is left of it.
        if left.is_empty() {
            let result = match player.raids.is_empty() && !refused.is_empty() {
                true => RefreshOutcome::Refused(reasons_text(&refused)),
                false => RefreshOutcome::Ranked(id),
            };
            self.notify(batch, &request.player_ref, &result, at);
        }
        self.fetched.push(FetchedPlayer { player, refused, complete: left.is_empty() });
        self.stored_under.insert(request.player_ref.clone(), id);
        if request.player_ref.id() == Some(id) {
            return if missing.is_empty() { MessageEffect::Served } else { MessageEffect::Missing(missing, reason) };
        }
        let asked_as = batch.asked_as(&request.player_ref).next().unwrap_or(&request.player_ref);
        self.follow_up(id, left, asked_as, !missing.is_empty());
        if request.player_ref.id().is_some() {
            self.drop(&request.player_ref, DropReason::Merged, at);
        }
        MessageEffect::Complete
    }

    /// Queues what is left under the id that the upstream keeps: the message itself cannot be changed.
    fn follow_up(&mut self, id: PlayerId, left: Vec<Unit>, asked_as: &PlayerRef, has_failed: bool) {
        if left.is_empty() {
            return;
        }
        let message = PlayerMessage { player_ref: PlayerRef::Id(id), raids_to_scrap: left.into_iter().collect() };
        let sent = Sent { message, queued_at: None, asked_as: Some(asked_as.clone()) };
        let mut message = NewMessage::new(sent.to_body());
        if has_failed {
            message.delay = retry_delay(1);
        }
        self.follow_ups.push(message);
    }

    /// Tells the persons who wait for a player, under every id or name by which it was requested.
    fn notify(&mut self, batch: &Batch, player_ref: &PlayerRef, result: &RefreshOutcome, at: Timestamp) {
        for player_ref in std::iter::once(player_ref).chain(batch.asked_as(player_ref)) {
            self.refresh_results.push(RefreshResult { player_ref: player_ref.clone(), at, result: result.clone() });
        }
    }

    fn drop(&mut self, player_ref: &PlayerRef, reason: DropReason, at: Timestamp) -> MessageEffect {
        match player_ref {
            PlayerRef::Id(id) => self.dropped.push(Dropped { id: *id, reason, at }),
            PlayerRef::Named(_) => self.unrecorded.push((player_ref.clone(), reason)),
        }
        MessageEffect::Complete
    }
}
