//! `players`: who was fetched, and of what.

use async_trait::async_trait;
use stint_core::ports::{PortError, PortResult};
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::store::{Dropped, Page, PlayerCounts, PlayerKey, Players, TakenOver};

use super::{Fate, People};

#[async_trait]
impl Players for People {
    async fn upsert(&self, players: &[Player]) -> PortResult<()> {
        self.pass_time().await;
        let mut state = self.lock();
        for player in players {
            let Some(place) = self.directory.find(player.id) else {
                let seconds = self.seconds();
                state.others.insert(player.id, seconds);
                continue;
            };
            let mask = self.directory.mask(&player.ranked_in());
            self.fetched(&mut state, place, mask, Fate::Ranked);
        }
        Ok(())
    }

    async fn take_over(&self, _: &[Player]) -> PortResult<TakenOver> {
        Err(no_ranks())
    }

    async fn drop_players(&self, dropped: &[Dropped]) -> PortResult<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        self.pass_time().await;
        let mut state = self.lock();
        for dropped in dropped {
            if let Some(place) = self.directory.find(dropped.id) {
                self.fetched(&mut state, place, u32::MAX, Fate::Dropped);
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
        let tally = self.tally();
        Ok(PlayerCounts { ranked: tally.ranked, dropped: tally.dropped })
    }
}

fn no_ranks() -> PortError {
    PortError::Invalid("a simulation keeps when players were fetched, not their ranks".into())
}
