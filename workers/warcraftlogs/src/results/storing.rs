//! How results get into the store. Each step leaves what is not done yet, so that it can be done later.

use std::slice;

use jiff::Timestamp;
use stint_core::ports::{MAX_BATCH, PortError, PortResult, Queue};

use super::{MessageEffect, Results};
use crate::model::{PlayerId, Unit};
use crate::player_ref::PlayerRef;
use crate::store::{Dropped, FetchedPlayer, Players, StoredResults};

impl Results {
    /// Stores the results. Messages for the rest of players under another id are sent first, and only once: after a
    /// former id is recorded as merged, nothing more is fetched for it.
    ///
    /// An error leaves the rest to be stored later. A result that the store rejects for good is logged and left out,
    /// and its message becomes a dead letter.
    pub(crate) async fn store(&mut self, players: &dyn Players, queue: &dyn Queue) -> PortResult<()> {
        self.send_follow_ups(queue).await?;
        self.store_players(players).await?;
        self.drop_players(players).await
    }

    /// Whether nothing is left to store or send.
    pub(crate) fn is_stored(&self) -> bool {
        self.fetched.is_empty() && self.dropped.is_empty() && self.follow_ups.is_empty()
    }

    async fn send_follow_ups(&mut self, queue: &dyn Queue) -> PortResult<()> {
        while !self.follow_ups.is_empty() {
            let count = self.follow_ups.len().min(MAX_BATCH);
            queue.send(&self.follow_ups[..count]).await?;
            self.follow_ups.drain(..count);
        }
        Ok(())
    }

    /// Stores all players at once; one by one if the store rejects some of them.
    async fn store_players(&mut self, players: &dyn Players) -> PortResult<()> {
        if self.fetched.is_empty() {
            return Ok(());
        }
        let reason = match players.store(&self.fetched).await {
            Err(PortError::Invalid(reason)) => reason,
            stored => return stored,
        };
        let mut rejected = Vec::new();
        for fetched in &self.fetched {
            match players.store(slice::from_ref(fetched)).await {
                Err(PortError::Invalid(reason)) => rejected.push((fetched.player.id, reason)),
                stored => stored?,
            }
        }
        fail_if_all_rejected(rejected.len(), self.fetched.len(), reason)?;
        rejected.iter().for_each(|(id, reason)| self.reject(*id, reason));
        Ok(())
    }

    async fn drop_players(&mut self, players: &dyn Players) -> PortResult<()> {
        let reason = match players.drop_players(&self.dropped).await {
            Err(PortError::Invalid(reason)) => reason,
            recorded => return recorded,
        };
        let mut rejected = Vec::new();
        for dropped in &self.dropped {
            match players.drop_players(slice::from_ref(dropped)).await {
                Err(PortError::Invalid(reason)) => rejected.push((dropped.id, reason)),
                recorded => recorded?,
            }
        }
        fail_if_all_rejected(rejected.len(), self.dropped.len(), reason)?;
        for (id, reason) in rejected {
            tracing::error!(player = id, %reason, "the drop of player {id} is lost: the store rejects it: {reason}");
            self.dropped.retain(|dropped| dropped.id != id);
            self.mark_rejected(&[PlayerRef::Id(id)], &reason);
        }
        Ok(())
    }

    /// Handles a player whose results the store rejects: its former ids are not recorded as merged, and no person is
    /// told.
    fn reject(&mut self, id: PlayerId, reason: &str) {
        let lost = self.fetched.iter().filter(|fetched| fetched.player.id == id).flat_map(units).map(unit_text);
        let lost = lost.collect::<Vec<_>>().join(", ");
        tracing::error!(player = id, %reason, "the results of player {id} are lost ({lost}): the store rejects it: {reason}");
        self.fetched.retain(|fetched| fetched.player.id != id);
        let under_it =
            self.stored_under.iter().filter(|(_, stored)| **stored == id).map(|(player_ref, _)| player_ref.clone());
        let asked: Vec<PlayerRef> = under_it.collect();
        self.dropped.retain(|dropped| !asked.contains(&PlayerRef::Id(dropped.id)));
        self.mark_rejected(&asked, reason);
    }

    fn mark_rejected(&mut self, asked: &[PlayerRef], reason: &str) {
        self.refresh_results.retain(|answer| !asked.contains(&answer.player_ref));
        for (_, effect) in self.effects.iter_mut().filter(|(player_ref, _)| asked.contains(player_ref)) {
            *effect = MessageEffect::Rejected(format!(
                "the results are lost, since the players' store rejects them: {reason}"
            ));
        }
    }

    /// The players in these results.
    pub(crate) fn ids(&self) -> Vec<PlayerId> {
        let fetched = self.fetched.iter().map(|fetched| fetched.player.id);
        fetched.chain(self.dropped.iter().map(|dropped| dropped.id)).collect()
    }

    /// Removes players that were fetched again since.
    pub(crate) fn leave_out_older_than(&mut self, known: &StoredResults) {
        let is_older = |id: PlayerId, unit: Unit, at: Timestamp| {
            known.players.get(&id).is_some_and(|fetched| fetched.is_fresh(unit, at))
        };
        for FetchedPlayer { player, refused, .. } in &mut self.fetched {
            let (id, at) = (player.id, player.updated_at);
            for (raid, ranks) in &mut player.raids {
                ranks.retain(|difficulty, _| !is_older(id, (*raid, *difficulty), at));
            }
            player.raids.retain(|_, ranks| !ranks.is_empty());
            refused.retain(|(unit, _)| !is_older(id, *unit, at));
        }
        self.fetched.retain(|FetchedPlayer { player, refused, .. }| !(player.raids.is_empty() && refused.is_empty()));
        self.dropped
            .retain(|Dropped { id, at, .. }| known.players.get(id).is_none_or(|fetched| !fetched.is_known_since(*at)));
    }
}

/// Of several players, the store may reject some because of their data. If it rejects all of them, the store is at
/// fault: then nothing is given up, and no further call is made until it is repaired.
fn fail_if_all_rejected(rejected: usize, of: usize, reason: String) -> PortResult<()> {
    if rejected == of && of > 1 { Err(PortError::Invalid(reason)) } else { Ok(()) }
}

fn units(fetched: &FetchedPlayer) -> Vec<Unit> {
    let refused = fetched.refused.iter().map(|(unit, _)| *unit);
    fetched.player.ranked_in().units().chain(refused).collect()
}

fn unit_text((raid, difficulty): Unit) -> String {
    format!("raid {raid} in difficulty {difficulty}")
}
