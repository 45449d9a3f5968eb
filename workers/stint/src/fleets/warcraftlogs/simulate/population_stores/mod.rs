//! The fleet's `discovers` and `players` in memory: which players wait, which are being fetched, and when each was last
//! fetched. The ranks themselves are not stored.

mod discovers;
mod players;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, between};
use stint_simulation::{Faults, Random};
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::PlayerId;
use stint_warcraftlogs::store::{Backlog, Freshness, PlayerResults, UnitResult};

use super::directory::Directory;

/// Both collections.
pub(super) struct PopulationStores {
    directory: Directory,
    started: Timestamp,
    clock: Arc<dyn Clock>,
    random: Random,
    latency: Option<(Duration, Duration)>,
    state: Mutex<State>,
}

struct State {
    players: Vec<PlayerState>,
    /// Players fetched under an id that is on no page, because they were transferred.
    others: BTreeMap<PlayerId, u32>,
    totals: Totals,
}

#[derive(Clone, Copy, Default)]
struct PlayerState {
    /// The pairs in `discovers`, by bit.
    seen: u32,
    /// The pairs that were handed to the queue and not fetched yet, by bit.
    pending: u32,
    /// The pairs that its ranks cover, by bit.
    covered: u32,
    /// When everything that its message requested was last fetched, in seconds from the start.
    fetched_at: u32,
    /// When any part of it was last fetched, in seconds from the start.
    answered_at: u32,
    /// When it was last queued, in seconds from the start.
    queued_at: Option<NonZeroU32>,
    discovered: bool,
    outcome: FetchOutcome,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum FetchOutcome {
    #[default]
    None,
    Ranked,
    Dropped,
}

/// The state of a player in `discovers`.
#[derive(Clone, Copy, PartialEq)]
enum DiscoverState {
    /// It is not in `discovers`.
    Absent,
    Waiting,
    Fresh,
    Due,
}

/// A [`Freshness`] in seconds from the start. The times may be before the start.
#[derive(Clone, Copy)]
struct DueTimes {
    stale_at: i64,
    forgotten_at: i64,
}

/// Totals that the stores have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) discovered: u64,
    /// Players handed to the queue, counted once per hand-over.
    pub(super) queued: u64,
    pub(super) ranked: u64,
    pub(super) dropped: u64,
    /// Players for which everything that was queued is fetched, counted once per message.
    pub(super) completed: u64,
    /// When the first ranks were stored.
    pub(super) first_rank_at: Option<Timestamp>,
    /// When every player had been fetched once.
    pub(super) all_done_at: Option<Timestamp>,
}

/// The ages of the players' ranks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ages {
    pub(super) median: Duration,
    pub(super) p95: Duration,
    pub(super) never: u64,
}

