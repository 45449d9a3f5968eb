//! The form of a player between document and record: compact bytes that are fast to read.
//!
//! Numbers are those of the staged dictionaries, seven bits per byte, the lowest first.

use std::ops::Range;
use std::sync::Mutex;

use super::dictionary::{Dictionaries, LocalDictionaries, Numbers};
use super::draft::{Draft, DraftCell, DraftSection, DraftStar};
use super::extras::{CellExtras, Extras, Star};
use super::format::{MAX_STARS, Precision, day_number};
use super::name;
use super::options::{DatabaseOptions, Field};
use super::record::{Cell, Record, Section};

/// The part of a row that is needed before the rest is read.
#[derive(Clone, Debug)]
pub(crate) struct RowHead {
    pub(crate) id: u64,
    /// Seconds since 1970.
    pub(crate) updated_at: u64,
    /// In its [written](name::written) form.
    pub(crate) name: Range<usize>,
    /// The bytes after the name.
    pub(crate) rest: Range<usize>,
}

/// Appends a row. An error is the reason to refuse the player; the caller must then remove what was appended.
pub(crate) fn write(
    player: &Draft<'_>,
    options: &DatabaseOptions,
    known: &mut LocalDictionaries,
    shared: &Mutex<Dictionaries>,
    target: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let day = day_number(player.updated_at).ok_or("updatedAt is out of range")?;
    let mut rest = Vec::with_capacity(200);
    put(&mut rest, player.class_id.into());
    put(&mut rest, day.into());
    let taken = player.raids.sections.iter().filter(|section| options.includes_unit(section.raid, section.difficulty));
    put(&mut rest, taken.clone().count() as u64);
    for section in taken {
        write_section(player, section, options, known, shared, &mut rest)?;
    }
    put(target, player.id);
    put(target, player.updated_at.as_second().unsigned_abs());
    let name = name::written(&player.name);
    put(target, name.len() as u64);
    target.extend_from_slice(&name);
    put(target, rest.len() as u64);
    target.extend_from_slice(&rest);
    Ok(())
}

fn write_section(
    player: &Draft<'_>,
    section: &DraftSection<'_>,
    options: &DatabaseOptions,
    known: &mut LocalDictionaries,
    shared: &Mutex<Dictionaries>,
    target: &mut Vec<u8>,
) -> Result<(), &'static str> {
    put(target, known.head(shared, section.raid, section.difficulty, &section.metric)? as u64);
    put(target, rounded(section.best, options.precision)?);
    put(target, rounded(section.median.filter(|_| options.includes_field(Field::Median)), options.precision)?);
    let extras = options.extras();
    if extras.all_stars {
        if section.stars.len() > MAX_STARS {
            return Err("a raid and difficulty has too many all-star entries");
        }
        put(target, section.stars.len() as u64);
        section.stars.iter().try_for_each(|star| write_star(star, options, known, shared, target))?;
    }
    let cells = &player.raids.cells[section.cells.clone()];
    put(target, cells.len() as u64);
    let (mut near, mut spec) = (0, None);
    for cell in cells {
        let encounter = known.encounter(shared, section.raid, cell.encounter, near)?;
        near = encounter + 1;
        let own = if options.includes_field(Field::Spec) { &*cell.spec } else { "" };
        let number = match spec {
            Some((before, number)) if before == own => number,
            _ => known.spec(shared, own)?,
        };
        spec = Some((own, number));
        put(target, encounter as u64);
        put(target, rounded(cell.best, options.precision)?);
        put(target, if options.includes_field(Field::Kills) { cell.kills.into() } else { 0 });
        put(target, number.into());
        if extras.of_cells() {
            write_extras(cell, options, known, shared, target)?;
        }
    }
    Ok(())
}

fn write_extras(
    cell: &DraftCell<'_>,
    options: &DatabaseOptions,
    known: &mut LocalDictionaries,
    shared: &Mutex<Dictionaries>,
    target: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let Extras { boss_all_stars, score, .. } = options.extras();
    let extras = cell.extras.as_deref();
    if score {
        let score = extras.and_then(|extras| extras.score);
        put(target, score.map_or(Ok(0), |score| points(score, options.precision).map(encode_optional))?);
        put(target, optional(extras.and_then(|extras| extras.key_level)));
    }
    if boss_all_stars {
        let star = extras.and_then(|extras| extras.star.as_ref());
        put(target, star.is_some().into());
        star.map_or(Ok(()), |star| write_star(star, options, known, shared, target))?;
    }
    Ok(())
}

fn write_star(
    star: &DraftStar<'_>,
    options: &DatabaseOptions,
    known: &mut LocalDictionaries,
    shared: &Mutex<Dictionaries>,
    target: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let spec = star.spec.as_ref().map(|spec| known.spec(shared, &spec.0)).transpose()?;
    put(target, optional(spec.map(u32::from)));
    put(target, optional(star.partition));
    put(target, points(star.points, options.precision)?.into());
    put(target, optional(star.rank));
    put(target, optional(star.region_rank));
    put(target, optional(star.server_rank));
    Ok(())
}

