//! Reports: which players raided together, and when. Like the players, they are derived, not stored.

use jiff::Timestamp;
use stint_core::clock::to_millis;

use super::constants::{self, Zone};
use super::population::Population;
use crate::random::{Purpose, RandomSequence, mix};

/// Ranked characters in a report.
const RAIDERS: usize = 20;
/// Every player raids once in this time, and then again. The oldest report is this much older than the start.
const CYCLE_MILLIS: i64 = 7 * 24 * 3600 * 1000;
/// Guilds of a server, called `Guild 0` and so on.
const GUILDS: u64 = 2;
/// The duration of a raid, and the time from its start until its report can be read.
const LENGTH_MILLIS: i64 = 3 * 3600 * 1000;
const READABLE_MILLIS: i64 = 4 * 3600 * 1000;
/// The letters of a code that encode the report, and those of its check sum.
const CODE_LETTERS: usize = 11;
const CHECK_LETTERS: usize = 5;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// An odd factor has an inverse modulo 2^64, so codes look random and can still be decoded.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// One report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) zone: &'static Zone,
    /// 0 is the first report of the zone.
    pub(crate) number: u64,
    pub(crate) difficulty: u32,
    /// The first row of the ranking that took part.
    first_row: usize,
    pub(crate) start_millis: i64,
    pub(crate) end_millis: i64,
}

/// The reports of one population that can be read now.
#[derive(Debug)]
pub(crate) struct Reports<'p> {
    pub(crate) population: &'p Population,
    pub(crate) seed: u64,
    pub(crate) started: Timestamp,
    pub(crate) now: Timestamp,
}

impl<'p> Reports<'p> {
    /// Returns how many reports of a zone can be read. A week of reports exists from the beginning.
    pub(crate) fn count(&self, zone: &Zone) -> u64 {
        let passed = to_millis(self.now) - to_millis(self.started) + CYCLE_MILLIS;
        let reports = u128::from(self.cycle(zone)) * u128::from(u64::try_from(passed).unwrap_or(0));
        u64::try_from(reports.div_ceil(CYCLE_MILLIS as u128)).unwrap_or(u64::MAX)
    }

    /// Returns the ages of the reports of `zone` that began from `start` to `end` (milliseconds). The newest has age 0.
    pub(crate) fn between(&self, zone: &'static Zone, start: Option<i64>, end: Option<i64>) -> std::ops::Range<u64> {
        let (count, cycle) = (self.count(zone), self.cycle(zone));
        let started = |age: u64| self.start_millis(count - 1 - age, cycle);
        let first = partition(count, |age| end.is_some_and(|end| started(age) > end));
        let last = partition(count, |age| start.is_none_or(|start| started(age) >= start));
        first..last.max(first)
    }

    /// Returns the report of `zone` with `age` newer ones.
    pub(crate) fn aged(&self, zone: &'static Zone, age: u64) -> Option<Report> {
        self.get(zone, self.count(zone).checked_sub(age + 1)?)
    }

    /// Returns a report of `zone` by its number.
    pub(crate) fn get(&self, zone: &'static Zone, number: u64) -> Option<Report> {
        if number >= self.count(zone) {
            return None;
        }
        let cycle = self.cycle(zone);
        let start_millis = self.start_millis(number, cycle);
        // Difficulties alternate over time instead of following each other.
        let mut place = (u128::from(number % cycle) * u128::from(stride(cycle)) % u128::from(cycle)) as u64;
        for (difficulty, reports) in self.difficulties(zone) {
            if place < reports {
                let (end_millis, first_row) = (start_millis + LENGTH_MILLIS, place as usize * RAIDERS);
                return Some(Report { zone, number, difficulty, first_row, start_millis, end_millis });
            }
            place -= reports;
        }
        None
    }

    /// Returns the ranked characters of a report.
    pub(crate) fn raiders(&self, report: &Report) -> &'p [u32] {
        let table = self.population.table(report.zone.id, report.difficulty);
        let end = table.len().min(report.first_row + RAIDERS);
        table.get(report.first_row..end).unwrap_or(&[])
    }

    /// Returns whether a guild of this name, on the server of the first raider, has uploaded a report. Each server has
    /// two guilds.
    pub(crate) fn is_of_guild(&self, report: &Report, name: &str, place: (Option<&str>, Option<&str>)) -> bool {
        let Some(first) = self.raiders(report).first() else { return false };
        let realm = self.population.realm(&self.population.profile(*first));
        let is_there = place.0 == Some(realm.slug)
            && place.1.is_some_and(|region| region.eq_ignore_ascii_case(realm.region().compact_name));
        is_there && name == format!("Guild {}", report.number % GUILDS)
    }

    /// The code in queries for the report.
    pub(crate) fn code(&self, report: &Report) -> String {
        let value = u64::from(report.zone.id) << 40 | report.number;
        let mut code = letters((value ^ mix(self.seed)).wrapping_mul(FACTOR), CODE_LETTERS);
        code.push_str(&self.check(value));
        code
    }

    /// Returns the report with `code`.
    pub(crate) fn find(&self, code: &str) -> Option<Report> {
        let (carrying, check) = code.split_at_checked(CODE_LETTERS)?;
        let value = number(carrying)?.wrapping_mul(inverse(FACTOR)) ^ mix(self.seed);
        let zone = constants::zone(u32::try_from(value >> 40).ok()?)?;
        (check == self.check(value)).then(|| self.get(zone, value & ((1 << 40) - 1)))?
    }

    fn check(&self, value: u64) -> String {
        letters(RandomSequence::of(self.seed, Purpose::Report, value).bits(), CHECK_LETTERS)
    }

    fn start_millis(&self, number: u64, cycle: u64) -> i64 {
        let offset = u128::from(number) * CYCLE_MILLIS as u128 / u128::from(cycle.max(1));
        let origin = to_millis(self.started) - READABLE_MILLIS - CYCLE_MILLIS;
        origin.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX))
    }

    /// Returns how many reports it takes until every player has raided once.
    fn cycle(&self, zone: &Zone) -> u64 {
        self.difficulties(zone).map(|(_, reports)| reports).sum()
    }

    /// Returns the difficulties of a zone, with the number of their reports.
    fn difficulties(&self, zone: &Zone) -> impl Iterator<Item = (u32, u64)> + 'p {
        let (population, zone) = (self.population, zone.id);
        let pairs = population.rankings().iter().filter(move |(raid, _)| *raid == zone);
        pairs.map(move |(raid, difficulty)| (*difficulty, population.rows(*raid, *difficulty).div_ceil(RAIDERS) as u64))
    }
}

