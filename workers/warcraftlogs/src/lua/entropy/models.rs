//! The models of all places: what a region's players are expected to look like.

use super::coder::{CoderStep, encode};
use super::extras::walk_extras;
use super::model::{Counts, Model};
use super::places::{PLACES, bits};
use super::walk::{Shape, Sink, walk};
use crate::lua::format::{Digits, SPACE, put_count, put_number};
use crate::lua::record::Record;

/// How often each value was seen at each place.
#[derive(Clone, Debug)]
pub(crate) struct Statistics(Vec<Option<Box<Counts>>>);

/// The models, by place; a place that no record reaches has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Models(Vec<Option<Box<Model>>>);

impl Default for Statistics {
    fn default() -> Statistics {
        Statistics(vec![None; PLACES])
    }
}

impl Statistics {
    /// Counts a record.
    pub(crate) fn count(&mut self, record: &Record, shape: Shape<'_>) {
        walk(record, shape, self);
        if shape.extras.any() {
            walk_extras(record, shape, self);
        }
    }

    /// Adds the counts of another thread.
    pub(crate) fn add(&mut self, other: Statistics) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            match (own.as_mut(), other) {
                (Some(own), Some(other)) => own.add(&other),
                (None, other) => *own = other,
                (Some(_), None) => {}
            }
        }
    }

    /// The models of what was counted.
    pub(crate) fn models(&self) -> Models {
        let model = |(place, counts): (usize, &Option<Box<Counts>>)| {
            counts.as_ref().map(|counts| Box::new(Model::of(counts, bits(place))))
        };
        Models(self.0.iter().enumerate().map(model).collect())
    }
}

impl Sink for Statistics {
    fn put(&mut self, place: usize, value: u64) {
        self.0[place].get_or_insert_default().count(value);
    }

    fn plain(&mut self, _: u32, _: u32) {}

    fn refill(&mut self) {}
}

impl Models {
    /// The model of a place. `None` if no record reaches it.
    pub(crate) fn at(&self, place: usize) -> Option<&Model> {
        self.0.get(place)?.as_deref()
    }

    /// Appends a record's digits. `steps` is reused from record to record. `None` if the counts of the models do not
    /// include this record.
    pub(crate) fn write(
        &self,
        record: &Record,
        shape: Shape<'_>,
        steps: &mut Vec<CoderStep>,
        target: &mut Vec<u8>,
    ) -> Option<()> {
        self.write_steps(steps, target, |writer| walk(record, shape, writer))?;
        if shape.extras.any() {
            target.push(SPACE);
            self.write_steps(steps, target, |writer| walk_extras(record, shape, writer))?;
        }
        Some(())
    }

    fn write_steps(
        &self,
        steps: &mut Vec<CoderStep>,
        target: &mut Vec<u8>,
        walk: impl FnOnce(&mut Writer<'_>),
    ) -> Option<()> {
        steps.clear();
        let mut writer = Writer { models: self, steps, complete: true };
        walk(&mut writer);
        let complete = writer.complete;
        // Nothing follows the last refill.
        steps.pop();
        encode(steps, target);
        complete.then_some(())
    }

    /// Appends all models as digits: each place's number, then its symbols.
    ///
    /// ```text
    /// models = model* count                        ended by a place that does not exist
    /// model  = count count (number count)* count   place, symbols with a value, value and slots of each, slots of the escape
    /// ```
    pub(crate) fn write_models(&self, target: &mut Vec<u8>) {
        for (place, model) in self.0.iter().enumerate() {
            let Some(model) = model else { continue };
            put_count(target, place as u32);
            let valued = model.symbols().iter().filter(|symbol| symbol.value.is_some());
            put_count(target, valued.clone().count() as u32);
            for symbol in valued {
                put_number(target, symbol.value.unwrap_or_default());
                put_count(target, symbol.slots);
            }
            let escape = model.symbols().iter().find(|symbol| symbol.value.is_none());
            put_count(target, escape.map_or(0, |symbol| symbol.slots));
        }
        put_count(target, PLACES as u32);
    }

    /// Parses what [`Models::write_models`] wrote. `None` if it is damaged.
    pub(crate) fn parse(text: &[u8]) -> Option<Models> {
        let mut models = Models(vec![None; PLACES]);
        let mut digits = Digits(text);
        loop {
            let place = digits.count()? as usize;
            if place == PLACES {
                return digits.0.is_empty().then_some(models);
            }
            let mut shares = Vec::new();
            for _ in 0..digits.count()? {
                shares.push((Some(digits.number()?), digits.count()?));
            }
            let ascending = shares.is_sorted_by(|left, right| left.0 < right.0);
            let escape = digits.count()?;
            if escape > 0 {
                shares.push((None, escape));
            }
            let model = Model::from_symbols(bits(place), shares).filter(|_| ascending)?;
            *models.0.get_mut(place)? = Some(Box::new(model));
        }
    }
}

struct Writer<'a> {
    models: &'a Models,
    steps: &'a mut Vec<CoderStep>,
    complete: bool,
}

impl Sink for Writer<'_> {
    fn put(&mut self, place: usize, value: u64) {
        let written = self.models.at(place).and_then(|model| model.write(value, self.steps));
        self.complete &= written.is_some();
    }

    fn plain(&mut self, value: u32, bits: u32) {
        self.steps.push(CoderStep::Symbol { from: value, slots: 1, bits });
    }

    fn refill(&mut self) {
        self.steps.push(CoderStep::Refill);
    }
}
