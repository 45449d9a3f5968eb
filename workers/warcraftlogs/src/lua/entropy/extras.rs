//! The extras of a record, in the order in which they are written and read: a separate number after the record's.

use super::coder::State;
use super::models::Models;
use super::places;
use super::walk::{Shape, Sink};
use crate::lua::extras::{CellExtras, Star};
use crate::lua::format::MAX_STARS;
use crate::lua::record::Record;

/// Each number below this has a class of its own.
const SINGLE: u64 = 8;
/// Number of classes for larger numbers of one bit length.
const CLASSES: u64 = 4;
/// Plain bits are written this many at a time.
const PIECE: u32 = 16;

/// The columns of [`places::POINTS`] and [`places::WORLD`].
const OF_SECTION: usize = 0;
const OF_CELL: usize = 1;

/// Visits the extras of a record. There is a refill before every value.
pub(crate) fn walk_extras(record: &Record, shape: Shape<'_>, sink: &mut impl Sink) {
    let steps = shape.precision.steps();
    let mut walk = Walk { class_id: record.class_id, sink };
    for section in &record.sections {
        if shape.extras.all_stars {
            let stars = &record.stars[section.stars.clone()];
            walk.put(places::STARS, stars.len() as u64);
            stars.iter().for_each(|star| walk.star(star, OF_SECTION, places::level_of(section.best, steps)));
        }
        if !shape.extras.of_cells() {
            continue;
        }
        let cells = section.cells.clone().zip(&record.extras[section.cells.clone()]);
        for (cell, extras) in cells {
            let level = places::level_of(record.cells[cell].percent, steps);
            if shape.extras.score {
                walk.number(places::SCORE + level, optional(extras.score));
                walk.put(places::key_level(extras.score, steps), optional(extras.key_level));
            }
            if shape.extras.boss_all_stars {
                walk.put(places::STARRED, extras.star.is_some().into());
                extras.star.iter().for_each(|star| walk.star(star, OF_CELL, level));
            }
        }
    }
}

/// Reads what [`walk_extras`] wrote into a record whose sections and cells are already read. `None` if it is damaged.
pub(crate) fn read_extras(record: &mut Record, digits: &[u8], models: &Models, shape: Shape<'_>) -> Option<()> {
    let steps = shape.precision.steps();
    let mut reader = Reader { state: State::new(digits)?, models, class_id: record.class_id };
    for section in &mut record.sections {
        let first = record.stars.len();
        if shape.extras.all_stars {
            let stars = usize::try_from(reader.take(places::STARS)?).ok().filter(|stars| *stars <= MAX_STARS)?;
            for _ in 0..stars {
                record.stars.push(reader.star(OF_SECTION, places::level_of(section.best, steps))?);
            }
        }
        section.stars = first..record.stars.len();
        if !shape.extras.of_cells() {
            continue;
        }
        for cell in &record.cells[section.cells.clone()] {
            let level = places::level_of(cell.percent, steps);
            let mut extras = CellExtras::default();
            if shape.extras.score {
                extras.score = decode_optional(reader.number(places::SCORE + level)?)?;
                extras.key_level = decode_optional(reader.take(places::key_level(extras.score, steps))?)?;
            }
            if shape.extras.boss_all_stars && reader.take(places::STARRED)? == 1 {
                extras.star = Some(reader.star(OF_CELL, level)?);
            }
            record.extras.push(extras);
        }
    }
    reader.state.is_done().then_some(())
}

/// The class of a number, and the number of plain bits that follow it.
fn class_of(number: u64) -> (u64, u32) {
    if number < SINGLE {
        return (number, 0);
    }
    let bits = number.ilog2() - CLASSES.ilog2();
    (SINGLE + u64::from(bits - 1) * CLASSES + (number >> bits) % CLASSES, bits)
}

/// The lowest number of a class, and the number of plain bits that follow it. `None` if there is no such class.
fn lowest_of(class: u64) -> Option<(u64, u32)> {
    let Some(place) = class.checked_sub(SINGLE) else { return Some((class, 0)) };
    let bits = u32::try_from(place / CLASSES + 1).ok().filter(|bits| *bits < 40)?;
    Some(((CLASSES + place % CLASSES) << bits, bits))
}

