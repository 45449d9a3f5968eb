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
use stint_simulation::{Dice, Faults};
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::PlayerId;
use stint_warcraftlogs::store::{Backlog, Freshness, PlayerResults, UnitResult};

use super::directory::Directory;

/// Both collections.
pub(super) struct People {
    directory: Directory,
    started: Timestamp,
    clock: Arc<dyn Clock>,
    dice: Dice,
    latency: Option<(Duration, Duration)>,
    state: Mutex<State>,
}

struct State {
    people: Vec<Person>,
    /// Players fetched under an id that is on no page, because they were transferred.
    others: BTreeMap<PlayerId, u32>,
    tally: Tally,
}

#[derive(Clone, Copy, Default)]
struct Person {
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
    fate: Fate,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Fate {
    #[default]
    None,
    Ranked,
    Dropped,
}

/// The state of a player in `discovers`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It is not in `discovers`.
    Absent,
    Waiting,
    Fresh,
    Due,
}

/// A [`Freshness`] in seconds from the start. The times may be before the start.
#[derive(Clone, Copy)]
struct Lines {
    stale_at: i64,
    forgotten_at: i64,
}

/// Totals that the stores have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
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

impl People {
    /// Creates stores in which no player is known.
    pub(super) fn new(directory: Directory, clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> People {
        let people = vec![Person::default(); directory.len()];
        let state = State { people, others: BTreeMap::new(), tally: Tally::default() };
        let (started, dice) = (clock.now(), Dice::new(seed, "people"));
        People { directory, started, clock, dice, latency: faults.store_latency(), state: Mutex::new(state) }
    }

    pub(super) fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// Counts the players in `discovers` by whether they are to be queued.
    pub(super) fn backlog(&self, freshness: &Freshness) -> Backlog {
        let lines = self.lines(freshness);
        let mut backlog = Backlog::default();
        for person in &self.lock().people {
            match person.kind(lines) {
                Kind::Absent => {}
                Kind::Waiting => backlog.waiting += 1,
                Kind::Fresh => backlog.fresh += 1,
                Kind::Due => backlog.due += 1,
            }
        }
        backlog
    }

    /// Returns whether any player is due: never fetched, in the queue, or to be queued.
    pub(super) fn is_a_player_due(&self, freshness: &Freshness) -> bool {
        let lines = self.lines(freshness);
        let state = self.lock();
        let fetched = state.tally.ranked + state.tally.dropped;
        fetched < state.people.len() as u64
            || state.people.iter().any(|person| person.pending != 0 || person.kind(lines) == Kind::Due)
    }

    pub(super) fn ages(&self) -> Ages {
        let now = self.seconds();
        let state = self.lock();
        let fetched = state.people.iter().filter(|person| person.fate != Fate::None);
        let mut ages: Vec<u32> = fetched.map(|person| now.saturating_sub(person.fetched_at)).collect();
        ages.sort_unstable();
        let at = |per_cent: usize| {
            let index = (ages.len() * per_cent / 100).min(ages.len().saturating_sub(1));
            Duration::from_secs(u64::from(ages.get(index).copied().unwrap_or_default()))
        };
        Ages { median: at(50), p95: at(95), never: (state.people.len() - ages.len()) as u64 }
    }

    /// Returns how many players are lost: those for which something was handed to the queue that is neither fetched nor
    /// in any of `bodies`, and those that were discovered and are nowhere.
    pub(super) fn lost(&self, show_bodies: impl FnOnce(&mut dyn FnMut(&str))) -> u64 {
        let mut covered = vec![0_u32; self.directory.len()];
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        show_bodies(&mut |body| {
            let Some((place, mask)) = self.read(body, &mut known) else { return };
            covered[place] |= mask;
        });
        let state = self.lock();
        let lost = state.people.iter().zip(&covered).filter(|(person, covered)| {
            let dropped_on_the_way = person.pending & !**covered != 0;
            let nowhere = person.discovered && person.fate == Fate::None && person.seen | person.pending == 0;
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

    fn lines(&self, freshness: &Freshness) -> Lines {
        let seconds = |instant: Timestamp| instant.as_second() - self.started.as_second();
        Lines { stale_at: seconds(freshness.stale_at), forgotten_at: seconds(freshness.forgotten_at) }
    }

    /// Returns what is known of a player before it is fetched.
    fn known(&self, person: &Person) -> Option<PlayerResults> {
        let at = Timestamp::from_second(self.started.as_second() + i64::from(person.answered_at)).ok()?;
        let complete_at = self.fetched_at(person);
        let dropped_at = complete_at.filter(|_| person.fate == Fate::Dropped);
        let mut fetched = PlayerResults { dropped_at, complete_at, ..PlayerResults::default() };
        let served = self.directory.raids(person.covered & !person.pending);
        served.units().for_each(|unit| fetched.unit_results.insert(unit, UnitResult::Served(at)));
        (person.fate != Fate::None).then_some(fetched)
    }

    /// Returns when a player was last fetched.
    fn fetched_at(&self, person: &Person) -> Option<Timestamp> {
        let fetched_at = self.started.as_second() + i64::from(person.fetched_at);
        Timestamp::from_second(fetched_at).ok().filter(|_| person.fate != Fate::None)
    }

    async fn pass_time(&self) {
        if let Some(latency) = self.latency {
            self.clock.sleep(self.dice.within(latency)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetched(&self, state: &mut State, place: usize, mask: u32, fate: Fate, complete: bool) {
        let (seconds, now) = (self.seconds(), self.clock.now());
        let State { people, tally, .. } = state;
        let person = &mut people[place];
        let before = person.pending;
        person.pending &= !mask;
        person.covered |= if fate == Fate::Ranked { mask } else { 0 };
        person.answered_at = seconds;
        if complete {
            person.fetched_at = seconds;
        }
        tally.completed += u64::from(before != 0 && person.pending == 0);
        let counted = |fate| (u64::from(fate == Fate::Ranked), u64::from(fate == Fate::Dropped));
        let (old, new) = (counted(person.fate), counted(fate));
        tally.ranked = tally.ranked + new.0 - old.0;
        tally.dropped = tally.dropped + new.1 - old.1;
        person.fate = fate;
        tally.first_rank_at = tally.first_rank_at.or((fate == Fate::Ranked).then_some(now));
        if tally.all_done_at.is_none() && tally.ranked + tally.dropped == people.len() as u64 {
            tally.all_done_at = Some(now);
        }
    }
}

impl Person {
    /// Applies the documented rules of [`Freshness`].
    fn kind(&self, lines: Lines) -> Kind {
        if self.seen == 0 {
            return Kind::Absent;
        }
        let fetched_at = (self.fate != Fate::None).then_some(i64::from(self.fetched_at));
        let idle_since = lines.forgotten_at.max(fetched_at.unwrap_or(lines.forgotten_at));
        if self.queued_at.is_some_and(|queued_at| i64::from(queued_at.get()) > idle_since) {
            return Kind::Waiting;
        }
        let missing = self.fate == Fate::Ranked && self.seen & !self.covered != 0;
        let stale = fetched_at.is_none_or(|fetched_at| fetched_at <= lines.stale_at);
        if stale || missing { Kind::Due } else { Kind::Fresh }
    }
}
