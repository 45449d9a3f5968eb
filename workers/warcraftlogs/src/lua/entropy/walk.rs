//! Visits a record in the order in which it is written and read. Counting and writing visit the same values, so that
//! every value that is written was counted.

use super::places;
use crate::lua::extras::Extras;
use crate::lua::format::{MODELLED_ENCOUNTERS, Precision};
use crate::lua::record::{Cell, Record, Section};

/// A visitor of a record's values.
pub(crate) trait Sink {
    /// A value at a place.
    fn put(&mut self, place: usize, value: u64);
    /// One of `1 << bits` values, all equally likely.
    fn plain(&mut self, value: u32, bits: u32);
    /// A reader refills here.
    fn refill(&mut self);
}

/// The context needed to interpret a record.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// How many encounters the raid of each section has.
    pub(crate) encounters: &'a [usize],
    /// The precision of percentiles.
    pub(crate) precision: Precision,
    /// Which extras follow as a second number.
    pub(crate) extras: Extras,
}

/// Visits a record. Its name and class come before it in the file, unencoded.
pub(crate) fn walk(record: &Record, shape: Shape<'_>, sink: &mut impl Sink) {
    sink.put(places::DAY, record.day.into());
    sink.refill();
    let mut walk = Walk { class_id: record.class_id, shape, level: None, spec: None, sink };
    let mut after = 0;
    for section in &record.sections {
        walk.sink.put(places::SECTION + after, section.head as u64 + 1);
        walk.sink.refill();
        walk.section(section, record.cells(section));
        after = section.head + 1;
    }
    walk.sink.put(places::SECTION + after, 0);
    walk.sink.refill();
}

struct Walk<'a, S> {
    class_id: u32,
    shape: Shape<'a>,
    level: Option<usize>,
    spec: Option<u16>,
    sink: &'a mut S,
}

impl<S: Sink> Walk<'_, S> {
    fn section(&mut self, section: &Section, cells: &[Cell]) {
        self.killed(section, cells);
        let own = places::level(u32::from(mean(cells) / self.shape.precision.steps()));
        let percents = places::PERCENT
            + *self.level.get_or_insert_with(|| {
                self.sink.put(places::LEVEL, own as u64);
                self.sink.refill();
                own
            });
        let mut kills = None;
        for cell in cells {
            self.percent(percents, cell.percent);
            self.kills(places::kills(section.head, kills), cell);
            kills = Some(cell.kills);
        }
        self.averages(section, cells);
        self.level = Some(own);
    }

    fn killed(&mut self, section: &Section, cells: &[Cell]) {
        let encounters = self.shape.encounters[section.head];
        if encounters <= MODELLED_ENCOUNTERS {
            let killed = cells.iter().fold(0u64, |killed, cell| killed | 1 << cell.encounter);
            self.sink.put(places::KILLED + section.head, killed);
            self.sink.refill();
            return;
        }
        let mut rest = cells.iter().peekable();
        for encounter in 0..encounters {
            let killed = rest.next_if(|cell| usize::from(cell.encounter) == encounter).is_some();
            self.sink.plain(u32::from(killed), 1);
            self.sink.refill();
        }
    }

    fn percent(&mut self, place: usize, percent: Option<u16>) {
        let steps = u32::from(self.shape.precision.steps());
        let whole = percent.map(|percent| u32::from(percent) / steps);
        self.sink.put(place, whole.map_or(0, |whole| u64::from(whole) + 1));
        if let Some(percent) = percent.filter(|_| self.shape.precision == Precision::Tenths) {
            self.sink.refill();
            self.sink.put(places::PERCENT_TENTHS, u64::from(u32::from(percent) % steps));
            self.sink.refill();
        }
    }

    /// Kills, and whether the spec differs from the previous one: both in one value, since the spec is mostly the same.
    fn kills(&mut self, place: usize, cell: &Cell) {
        let changed = self.spec != Some(cell.spec);
        self.sink.put(place, 2 * u64::from(cell.kills) + u64::from(changed));
        if changed {
            self.sink.put(places::SPEC + self.class_id as usize, cell.spec.into());
            self.spec = Some(cell.spec);
        }
        self.sink.refill();
    }

    /// The upstream's best average is the mean of the percentiles, so it is known except for rounding.
    fn averages(&mut self, section: &Section, cells: &[Cell]) {
        let mean = mean(cells);
        let distance = |best: u16| 1 + zigzag(i64::from(best) - i64::from(mean));
        self.sink.put(places::BEST, section.best.map_or(0, distance));
        self.sink.refill();
        let place = places::median(cells.len(), cells.iter().map(|cell| u64::from(cell.kills)).sum());
        let best = section.best.unwrap_or(mean);
        let below = section.median.map(|median| zigzag(i64::from(best) - i64::from(median)));
        let steps = u64::from(self.shape.precision.steps());
        self.sink.put(place, below.map_or(0, |below| 1 + below / steps));
        if let Some(below) = below.filter(|_| self.shape.precision == Precision::Tenths) {
            self.sink.refill();
            self.sink.put(places::MEDIAN_TENTHS, below % steps);
        }
        self.sink.refill();
    }
}

/// The mean of the existing percentiles, rounded down; 0 if there are none.
pub(crate) fn mean(cells: &[Cell]) -> u16 {
    let known = cells.iter().filter_map(|cell| cell.percent);
    let (sum, number) = known.fold((0, 0), |(sum, number), percent| (sum + u32::from(percent), number + 1));
    (sum / number.max(1)) as u16
}

/// 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …
pub(crate) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