/// The number plus 1; 0 for `None`.
fn optional(number: Option<u32>) -> u64 {
    number.map_or(0, |number| u64::from(number) + 1)
}

/// The inverse of [`optional`]. `None` if the number is out of range.
fn decode_optional(number: u64) -> Option<Option<u32>> {
    number.checked_sub(1).map(u32::try_from).transpose().ok()
}

/// The context for the next rank, derived from this number.
fn context(number: u64) -> usize {
    (class_of(number).0 / CLASSES) as usize
}

struct Walk<'a, S> {
    class_id: u32,
    sink: &'a mut S,
}

impl<S: Sink> Walk<'_, S> {
    fn put(&mut self, place: usize, value: u64) {
        self.sink.put(place, value);
        self.sink.refill();
    }

    fn number(&mut self, place: usize, number: u64) {
        let (class, mut bits) = class_of(number);
        self.put(place, class);
        let mut rest = number;
        while bits > 0 {
            let piece = bits.min(PIECE);
            self.sink.plain((rest % (1 << piece)) as u32, piece);
            self.sink.refill();
            (rest, bits) = (rest >> piece, bits - piece);
        }
    }

    fn star(&mut self, star: &Star, column: usize, level: usize) {
        let Star { spec, partition, points, rank, region_rank, server_rank } = *star;
        self.put(places::STAR_SPEC + self.class_id as usize, optional(spec.map(u32::from)));
        self.put(places::PARTITION, optional(partition));
        self.number(places::POINTS[column] + level, points.into());
        let (rank, region) = (optional(rank), optional(region_rank));
        self.number(places::WORLD[column] + level, rank);
        self.number(places::REGION + context(rank), region);
        self.number(places::SERVER + context(region), optional(server_rank));
    }
}

struct Reader<'a> {
    state: State<'a>,
    models: &'a Models,
    class_id: u32,
}

impl Reader<'_> {
    fn take(&mut self, place: usize) -> Option<u64> {
        let value = self.models.at(place)?.read(&mut self.state)?;
        self.state.refill()?;
        Some(value)
    }

    fn number(&mut self, place: usize) -> Option<u64> {
        let (lowest, bits) = lowest_of(self.take(place)?)?;
        let (mut rest, mut read) = (0, 0);
        while read < bits {
            let piece = (bits - read).min(PIECE);
            let slot = self.state.slot(piece);
            self.state.take(slot, 1, piece);
            self.state.refill()?;
            (rest, read) = (rest + (u64::from(slot) << read), read + piece);
        }
        Some(lowest + rest)
    }

    fn star(&mut self, column: usize, level: usize) -> Option<Star> {
        let spec = decode_optional(self.take(places::STAR_SPEC + self.class_id as usize)?)?;
        let spec = spec.map(u16::try_from).transpose().ok()?;
        let partition = decode_optional(self.take(places::PARTITION)?)?;
        let points = u32::try_from(self.number(places::POINTS[column] + level)?).ok()?;
        let rank = self.number(places::WORLD[column] + level)?;
        let region = self.number(places::REGION + context(rank))?;
        let server = self.number(places::SERVER + context(region))?;
        let (rank, region_rank, server_rank) =
            (decode_optional(rank)?, decode_optional(region)?, decode_optional(server)?);
        Some(Star { spec, partition, points, rank, region_rank, server_rank })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn a_class_and_plain_bits_encode_every_number(number in 0u64..1 << 34) {
            let (class, bits) = class_of(number);
            let (lowest, same) = lowest_of(class).unwrap();
            prop_assert_eq!(bits, same);
            prop_assert!(lowest <= number && number - lowest < 1 << bits, "{} of {}", class, number);
        }
    }

    #[test]
    fn contexts_stay_within_their_places() {
        assert!(places::REGION + context(optional(Some(u32::MAX))) < places::SERVER);
        assert!(places::SERVER + context(optional(Some(u32::MAX))) < places::FIRST_KILLS);
        assert_eq!((class_of(7), class_of(8), class_of(15)), ((7, 0), (8, 1), (11, 1)));
        assert_eq!(lowest_of(u64::MAX), None);
    }
}
