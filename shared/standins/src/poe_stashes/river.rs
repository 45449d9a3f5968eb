//! The river: which stash is edited when, and the change ids of its positions.
//!
//! Edit number `e` changes one stash of one shard. Each block of five edits changes every shard once, in a random
//! order. So the counters after any number of edits can be computed without counting, and a position is the number of
//! edits before it.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{before, between};

use super::options::Options;
use crate::random::{Purpose, RandomSequence};

const SHARDS: u64 = 5;

/// One river, and the version of each of its stashes.
#[derive(Debug)]
pub(super) struct River {
    seed: u64,
    bases: [u64; 5],
    edits_per_second: u32,
    began: Timestamp,
    delay: Duration,
    /// The number of edits of each stash among the first `shown` edits.
    versions: Vec<u32>,
    shown: u64,
}

impl River {
    pub(super) fn new(options: &Options, seed: u64) -> River {
        let stashes = options.stashes.next_multiple_of(SHARDS as u32).max(SHARDS as u32);
        River {
            seed,
            bases: options.bases,
            edits_per_second: options.edits_per_second,
            began: before(options.started, options.history),
            delay: options.delay,
            versions: vec![0; stashes as usize],
            shown: 0,
        }
    }

    /// Returns the number of edits made in the game.
    pub(super) fn head(&self, now: Timestamp) -> u64 {
        let millis = between(self.began, now).as_millis() * u128::from(self.edits_per_second);
        u64::try_from(millis / 1000).unwrap_or(u64::MAX)
    }

    /// Returns the number of edits that the river shows.
    pub(super) fn tail(&self, now: Timestamp) -> u64 {
        self.head(before(now, self.delay))
    }

    /// Updates the stashes to their state at `now`.
    pub(super) fn advance_to(&mut self, now: Timestamp) {
        let tail = self.tail(now);
        while self.shown < tail {
            let stash = self.stash_of(self.shown);
            self.versions[stash as usize] += 1;
            self.shown += 1;
        }
    }

    /// The number of edits of `stash` as of the last [`advance_to`](River::advance_to). `None` if there is no such
    /// stash.
    pub(super) fn version(&self, stash: u32) -> Option<u32> {
        self.versions.get(stash as usize).copied()
    }

    /// Returns the stashes changed by the edits from `from` to `to`, exclusive: each once, in the order of their first
    /// edit.
    pub(super) fn changed(&self, from: u64, to: u64) -> Vec<u32> {
        let mut seen = std::collections::BTreeSet::new();
        (from..to).map(|edit| self.stash_of(edit)).filter(|stash| seen.insert(*stash)).collect()
    }

    /// Returns the change id of the position after `edits` edits.
    pub(super) fn change_id(&self, edits: u64) -> String {
        let order = self.order(edits / SHARDS);
        let counters = self.bases.iter().enumerate().map(|(shard, base)| {
            let begun = order[..(edits % SHARDS) as usize].contains(&(shard as u64));
            (base + edits / SHARDS + u64::from(begun)).to_string()
        });
        counters.collect::<Vec<String>>().join("-")
    }

    /// Returns the position of an id: exact for an id of the river, the nearest for five other numbers.
    pub(super) fn position(&self, counters: [u64; 5]) -> u64 {
        let passed = counters.iter().zip(self.bases).map(|(counter, base)| counter.saturating_sub(base));
        passed.fold(0, u64::saturating_add)
    }

    /// Returns the order in which a block of five edits changes the shards.
    fn order(&self, block: u64) -> [u64; 5] {
        let mut order = [0, 1, 2, 3, 4];
        let mut draw = RandomSequence::of(self.seed, Purpose::Edit, block);
        for last in (1..order.len()).rev() {
            order.swap(last, draw.below(last as u64 + 1) as usize);
        }
        order
    }

    fn stash_of(&self, edit: u64) -> u32 {
        let shard = self.order(edit / SHARDS)[(edit % SHARDS) as usize];
        let of_shard = RandomSequence::of(!self.seed, Purpose::Edit, edit).below(self.versions.len() as u64 / SHARDS);
        (of_shard * SHARDS + shard) as u32
    }
}

/// Parses the five counters of `text`: digits separated by hyphens. `0` is the beginning of the river.
pub(super) fn parse(text: &str) -> Option<[u64; 5]> {
    if text.is_empty() || text == "0" {
        return Some([0; 5]);
    }
    let mut counters = [0; 5];
    let mut parts = text.split('-');
    for counter in &mut counters {
        let part = parts.next().filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *counter = part.parse().ok()?;
    }
    parts.next().is_none().then_some(counters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn river() -> River {
        River::new(&Options { bases: [u64::from(u32::MAX); 5], ..Options::default() }, 7)
    }

    #[test]
    fn every_place_has_a_name_that_leads_back() {
        let river = river();
        for edits in (0..50).chain(1_000_000..1_000_050) {
            let counters = parse(&river.change_id(edits)).expect("five counters");
            assert_eq!(river.position(counters), edits);
        }
    }

    #[test]
    fn counters_never_fall_and_grow_by_the_edits() {
        let river = river();
        let mut last = [0; 5];
        for edits in 0..100 {
            let counters = parse(&river.change_id(edits)).expect("five counters");
            assert!(counters.iter().zip(last).all(|(counter, last)| *counter >= last));
            last = counters;
        }
    }

    #[test]
    fn other_numbers_lead_near_and_bisect() {
        let river = river();
        let base = u64::from(u32::MAX);
        assert_eq!(river.position([base + 10; 5]), 50);
        assert_eq!(river.position([0; 5]), 0);
        assert_eq!(river.position([u64::MAX; 5]), u64::MAX);
    }

    #[test]
    fn only_five_numbers_are_an_id() {
        for bad in ["1-2-3-4", "1-2-3-4-5-6", "1-2-3-4-", "1-2-3-4-x", "-1-2-3-4", "1-2-3-4-99999999999999999999", "1"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(""), Some([0; 5]));
        assert_eq!(parse("1-2-3-4-18446744073709551615"), Some([1, 2, 3, 4, u64::MAX]));
    }

    #[test]
    fn the_river_lags_behind_the_game() {
        let river = river();
        let started = Options::default().started;
        assert_eq!((river.head(started), river.tail(started)), (3600 * 64, 3300 * 64));
    }
}
