//! One record, taken apart into arrays that are used again for the next one.

use std::ops::Range;

use super::digest;
use super::format::{BITS_FOLLOW, BITS_PER_DIGIT, Digits, cell_width, unpack_cell};
use super::trailer::Trailer;

/// What a record says, in the numbers of the trailer's dictionaries.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) class_id: u32,
    pub(super) day: u32,
    pub(super) sections: Vec<Section>,
    cells: Vec<Cell>,
    specs: Vec<usize>,
}

/// One raid and difficulty.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) head: usize,
    pub(super) best: u16,
    pub(super) median: u16,
    cells: Range<usize>,
}

/// One encounter.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) encounter: u32,
    pub(super) tenths: u16,
    pub(super) kills: u32,
    /// Its number in the trailer's specs.
    pub(super) spec: usize,
}

/// Where the name ends: at the first byte that no name has.
pub(super) fn split_name(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| (b'!'..=b'@').contains(byte)).unwrap_or(line.len());
    line.split_at(end)
}

impl Record {
    /// Reads what follows the name. `None` when it is damaged.
    pub(super) fn decode(&mut self, text: &[u8], trailer: &Trailer) -> Option<()> {
        self.sections.clear();
        self.cells.clear();
        self.specs.clear();
        let mut digits = Digits(text);
        self.class_id = digits.take(1)?;
        self.day = digits.take(2)?;
        for _ in 0..digits.count()? {
            let spec = digits.count()? as usize;
            trailer.specs.get(spec)?;
            self.specs.push(spec);
        }
        while !digits.0.is_empty() {
            self.decode_section(&mut digits, trailer)?;
        }
        Some(())
    }

    fn decode_section(&mut self, digits: &mut Digits<'_>, trailer: &Trailer) -> Option<()> {
        let head = digits.count()? as usize;
        let encounters = trailer.encounters.get(&trailer.heads.get(head)?.raid).map_or(&[][..], Vec::as_slice);
        let first_cell = self.cells.len();
        self.decode_killed(digits, encounters)?;
        let (best, median) = (digits.take(2)? as u16, digits.take(2)? as u16);
        let (specs, width) = (self.specs.len() as u32, cell_width(self.specs.len()));
        for cell in &mut self.cells[first_cell..] {
            let (tenths, kills, spec) = unpack_cell(digits.take(width)?, specs.max(1));
            cell.tenths = tenths as u16;
            cell.kills = kills;
            cell.spec = *self.specs.get(spec as usize)?;
        }
        self.sections.push(Section { head, best, median, cells: first_cell..self.cells.len() });
        Some(())
    }

    /// Adds a cell, still empty, for every encounter that has one.
    fn decode_killed(&mut self, digits: &mut Digits<'_>, encounters: &[u32]) -> Option<()> {
        let killed = digits.take(1)?;
        let empty = |encounter: &u32| Cell { encounter: *encounter, tenths: 0, kills: 0, spec: 0 };
        if killed < BITS_FOLLOW {
            self.cells.extend(encounters.get(..killed as usize)?.iter().map(empty));
            return Some(());
        }
        for place in 0..(killed - BITS_FOLLOW) as usize {
            let bits = digits.take(1)?;
            for bit in (0..BITS_PER_DIGIT).filter(|bit| bits >> bit & 1 == 1) {
                self.cells.push(empty(encounters.get(place * BITS_PER_DIGIT + bit)?));
            }
        }
        Some(())
    }

    /// The cells of one of the sections.
    pub(super) fn cells(&self, section: &Section) -> &[Cell] {
        &self.cells[section.cells.clone()]
    }

    /// The digest of everything read, to compare with what went in. `specs` are the digests of the trailer's specs.
    pub(super) fn digest(&self, server: u64, name: &[u8], trailer: &Trailer, specs: &[u64]) -> u64 {
        let sections = self.sections.iter().fold(0, |total, section| {
            let head = &trailer.heads[section.head];
            let cells = self.cells(section).iter().fold(0u64, |sum, cell| {
                sum.wrapping_add(digest::cell(cell.encounter, cell.tenths, cell.kills, specs[cell.spec]))
            });
            let metric = head.metric.as_bytes();
            let section = digest::section(head.raid, head.difficulty, metric, section.best, section.median, cells);
            digest::mix(total, section)
        });
        digest::mix(digest::player(server, name, self.class_id, self.day), sections)
    }
}
