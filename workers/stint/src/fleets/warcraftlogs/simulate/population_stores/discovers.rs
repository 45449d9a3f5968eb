//! `discovers` in memory: which players were discovered, which of them are due, and which were handed over to the
//! queue.

use std::num::NonZeroU32;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::between;
use stint_core::ports::PortResult;
use stint_warcraftlogs::model::PlayerId;
use stint_warcraftlogs::store::{Backlog, Discovered, Discovers, Due, Freshness, Page};

use super::{DiscoverState, PopulationStores, State};

#[async_trait]
impl Discovers for PopulationStores {
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()> {
        {
            let mut state = self.lock();
            let State { players, totals, .. } = &mut *state;
            let mut mask = self.directory.masks();
            for seen in seen {
                if let Some(position) = self.directory.find(seen.id) {
                    let player = &mut players[position];
                    player.seen |= mask(&seen.raids_to_scrap);
                    totals.discovered += u64::from(!player.discovered);
                    player.discovered = true;
                }
            }
        }
        self.pass_time().await;
        Ok(())
    }

    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>> {
        self.pass_time().await;
        let state = self.lock();
        let mut documents = Vec::new();
        let first = self.directory.position_after(after);
        for (position, player) in state.players.iter().enumerate().skip(first) {
            if player.seen == 0 {
                continue;
            }
            if documents.len() == max {
                let next = documents.last().map(|document: &Discovered| document.id);
                return Ok(Page { documents, damaged: Vec::new(), next });
            }
            let raids_to_scrap = self.directory.raids(player.seen);
            documents.push(Discovered { id: self.directory.id(position), raids_to_scrap });
        }
        Ok(Page { documents, damaged: Vec::new(), next: None })
    }

    async fn due(&self, after: Option<PlayerId>, max: usize, freshness: &Freshness) -> PortResult<Page<Due, PlayerId>> {
        self.pass_time().await;
        let state = self.lock();
        let due_times = self.due_times(freshness);
        let (mut documents, mut next) = (Vec::with_capacity(max), None);
        let first = self.directory.position_after(after);
        for (position, player) in state.players.iter().enumerate().skip(first) {
            if player.discover_state(due_times) != DiscoverState::Due {
                continue;
            }
            if documents.len() == max {
                next = documents.last().map(|due: &Due| due.id);
                break;
            }
            documents.push(Due { id: self.directory.id(position), fetched_at: self.fetched_at(player) });
        }
        Ok(Page { documents, damaged: Vec::new(), next })
    }

    async fn get(&self, ids: &[PlayerId]) -> PortResult<Page<Discovered, PlayerId>> {
        self.pass_time().await;
        let state = self.lock();
        let positions = ids.iter().filter_map(|id| self.directory.find(*id));
        let seen = positions.map(|position| (position, state.players[position].seen)).filter(|(_, seen)| *seen != 0);
        let documents = seen.map(|(position, seen)| {
            let raids_to_scrap = self.directory.raids(seen);
            Discovered { id: self.directory.id(position), raids_to_scrap }
        });
        Ok(Page { documents: documents.collect(), damaged: Vec::new(), next: None })
    }

    /// No raid of a simulated upstream is frozen.
    async fn still_wanted(&self, players: &[Discovered]) -> PortResult<Vec<Discovered>> {
        Ok(players.to_vec())
    }

    async fn mark_sent(&self, sent: &[Discovered], queued_at: Timestamp) -> PortResult<()> {
        {
            let mut state = self.lock();
            let State { players, totals, .. } = &mut *state;
            let queued_at = NonZeroU32::new(between(self.started, queued_at).as_secs() as u32);
            let mut mask = self.directory.masks();
            for sent in sent {
                let mask = mask(&sent.raids_to_scrap);
                let Some(position) = self.directory.find(sent.id) else { continue };
                let player = &mut players[position];
                player.queued_at = queued_at;
                player.pending |= mask;
                totals.queued += 1;
                if player.seen == mask {
                    player.seen = 0;
                }
            }
        }
        self.pass_time().await;
        Ok(())
    }

    async fn forget_queued(&self) -> PortResult<()> {
        self.lock().players.iter_mut().for_each(|player| player.queued_at = None);
        Ok(())
    }

    async fn count(&self) -> PortResult<u64> {
        Ok(self.lock().players.iter().filter(|player| player.seen != 0).count() as u64)
    }

    async fn backlog(&self, freshness: &Freshness) -> PortResult<Backlog> {
        Ok(self.backlog(freshness))
    }
}
