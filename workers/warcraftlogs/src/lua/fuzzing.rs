//! Access to this folder for the fuzz targets of `shared/fuzz`. Nothing else uses it; it is not part of the interface.

use super::entropy::models::{Models, Statistics};
use super::entropy::walk::Shape;
use super::extras::Extras;
use super::format::{Precision, ZERO};
use super::record::{Cell, Record};
use super::trailer::Trailer;

/// Parses a trailer from `text` and writes it again. `None` if it cannot be parsed.
pub fn rewritten(text: &str) -> Option<String> {
    let trailer = Trailer::parse(text).ok()?;
    let mut written = Vec::new();
    trailer.write(&mut written, 0).ok()?;
    let mut written = String::from_utf8(written).ok()?;
    // The parser does not read the last line.
    written.truncate(written.trim_end().rfind('\n')? + 1);
    Some(written)
}

/// A record, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// In its written form.
    pub name: Vec<u8>,
    /// The class.
    pub class_id: u32,
    /// The day's number.
    pub day: u32,
    /// Ascending by head.
    pub sections: Vec<Section>,
}

/// A section of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its number.
    pub head: usize,
    /// In steps.
    pub best: Option<u16>,
    /// In steps.
    pub median: Option<u16>,
    /// Encounter, percentile in steps, kills, and spec.
    pub cells: Vec<(u16, Option<u16>, u32, u16)>,
}

/// The models of some records.
pub struct Table<'a> {
    models: Models,
    shape: Shape<'a>,
}

impl<'a> Table<'a> {
    /// The models of `players`, in raids with these numbers of encounters.
    pub fn of(players: &[Parts], encounters: &'a [usize], tenths: bool) -> Table<'a> {
        let precision = if tenths { Precision::Tenths } else { Precision::Whole };
        let shape = Shape { encounters, precision, extras: Extras::default() };
        let mut statistics = Statistics::default();
        players.iter().for_each(|player| statistics.count(&player.record(), shape));
        Table { models: statistics.models(), shape }
    }

    /// The record's text. `None` if the counts of the models do not include it.
    pub fn write(&self, player: &Parts) -> Option<Vec<u8>> {
        let mut text = player.name.clone();
        text.push(ZERO + u8::try_from(player.class_id).ok()?);
        self.models.write(&player.record(), self.shape, &mut Vec::new(), &mut text)?;
        Some(text)
    }

    /// Parses a record. `None` if it is damaged.
    pub fn read(&self, text: &[u8]) -> Option<Parts> {
        let mut record = Record::default();
        record.read(text, &self.models, self.shape)?;
        Some(Parts::of(&record))
    }

    /// Parses models from `text` and prints them again. `None` if they are damaged.
    pub fn reprinted(text: &[u8]) -> Option<Vec<u8>> {
        let mut printed = Vec::new();
        Models::parse(text)?.write_models(&mut printed);
        Some(printed)
    }
}

impl Parts {
    fn of(record: &Record) -> Parts {
        let cell = |cell: &Cell| (cell.encounter, cell.percent, cell.kills, cell.spec);
        let sections = record.sections.iter().map(|section| Section {
            head: section.head,
            best: section.best,
            median: section.median,
            cells: record.cells(section).iter().map(cell).collect(),
        });
        let Record { name, class_id, day, .. } = record;
        Parts { name: name.clone(), class_id: *class_id, day: *day, sections: sections.collect() }
    }

    fn record(&self) -> Record {
        let Parts { name, class_id, day, .. } = self;
        let mut record = Record { name: name.clone(), class_id: *class_id, day: *day, ..Record::default() };
        for section in &self.sections {
            let first = record.cells.len();
            let cell = |(encounter, percent, kills, spec)| Cell { encounter, percent, kills, spec };
            record.cells.extend(section.cells.iter().copied().map(cell));
            let cells = first..record.cells.len();
            let Section { head, best, median, .. } = section;
            let (head, best, median) = (*head, *best, *median);
            record.sections.push(super::record::Section { head, best, median, cells, stars: 0..0 });
        }
        record
    }
}