/// Returns how many of the first `count` numbers satisfy a predicate that is true up to some number and false after it.
fn partition(count: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Returns a step that visits all of `count` positions before it repeats.
fn stride(count: u64) -> u64 {
    let from = (count as f64 * 0.618) as u64 + 1;
    (from..).find(|step| gcd(*step, count) == 1).unwrap_or(1)
}

fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// Returns the inverse of an odd number modulo 2^64: each round of Newton's method doubles the correct bits.
fn inverse(odd: u64) -> u64 {
    (0..6).fold(odd, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse))))
}

fn letters(mut value: u64, count: usize) -> String {
    let mut text = String::with_capacity(CODE_LETTERS + CHECK_LETTERS);
    for _ in 0..count {
        text.push(char::from(ALPHABET[(value % 62) as usize]));
        value /= 62;
    }
    text
}

fn number(text: &str) -> Option<u64> {
    text.bytes().rev().try_fold(0u64, |value, letter| {
        let digit = ALPHABET.iter().position(|candidate| *candidate == letter)?;
        value.checked_mul(62)?.checked_add(digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::warcraftlogs::Options;

    fn at_the_beginning(population: &Population) -> Reports<'_> {
        Reports { population, seed: 1, started: Timestamp::UNIX_EPOCH, now: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn reports_cover_every_ranked_player_and_are_found_by_code() {
        let population = Population::new(&Options { players: 3000, ..Options::default() });
        let reports = at_the_beginning(&population);
        let zone = constants::zone(28).expect("a known zone");
        let (mut seen, mut codes) = (BTreeSet::new(), BTreeSet::new());
        let mut last_start = i64::MAX;
        for age in 0..reports.count(zone) {
            let report = reports.aged(zone, age).expect("a report");
            assert!(report.start_millis <= last_start);
            last_start = report.start_millis;
            seen.extend(reports.raiders(&report).iter().map(|player| population.id(*player)));
            let code = reports.code(&report);
            assert_eq!((code.len(), reports.find(&code).map(|found| found.number)), (16, Some(report.number)));
            assert!(codes.insert(code));
        }
        let expected = population.discoverable(&[(28, 3), (28, 4), (28, 5)]);
        assert_eq!(seen, expected.into_iter().collect());
        assert!(reports.find("aaaaaaaaaaaaaaaa").is_none());
    }

    #[test]
    fn a_range_of_time_is_a_range_of_reports() {
        let population = Population::new(&Options::default());
        let reports = at_the_beginning(&population);
        let zone = constants::zone(26).expect("a known zone");
        let count = reports.count(zone);
        assert_eq!(reports.between(zone, None, None), 0..count);
        let third = reports.aged(zone, 3).expect("a report").start_millis;
        assert_eq!(reports.between(zone, Some(third), None), 0..4);
        assert_eq!(reports.between(zone, None, Some(third)), 3..count);
        assert!(reports.between(zone, Some(i64::MAX - 1), None).is_empty());
    }

    #[test]
    fn new_reports_appear_as_time_passes_and_old_ones_stay() {
        let population = Population::new(&Options::default());
        let zone = constants::zone(26).expect("a known zone");
        let before = at_the_beginning(&population);
        let oldest = before.get(zone, 0).expect("a report");
        let week_later = Timestamp::from_millisecond(CYCLE_MILLIS).expect("an instant");
        let later = Reports { now: week_later, ..at_the_beginning(&population) };
        assert_eq!(later.count(zone), 2 * before.count(zone));
        let newest = later.aged(zone, 0).expect("a report");
        assert!(newest.end_millis < to_millis(week_later));
        assert!(before.find(&later.code(&newest)).is_none());
        assert_eq!(later.find(&later.code(&oldest)).map(|found| found.start_millis), Some(oldest.start_millis));
    }
}
