//! `players` in memory: which players were fetched, and for which raids and difficulties.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::{PortError, PortResult};
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::store::{
    Dropped, FetchedPlayer, ImportCounts, Page, PlayerCounts, PlayerKey, Players, RefusedPlayer, StoredResults,
};

use super::{FetchOutcome, PopulationStores};

#[async_trait]
impl Players for PopulationStores {
    async fn upsert(&self, players: &[Player]) -> PortResult<()> {
        self.store(&players.iter().cloned().map(FetchedPlayer::from).collect::<Vec<FetchedPlayer>>()).await
    }

    async fn store(&self, fetched: &[FetchedPlayer]) -> PortResult<()> {
        self.pass_time().await;
        let mut state = self.lock();
        for FetchedPlayer { player, refused, complete } in fetched {
            let Some(position) = self.directory.find(player.id) else {
                let seconds = self.seconds();
                state.others.insert(player.id, seconds);
                continue;
            };
            let covered = player.ranked_units().chain(refused.iter().map(|(unit, _)| *unit));
            self.record_fetch(&mut state, position, self.directory.mask_of(covered), FetchOutcome::Ranked, *complete);
        }
        Ok(())
    }

    async fn import(&self, _: &[Player]) -> PortResult<ImportCounts> {
        Err(no_ranks())
    }

    async fn refuse(&self, refused_players: &[RefusedPlayer], _: Timestamp) -> PortResult<()> {
        let mut state = self.lock();
        for RefusedPlayer { id, refused, is_unknown } in refused_players {
            if let Some(position) = self.directory.find(*id) {
                let covered = refused.iter().map(|(unit, _)| *unit).collect();
                let outcome = if *is_unknown { FetchOutcome::Dropped } else { state.players[position].outcome };
                self.record_fetch(&mut state, position, self.directory.mask(&covered), outcome, true);
            }
        }
        Ok(())
    }

    /// A pair that was queued and is no longer pending was fetched with the player's last answer. The simulated
    /// upstream refuses no pair.
    async fn known(&self, ids: &[PlayerId]) -> PortResult<StoredResults> {
        self.pass_time().await;
        let state = self.lock();
        let positions = ids.iter().filter_map(|id| Some((*id, self.directory.find(*id)?)));
        let known = positions.filter_map(|(id, position)| Some((id, self.known(&state.players[position])?)));
        Ok(StoredResults { players: known.collect(), ..StoredResults::default() })
    }

    async fn drop_players(&self, dropped: &[Dropped]) -> PortResult<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        self.pass_time().await;
        let mut state = self.lock();
        for dropped in dropped {
            if let Some(position) = self.directory.find(dropped.id) {
                self.record_fetch(&mut state, position, u32::MAX, FetchOutcome::Dropped, true);
            }
        }
        Ok(())
    }

    async fn page(&self, _: Option<&PlayerKey>, _: usize) -> PortResult<Page<Player, PlayerKey>> {
        Err(no_ranks())
    }

    async fn documents(&self, _: Option<PlayerId>, _: usize) -> PortResult<Page<(PlayerId, String), PlayerId>> {
        Err(no_ranks())
    }

    async fn get(&self, _: PlayerId) -> PortResult<Option<Player>> {
        Err(no_ranks())
    }

    async fn dropped_page(&self, _: Option<PlayerId>, _: usize) -> PortResult<Page<Dropped, PlayerId>> {
        Err(no_ranks())
    }

    async fn counts(&self) -> PortResult<PlayerCounts> {
        let totals = self.totals();
        Ok(PlayerCounts { ranked: totals.ranked, dropped: totals.dropped })
    }
}

fn no_ranks() -> PortError {
    PortError::Invalid("a simulation keeps when players were fetched, not their ranks".into())
}
