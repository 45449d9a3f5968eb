//! The model of one place of a record: the values that occur there, each with its share of the slots.

use std::collections::HashMap;

use super::coder::{CoderStep, State};

/// The values at one place. A rare value has no slots of its own: an escape stands for it, and its number follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// Number of slots, as a power of two.
    bits: u32,
    /// Ascending by value, the escape last.
    symbols: Vec<Symbol>,
    /// The symbol of each slot.
    owners: Vec<u16>,
    /// The symbol of each value below [`DIRECT`], plus 1.
    direct: Vec<u16>,
}

/// A value and its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// `None` is the escape.
    pub(crate) value: Option<u64>,
    /// Number of its slots.
    pub(crate) slots: u32,
    from: u32,
}

/// Values below this are found by index.
const DIRECT: u64 = 256;
/// An escaped number is written in pieces of five bits, plus one bit that tells whether another piece follows.
const PIECE: u32 = 6;
const PIECE_VALUES: u64 = 1 << (PIECE - 1);

/// How often each value was seen.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    direct: [u32; DIRECT as usize],
    others: HashMap<u64, u32>,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { direct: [0; DIRECT as usize], others: HashMap::new() }
    }
}

impl Counts {
    /// Counts a value once more.
    pub(crate) fn count(&mut self, value: u64) {
        if value < DIRECT {
            self.direct[value as usize] += 1;
        } else {
            *self.others.entry(value).or_default() += 1;
        }
    }

    /// Adds the counts of another thread.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.direct.iter_mut().zip(other.direct).for_each(|(own, others)| *own += others);
        other.others.iter().for_each(|(value, count)| *self.others.entry(*value).or_default() += count);
    }

    /// Every counted value, in ascending order.
    fn seen(&self) -> Vec<(u64, u32)> {
        let direct = self.direct.iter().enumerate().map(|(value, count)| (value as u64, *count));
        let others = self.others.iter().map(|(value, count)| (*value, *count));
        let mut seen: Vec<(u64, u32)> = direct.chain(others).filter(|(_, count)| *count > 0).collect();
        seen.sort_unstable();
        seen
    }
}

impl Model {
    /// Divides `1 << bits` slots among the counted values. The same counts give the same model.
    pub(crate) fn of(counts: &Counts, bits: u32) -> Model {
        let mut seen = counts.seen();
        let total: u64 = seen.iter().map(|(_, count)| u64::from(*count)).sum();
        let slots = 1u64 << bits;
        // A value that would fill less than a third of a slot is escaped; so are the rarest if values outnumber half of
        // the slots.
        seen.sort_unstable_by_key(|(value, count)| (std::cmp::Reverse(*count), *value));
        let owning = seen.iter().take_while(|(_, count)| u64::from(*count) * slots * 3 >= total).count();
        let owning = owning.min((slots / 2) as usize).max(1).min(seen.len());
        let escaped: u64 = seen.split_off(owning).iter().map(|(_, count)| u64::from(*count)).sum();
        seen.sort_unstable();
        let mut shares: Vec<(Option<u64>, u64)> =
            seen.into_iter().map(|(value, count)| (Some(value), u64::from(count))).collect();
        if escaped > 0 {
            shares.push((None, escaped));
        }
        let mut symbols: Vec<(Option<u64>, u32)> = shares
            .iter()
            .map(|(value, count)| (*value, ((count * slots + total / 2) / total.max(1)).max(1) as u32))
            .collect();
        balance(&mut symbols, &shares, slots as u32);
        Model::from_symbols(bits, symbols).unwrap_or_default()
    }

    /// The model of these values, in ascending order, and their slots. `None` unless those are all slots.
    pub(crate) fn from_symbols(bits: u32, shares: Vec<(Option<u64>, u32)>) -> Option<Model> {
        let mut model = Model { bits, ..Model::default() };
        for (value, slots) in shares {
            let from = model.owners.len() as u32;
            if slots == 0 || u64::from(from) + u64::from(slots) > 1 << bits {
                return None;
            }
            let symbol = model.symbols.len() as u16;
            if let Some(value) = value.filter(|value| *value < DIRECT) {
                model.direct.resize(model.direct.len().max(value as usize + 1), 0);
                model.direct[value as usize] = symbol + 1;
            }
            model.owners.resize(model.owners.len() + slots as usize, symbol);
            model.symbols.push(Symbol { value, slots, from });
        }
        (model.owners.len() == 1 << bits).then_some(model)
    }

    /// Its symbols, ascending by value, the escape last.
    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Appends the steps that encode `value`. `None` if the model has neither the value nor an escape, which cannot
    /// happen if the model's counts include the value.
    pub(crate) fn write(&self, value: u64, steps: &mut Vec<CoderStep>) -> Option<()> {
        if let Some(symbol) = self.symbol_of(value) {
            steps.push(symbol.step(self.bits));
            return Some(());
        }
        let escape = self.symbols.last().filter(|symbol| symbol.value.is_none())?;
        steps.push(escape.step(self.bits));
        write_number(value, steps);
        Some(())
    }

    fn symbol_of(&self, value: u64) -> Option<&Symbol> {
        if value < DIRECT {
            let symbol = self.direct.get(value as usize)?.checked_sub(1)?;
            return self.symbols.get(usize::from(symbol));
        }
        let place = self.symbols.partition_point(|symbol| symbol.value.is_some_and(|known| known < value));
        self.symbols.get(place).filter(|symbol| symbol.value == Some(value))
    }