impl PopulationStores {
    /// Creates stores in which no player is known.
    pub(super) fn new(directory: Directory, clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> PopulationStores {
        let players = vec![PlayerState::default(); directory.len()];
        let state = State { players, others: BTreeMap::new(), totals: Totals::default() };
        let (started, random) = (clock.now(), Random::new(seed, "people"));
        PopulationStores {
            directory,
            started,
            clock,
            random,
            latency: faults.store_latency(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// Counts the players in `discovers` by whether they are to be queued.
    pub(super) fn backlog(&self, freshness: &Freshness) -> Backlog {
        let due_times = self.due_times(freshness);
        let mut backlog = Backlog::default();
        for player in &self.lock().players {
            match player.discover_state(due_times) {
                DiscoverState::Absent => {}
                DiscoverState::Waiting => backlog.waiting += 1,
                DiscoverState::Fresh => backlog.fresh += 1,
                DiscoverState::Due => backlog.due += 1,
            }
        }
        backlog
    }

    /// Returns whether any player is due: never fetched, in the queue, or to be queued.
    pub(super) fn is_a_player_due(&self, freshness: &Freshness) -> bool {
        let due_times = self.due_times(freshness);
        let state = self.lock();
        let fetched = state.totals.ranked + state.totals.dropped;
        fetched < state.players.len() as u64
            || state
                .players
                .iter()
                .any(|player| player.pending != 0 || player.discover_state(due_times) == DiscoverState::Due)
    }

    pub(super) fn ages(&self) -> Ages {
        let now = self.seconds();
        let state = self.lock();
        let fetched = state.players.iter().filter(|player| player.outcome != FetchOutcome::None);
        let mut ages: Vec<u32> = fetched.map(|player| now.saturating_sub(player.fetched_at)).collect();
        ages.sort_unstable();
        let at = |per_cent: usize| {
            let index = (ages.len() * per_cent / 100).min(ages.len().saturating_sub(1));
            Duration::from_secs(u64::from(ages.get(index).copied().unwrap_or_default()))
        };
        Ages { median: at(50), p95: at(95), never: (state.players.len() - ages.len()) as u64 }
    }

    /// Returns how many players are lost: those for which something was handed to the queue that is neither fetched nor
    /// in any of `bodies`, and those that were discovered and are nowhere.
    pub(super) fn lost(&self, show_bodies: impl FnOnce(&mut dyn FnMut(&str))) -> u64 {
        let mut covered = vec![0_u32; self.directory.len()];
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        show_bodies(&mut |body| {
            let Some((position, mask)) = self.read(body, &mut known) else { return };
            covered[position] |= mask;
        });
        let state = self.lock();
        let lost = state.players.iter().zip(&covered).filter(|(player, covered)| {
            let dropped_on_the_way = player.pending & !**covered != 0;
            let nowhere =
                player.discovered && player.outcome == FetchOutcome::None && player.seen | player.pending == 0;
            dropped_on_the_way || nowhere
        });
        lost.count() as u64
    }

    /// Parses which player a message body is about, and what it requests. The part after the id is cached in `known`.
    fn read(&self, body: &str, known: &mut BTreeMap<String, u32>) -> Option<(usize, u32)> {
        let (head, tail) = body.split_once(',')?;
        // The time at which a parked message was first queued does not affect what it requests.
        let tail = tail.split_once(r#","queuedAt""#).map_or(tail, |(tail, _)| tail);
        let id: PlayerId = head.strip_prefix(r#"{"id":"#)?.parse().ok()?;
        let mask = match known.get(tail) {
            Some(mask) => *mask,
            None => {
                let mask = self.directory.mask(&PlayerMessage::from_body(body).ok()?.raids_to_scrap);
                known.insert(tail.to_owned(), mask);
                mask
            }
        };
        Some((self.directory.find(id)?, mask))
    }

    fn seconds(&self) -> u32 {
        between(self.started, self.clock.now()).as_secs() as u32
    }

    fn due_times(&self, freshness: &Freshness) -> DueTimes {
        let seconds = |instant: Timestamp| instant.as_second() - self.started.as_second();
        DueTimes { stale_at: seconds(freshness.stale_at), forgotten_at: seconds(freshness.forgotten_at) }
    }

    /// Returns what is known of a player before it is fetched.
    fn known(&self, player: &PlayerState) -> Option<PlayerResults> {
        if player.outcome == FetchOutcome::None {
            return None;
        }
        let at = Timestamp::from_second(self.started.as_second() + i64::from(player.answered_at)).ok()?;
        let complete_at = self.fetched_at(player);
        let dropped_at = complete_at.filter(|_| player.outcome == FetchOutcome::Dropped);
        let mut fetched = PlayerResults { dropped_at, complete_at, ..PlayerResults::default() };
        let served = self.directory.raids(player.covered & !player.pending);
        served.units().for_each(|unit| fetched.unit_results.insert(unit, UnitResult::Served(at)));
        Some(fetched)
    }

    /// Returns when a player was last fetched.
    fn fetched_at(&self, player: &PlayerState) -> Option<Timestamp> {
        let fetched_at = self.started.as_second() + i64::from(player.fetched_at);
        Timestamp::from_second(fetched_at).ok().filter(|_| player.outcome != FetchOutcome::None)
    }

    async fn pass_time(&self) {
        if let Some(latency) = self.latency {
            self.clock.sleep(self.random.within(latency)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_fetch(&self, state: &mut State, position: usize, mask: u32, outcome: FetchOutcome, complete: bool) {
        let (seconds, now) = (self.seconds(), self.clock.now());
        let State { players, totals, .. } = state;
        let player = &mut players[position];
        let before = player.pending;
        player.pending &= !mask;
        player.covered |= if outcome == FetchOutcome::Ranked { mask } else { 0 };
        player.answered_at = seconds;
        if complete {
            player.fetched_at = seconds;
        }
        totals.completed += u64::from(before != 0 && player.pending == 0);
        let counted =
            |outcome| (u64::from(outcome == FetchOutcome::Ranked), u64::from(outcome == FetchOutcome::Dropped));
        let (old, new) = (counted(player.outcome), counted(outcome));
        totals.ranked = totals.ranked + new.0 - old.0;
        totals.dropped = totals.dropped + new.1 - old.1;
        player.outcome = outcome;
        totals.first_rank_at = totals.first_rank_at.or((outcome == FetchOutcome::Ranked).then_some(now));
        if totals.all_done_at.is_none() && totals.ranked + totals.dropped == players.len() as u64 {
            totals.all_done_at = Some(now);
        }
    }
}

impl PlayerState {
    /// Applies the documented rules of [`Freshness`].
    fn discover_state(&self, due_times: DueTimes) -> DiscoverState {
        if self.seen == 0 {
            return DiscoverState::Absent;
        }
        let fetched_at = (self.outcome != FetchOutcome::None).then_some(i64::from(self.fetched_at));
        let idle_since = due_times.forgotten_at.max(fetched_at.unwrap_or(due_times.forgotten_at));
        if self.queued_at.is_some_and(|queued_at| i64::from(queued_at.get()) > idle_since) {
            return DiscoverState::Waiting;
        }
        let missing = self.outcome == FetchOutcome::Ranked && self.seen & !self.covered != 0;
        let stale = fetched_at.is_none_or(|fetched_at| fetched_at <= due_times.stale_at);
        if stale || missing { DiscoverState::Due } else { DiscoverState::Fresh }
    }
}
