//! One player in the form of the database: with the numbers of the region's dictionaries, in reused arrays.

use std::ops::Range;

use super::entropy::coder::State;
use super::entropy::extras::read_extras;
use super::entropy::models::Models;
use super::entropy::places;
use super::entropy::walk::{Shape, mean, unzigzag};
use super::extras::{CellExtras, Star};
use super::format::{MODELLED_ENCOUNTERS, Precision, SPACE, ZERO};
use super::name;

/// The database's contents about a player.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// In its [written](name::written) form.
    pub(crate) name: Vec<u8>,
    pub(crate) class_id: u32,
    pub(crate) day: u32,
    /// Ascending by `head`.
    pub(crate) sections: Vec<Section>,
    pub(crate) cells: Vec<Cell>,
    /// All-star points of the sections. Like the following, empty unless the database contains them.
    pub(crate) stars: Vec<Star>,
    /// One for each cell.
    pub(crate) extras: Vec<CellExtras>,
}

/// One raid and difficulty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its number in the dictionary of (raid, difficulty, metric).
    pub(crate) head: usize,
    /// In steps of the database's precision, like every percentile here.
    pub(crate) best: Option<u16>,
    pub(crate) median: Option<u16>,
    /// The range of its cells in the record.
    pub(crate) cells: Range<usize>,
    /// The range of its stars in the record.
    pub(crate) stars: Range<usize>,
}

/// One encounter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Its number among the raid's encounters; ascending within a section.
    pub(crate) encounter: u16,
    pub(crate) percent: Option<u16>,
    pub(crate) kills: u32,
    /// Its number in the dictionary of specs.
    pub(crate) spec: u16,
}

/// Splits a record at the end of the name: at the class, whose byte does not occur in names.
pub(crate) fn split_name(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| (ZERO..ZERO + 32).contains(byte)).unwrap_or(text.len());
    text.split_at(end)
}

impl Record {
    /// The cells of one of the sections.
    pub(crate) fn cells(&self, section: &Section) -> &[Cell] {
        &self.cells[section.cells.clone()]
    }

    /// Empties the record and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.name.clear();
        self.sections.clear();
        self.cells.clear();
        self.stars.clear();
        self.extras.clear();
    }

    /// Parses a record. `None` if it is damaged; then only the name is valid.
    pub(crate) fn read(&mut self, text: &[u8], models: &Models, shape: Shape<'_>) -> Option<()> {
        self.clear();
        let (name, rest) = split_name(text);
        self.name.extend_from_slice(name);
        name::read(name)?;
        let (class, digits) = rest.split_first()?;
        self.class_id = u32::from(class - ZERO);
        if !shape.extras.any() {
            return self.read_digits(digits, models, shape);
        }
        let space = digits.iter().position(|byte| *byte == SPACE)?;
        self.read_digits(&digits[..space], models, shape)?;
        read_extras(self, &digits[space + 1..], models, shape)
    }

    fn read_digits(&mut self, digits: &[u8], models: &Models, shape: Shape<'_>) -> Option<()> {
        let mut reader = Reader { state: State::new(digits)?, models, shape, level: None, spec: None };
        self.day = u32::try_from(reader.take(places::DAY)?).ok()?;
        reader.state.refill()?;
        let mut after = 0;
        loop {
            let next = usize::try_from(reader.take(places::SECTION + after)?).ok()?;
            reader.state.refill()?;
            if next == 0 {
                return reader.state.is_done().then_some(());
            }
            // Strictly ascending, so that parsing a damaged record ends.
            if next <= after || next > shape.encounters.len() {
                return None;
            }
            self.read_section(next - 1, &mut reader)?;
            after = next;
        }
    }

    fn read_section(&mut self, head: usize, reader: &mut Reader<'_>) -> Option<()> {
        let first = self.cells.len();
        self.read_killed(head, reader)?;
        let percents = places::PERCENT + reader.level()?;
        let (mut kills, mut all_kills) = (None, 0);
        for cell in &mut self.cells[first..] {
            cell.percent = reader.percent(percents)?;
            (cell.kills, cell.spec) = reader.kills(places::kills(head, kills), self.class_id)?;
            kills = Some(cell.kills);
            all_kills += u64::from(cell.kills);
        }
        let cells = first..self.cells.len();
        let mean = mean(&self.cells[cells.clone()]);
        reader.level = Some(places::level(u32::from(mean / reader.shape.precision.steps())));
        let (best, median) = reader.averages(mean, places::median(cells.len(), all_kills))?;
        self.sections.push(Section { head, best, median, cells, stars: 0..0 });
        Some(())
    }

    /// Adds a cell, still empty, for every killed encounter.
    fn read_killed(&mut self, head: usize, reader: &mut Reader<'_>) -> Option<()> {
        let encounters = reader.shape.encounters[head];
        let empty = |encounter: usize| Cell { encounter: encounter as u16, percent: None, kills: 0, spec: 0 };
        if encounters <= MODELLED_ENCOUNTERS {
            let killed = reader.take(places::KILLED + head)?;
            reader.state.refill()?;
            self.cells.extend((0..encounters).filter(|encounter| killed >> encounter & 1 == 1).map(empty));
            return (killed >> encounters == 0).then_some(());
        }
        for encounter in 0..encounters {
            if reader.flip()? {
                self.cells.push(empty(encounter));
            }
        }
        Some(())
    }
}