fn points(points: f64, precision: Precision) -> Result<u32, &'static str> {
    precision.round_points(points).ok_or("points are out of range")
}

/// The number plus 1; 0 for `None`.
fn optional(number: Option<u32>) -> u64 {
    number.map_or(0, encode_optional)
}

fn encode_optional(number: u32) -> u64 {
    u64::from(number) + 1
}

/// A percentile in steps plus 1; 0 for `None`.
fn rounded(percentile: Option<f64>, precision: Precision) -> Result<u64, &'static str> {
    match percentile {
        None => Ok(0),
        Some(value) => precision.round(value).map(|steps| u64::from(steps) + 1).ok_or("a percentile is out of range"),
    }
}

/// The rows in these bytes, which [`write()`] produced: an incomplete row ends the list.
pub(crate) fn heads(bytes: &[u8]) -> Vec<RowHead> {
    let mut heads = Vec::new();
    let mut at = 0;
    while let Some(head) = head(bytes, &mut at) {
        heads.push(head);
    }
    heads
}

fn head(bytes: &[u8], at: &mut usize) -> Option<RowHead> {
    let (id, updated_at) = (take(bytes, at)?, take(bytes, at)?);
    let name = range(bytes, at)?;
    let rest = range(bytes, at)?;
    Some(RowHead { id, updated_at, name, rest })
}

fn range(bytes: &[u8], at: &mut usize) -> Option<Range<usize>> {
    let length = take(bytes, at)? as usize;
    let range = *at..*at + length;
    *at += length;
    (*at <= bytes.len()).then_some(range)
}

/// Makes the record of a row that was written with these extras. Sections and encounters ascend in a draft, and
/// therefore here too. `None` if the row was not written by [`write()`].
pub(crate) fn read(bytes: &[u8], head: &RowHead, numbers: &Numbers, extras: Extras, record: &mut Record) -> Option<()> {
    record.clear();
    record.name.extend_from_slice(&bytes[head.name.clone()]);
    let rest = &bytes[head.rest.clone()];
    let at = &mut 0;
    record.class_id = take(rest, at)? as u32;
    record.day = take(rest, at)? as u32;
    for _ in 0..take(rest, at)? {
        let staged = take(rest, at)? as usize;
        let (best, median) = (steps(take(rest, at)?), steps(take(rest, at)?));
        let (first, first_star) = (record.cells.len(), record.stars.len());
        for _ in 0..if extras.all_stars { take(rest, at)? } else { 0 } {
            record.stars.push(read_star(rest, at, numbers)?);
        }
        let encounters = numbers.encounters.get(staged)?;
        for _ in 0..take(rest, at)? {
            let encounter = *encounters.get(take(rest, at)? as usize)?;
            let (percent, kills) = (steps(take(rest, at)?), take(rest, at)? as u32);
            let spec = *numbers.specs.get(take(rest, at)? as usize)?;
            record.cells.push(Cell { encounter, percent, kills, spec });
            if extras.of_cells() {
                record.extras.push(read_extras(rest, at, numbers, extras)?);
            }
        }
        let (cells, stars) = (first..record.cells.len(), first_star..record.stars.len());
        record.sections.push(Section { head: *numbers.heads.get(staged)?, best, median, cells, stars });
    }
    Some(())
}

fn read_extras(rest: &[u8], at: &mut usize, numbers: &Numbers, extras: Extras) -> Option<CellExtras> {
    let mut read = CellExtras::default();
    if extras.score {
        read.score = decode_optional(take(rest, at)?);
        read.key_level = decode_optional(take(rest, at)?);
    }
    if extras.boss_all_stars && take(rest, at)? == 1 {
        read.star = Some(read_star(rest, at, numbers)?);
    }
    Some(read)
}

fn read_star(rest: &[u8], at: &mut usize, numbers: &Numbers) -> Option<Star> {
    let spec = match decode_optional(take(rest, at)?) {
        Some(staged) => Some(*numbers.specs.get(staged as usize)?),
        None => None,
    };
    Some(Star {
        spec,
        partition: decode_optional(take(rest, at)?),
        points: take(rest, at)? as u32,
        rank: decode_optional(take(rest, at)?),
        region_rank: decode_optional(take(rest, at)?),
        server_rank: decode_optional(take(rest, at)?),
    })
}

/// The inverse of [`optional`].
fn decode_optional(number: u64) -> Option<u32> {
    number.checked_sub(1).map(|number| number as u32)
}

fn steps(encode_optional: u64) -> Option<u16> {
    encode_optional.checked_sub(1).map(|steps| steps as u16)
}

fn put(target: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        target.push(number as u8 | 0x80);
        number >>= 7;
    }
    target.push(number as u8);
}

fn take(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}