    /// The next value. `None` if the record is damaged.
    pub(crate) fn read(&self, state: &mut State<'_>) -> Option<u64> {
        let owner = *self.owners.get(state.slot(self.bits) as usize)?;
        let symbol = self.symbols[usize::from(owner)];
        state.take(symbol.from, symbol.slots, self.bits);
        match symbol.value {
            Some(value) => Some(value),
            None => read_number(state),
        }
    }
}

impl Symbol {
    fn step(&self, bits: u32) -> CoderStep {
        CoderStep::Symbol { from: self.from, slots: self.slots, bits }
    }
}

/// Adds or removes slots until all are owned, each time at the value for which this costs least.
fn balance(symbols: &mut [(Option<u64>, u32)], shares: &[(Option<u64>, u64)], slots: u32) {
    let mut owned: u32 = symbols.iter().map(|(_, slots)| *slots).sum();
    while owned != slots && !symbols.is_empty() {
        let grows = owned < slots;
        let cost = |place: &usize| {
            let (own, count) = (f64::from(symbols[*place].1), shares[*place].1 as f64);
            let other = if grows { own + 1.0 } else { own - 1.0 };
            if other < 1.0 { f64::INFINITY } else { count * (own.ln() - other.ln()) }
        };
        let places = 0..symbols.len();
        let least = places.min_by(|left, right| cost(left).total_cmp(&cost(right))).unwrap_or_default();
        symbols[least].1 = if grows { symbols[least].1 + 1 } else { symbols[least].1 - 1 };
        owned = if grows { owned + 1 } else { owned - 1 };
    }
}

/// A number of any size, five bits at a time, the lowest first, with a refill before each.
fn write_number(number: u64, steps: &mut Vec<CoderStep>) {
    let mut rest = number;
    loop {
        let more = rest >= PIECE_VALUES;
        let piece = rest % PIECE_VALUES + if more { PIECE_VALUES } else { 0 };
        steps.push(CoderStep::Refill);
        steps.push(CoderStep::Symbol { from: piece as u32, slots: 1, bits: PIECE });
        rest /= PIECE_VALUES;
        if !more {
            // The next value counts its bits from here.
            steps.push(CoderStep::Refill);
            return;
        }
    }
}

fn read_number(state: &mut State<'_>) -> Option<u64> {
    let (mut number, mut unit) = (0u64, 1u64);
    loop {
        state.refill()?;
        let piece = state.slot(PIECE);
        state.take(piece, 1, PIECE);
        number = number.checked_add((u64::from(piece) % PIECE_VALUES).checked_mul(unit)?)?;
        if u64::from(piece) < PIECE_VALUES {
            return state.refill().map(|()| number);
        }
        unit = unit.checked_mul(PIECE_VALUES)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::super::coder::encode;
    use super::*;

    fn model(values: &[u64], bits: u32) -> Model {
        let mut counts = Counts::default();
        values.iter().for_each(|value| counts.count(*value));
        Model::of(&counts, bits)
    }

    proptest! {
        #[test]
        fn every_counted_value_can_be_encoded(values in vec(0u64..2_000, 1..400), huge in 0u64..1 << 50, bits in 1u32..10) {
            let mut values = values;
            values.push(huge);
            let model = model(&values, bits);
            prop_assert_eq!(model.symbols().iter().map(|symbol| symbol.slots).sum::<u32>(), 1 << bits);
            let mut steps = Vec::new();
            for value in &values {
                model.write(*value, &mut steps).unwrap();
                steps.push(CoderStep::Refill);
            }
            let mut digits = Vec::new();
            encode(&steps, &mut digits);
            let mut state = State::new(&digits).unwrap();
            for value in &values {
                prop_assert_eq!(model.read(&mut state), Some(*value));
                state.refill().unwrap();
            }
            prop_assert!(state.is_done());
        }
    }

    #[test]
    fn a_constant_value_costs_no_digits() {
        let model = model(&[7; 1_000], 8);
        let mut steps = Vec::new();
        for _ in 0..1_000 {
            model.write(7, &mut steps).unwrap();
            steps.push(CoderStep::Refill);
        }
        let mut digits = Vec::new();
        encode(&steps, &mut digits);
        assert_eq!(digits, b"!");
    }

    #[test]
    fn counts_of_two_give_the_same_model_as_of_one() {
        let (mut left, mut right, mut both) = (Counts::default(), Counts::default(), Counts::default());
        for value in 0..3_000u64 {
            let side = if value % 3 == 0 { &mut left } else { &mut right };
            side.count(value % 300);
            both.count(value % 300);
        }
        right.add(&left);
        assert_eq!(Model::of(&right, 8), Model::of(&both, 8));
    }

    #[test]
    fn a_model_that_does_not_own_all_slots_is_none() {
        assert_eq!(Model::from_symbols(2, vec![(Some(1), 3)]), None);
        assert_eq!(Model::from_symbols(2, vec![(Some(1), 3), (Some(2), 2)]), None);
        assert_eq!(Model::from_symbols(2, vec![(Some(1), 0), (Some(2), 4)]), None);
    }
}