struct Reader<'a> {
    state: State<'a>,
    models: &'a Models,
    shape: Shape<'a>,
    level: Option<usize>,
    spec: Option<u16>,
}

impl Reader<'_> {
    fn take(&mut self, place: usize) -> Option<u64> {
        self.models.at(place)?.read(&mut self.state)
    }

    fn flip(&mut self) -> Option<bool> {
        let slot = self.state.slot(1);
        self.state.take(slot, 1, 1);
        self.state.refill()?;
        Some(slot == 1)
    }

    /// The level of the previous section, or of the first.
    fn level(&mut self) -> Option<usize> {
        if let Some(level) = self.level {
            return Some(level);
        }
        let level = self.take(places::LEVEL)?;
        self.state.refill()?;
        usize::try_from(level).ok().filter(|level| places::PERCENT + level < places::KILLS)
    }

    fn percent(&mut self, place: usize) -> Option<Option<u16>> {
        let Some(whole) = self.take(place)?.checked_sub(1) else { return Some(None) };
        let whole = u32::try_from(whole).ok().filter(|whole| *whole <= 100)?;
        let mut percent = whole;
        if self.shape.precision == Precision::Tenths {
            self.state.refill()?;
            let tenths = self.take(places::PERCENT_TENTHS)?;
            percent = whole * 10 + u32::try_from(tenths).ok().filter(|tenths| *tenths < 10)?;
            self.state.refill()?;
        }
        Some(Some(percent as u16))
    }

    fn kills(&mut self, place: usize, class_id: u32) -> Option<(u32, u16)> {
        let value = self.take(place)?;
        if value % 2 == 1 {
            self.spec = Some(u16::try_from(self.take(places::SPEC + class_id as usize)?).ok()?);
        }
        self.state.refill()?;
        Some((u32::try_from(value / 2).ok()?, self.spec?))
    }

    fn averages(&mut self, mean: u16, place: usize) -> Option<(Option<u16>, Option<u16>)> {
        let best = match self.take(places::BEST)? {
            0 => None,
            distance => Some(u16::try_from(i64::from(mean).checked_add(unzigzag(distance - 1))?).ok()?),
        };
        self.state.refill()?;
        let steps = u64::from(self.shape.precision.steps());
        let mut below = self.take(place)?.checked_sub(1).map(|below| below.saturating_mul(steps));
        if let Some(below) = below.as_mut().filter(|_| self.shape.precision == Precision::Tenths) {
            self.state.refill()?;
            *below = below.saturating_add(self.take(places::MEDIAN_TENTHS)?);
        }
        self.state.refill()?;
        let from = i64::from(best.unwrap_or(mean));
        let median = match below {
            None => None,
            Some(below) => Some(u16::try_from(from.checked_sub(unzigzag(below))?).ok()?),
        };
        Some((best, median))
    }
}
