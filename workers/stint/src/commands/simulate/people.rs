//! The fleet's `discovers` and `players` in memory: who waits, who is being fetched, and when each was fetched last.
//! The ranks themselves are not kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::{Clock, between};
use stint_core::ports::{PortError, PortResult};
use stint_simulation::{Dice, Faults};
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::store::{Discovered, Discovers, Dropped, Page, PlayerCounts, PlayerKey, Players};

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
    /// Fetched under an id that no page shows: those who were transferred.
    others: BTreeMap<PlayerId, u32>,
    tally: Tally,
}

#[derive(Clone, Copy, Default)]
struct Person {
    /// What `discovers` says, by bit.
    waiting: u32,
    /// What was handed to the queue and not fetched yet, by bit.
    pending: u32,
    /// When it was fetched last, in seconds from the start.
    fetched_at: u32,
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

/// What the stores have seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) discovered: u64,
    /// Players handed to the queue, each as often as it was.
    pub(super) queued: u64,
    pub(super) ranked: u64,
    pub(super) dropped: u64,
    /// Players of whom everything that was queued is fetched, each as often as it was.
    pub(super) completed: u64,
    /// When everybody had been fetched for the first time.
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
    /// Nobody is known yet.
    pub(super) fn new(directory: Directory, clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> People {
        let people = vec![Person::default(); directory.len()];
        let state = State { people, others: BTreeMap::new(), tally: Tally::default() };
        let (started, dice) = (clock.now(), Dice::new(seed, "people"));
        People { directory, started, clock, dice, latency: faults.store_latency(), state: Mutex::new(state) }
    }

    pub(super) fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// How many wait to be queued.
    pub(super) fn waiting(&self) -> u64 {
        self.lock().people.iter().filter(|person| person.waiting != 0).count() as u64
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

    /// Players of whom something was handed to the queue, and is neither fetched nor in any of `bodies`; and those who
    /// were discovered and are nowhere.
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
            let nowhere = person.discovered && person.fate == Fate::None && person.waiting | person.pending == 0;
            dropped_on_the_way || nowhere
        });
        lost.count() as u64
    }

    /// Whom a body is about, and what it asks for. What stands behind the id is read once.
    fn read(&self, body: &str, known: &mut BTreeMap<String, u32>) -> Option<(usize, u32)> {
        let (head, tail) = body.split_once(',')?;
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

    async fn pass_time(&self) {
        if let Some(latency) = self.latency {
            self.clock.sleep(self.dice.within(latency)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetched(&self, state: &mut State, place: usize, mask: u32, fate: Fate) {
        let (seconds, now) = (self.seconds(), self.clock.now());
        let State { people, tally, .. } = state;
        let person = &mut people[place];
        let before = person.pending;
        person.pending &= !mask;
        person.fetched_at = seconds;
        tally.completed += u64::from(before != 0 && person.pending == 0);
        let counted = |fate| (u64::from(fate == Fate::Ranked), u64::from(fate == Fate::Dropped));
        let (old, new) = (counted(person.fate), counted(fate));
        tally.ranked = tally.ranked + new.0 - old.0;
        tally.dropped = tally.dropped + new.1 - old.1;
        person.fate = fate;
        if tally.all_done_at.is_none() && tally.ranked + tally.dropped == people.len() as u64 {
            tally.all_done_at = Some(now);
        }
    }
}

#[async_trait]
impl Discovers for People {
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()> {
        {
            let mut state = self.lock();
            let State { people, tally, .. } = &mut *state;
            for seen in seen {
                if let Some(place) = self.directory.find(seen.id) {
                    let person = &mut people[place];
                    person.waiting |= self.directory.mask(&seen.raids_to_scrap);
                    tally.discovered += u64::from(!person.discovered);
                    person.discovered = true;
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
        let first = self.directory.place_after(after);
        for (place, person) in state.people.iter().enumerate().skip(first) {
            if person.waiting == 0 {
                continue;
            }
            if documents.len() == max {
                let next = documents.last().map(|document: &Discovered| document.id);
                return Ok(Page { documents, damaged: Vec::new(), next });
            }
            let raids_to_scrap = self.directory.raids(person.waiting);
            documents.push(Discovered { id: self.directory.id(place), raids_to_scrap });
        }
        Ok(Page { documents, damaged: Vec::new(), next: None })
    }

    async fn delete_unchanged(&self, sent: &[Discovered]) -> PortResult<()> {
        {
            let mut state = self.lock();
            let State { people, tally, .. } = &mut *state;
            for sent in sent {
                let mask = self.directory.mask(&sent.raids_to_scrap);
                let Some(place) = self.directory.find(sent.id) else { continue };
                if people[place].waiting == mask {
                    people[place].waiting = 0;
                    people[place].pending |= mask;
                    tally.queued += 1;
                }
            }
        }
        self.pass_time().await;
        Ok(())
    }

    async fn count(&self) -> PortResult<u64> {
        Ok(self.waiting())
    }
}

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
            let units =
                player.raids.iter().flat_map(|(raid, ranks)| ranks.keys().map(|difficulty| (*raid, *difficulty)));
            let mask = units.fold(0, |mask, (raid, difficulty)| mask | self.directory.bit(raid, difficulty));
            self.fetched(&mut state, place, mask, Fate::Ranked);
        }
        Ok(())
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
