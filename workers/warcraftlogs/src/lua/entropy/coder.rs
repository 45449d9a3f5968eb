//! A range coder with numbers that Lua 5.1 can represent: asymmetric numeral systems (rANS, Duda 2013), with a state
//! below 2^53.
//!
//! A symbol that a [`Model`](super::model::Model) expects f times in 2^bits multiplies the state by about 2^bits / f.
//! When the state becomes too large, four base-94 digits of it are moved to the output. The writer works from the last
//! symbol to the first, so that a reader gets them in order, with a remainder, a division and a multiplication each.
//!
//! The state starts at 0, not at the lower bound as usual: for a record of forty digits the lower bound would cost
//! four. So a reader that has read everything ends with exactly 0, and any other state shows that the record is
//! damaged.

use super::super::format::{BASE, ZERO};

/// Number of digits that leave or enter the state at once.
const DIGITS_AT_ONCE: usize = 4;
/// Number of values of that many digits.
const REFILL: u64 = (BASE as u64).pow(DIGITS_AT_ONCE as u32);
/// A reader refills below this. Any product of slots within a group divides it, which makes the writer's choice exact.
pub(super) const LOWEST: u64 = 1 << 26;
/// The state stays below this, which is below 2^53.
const BEYOND: u64 = LOWEST * REFILL;

/// One step of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoderStep {
    /// A symbol that owns the slots `from..from + slots` of `1 << bits`.
    Symbol {
        /// Its first slot.
        from: u32,
        /// Number of its slots.
        slots: u32,
        /// Number of all slots, as a power of two.
        bits: u32,
    },
    /// Where a reader refills. Between two of these the `bits` add up to at most 26.
    Refill,
}

/// Appends the digits that encode `steps`.
pub(crate) fn encode(steps: &[CoderStep], target: &mut Vec<u8>) {
    let begin = target.len();
    let mut state = 0;
    // Backwards, and reversed at the end.
    for group in steps.rsplit(|step| *step == CoderStep::Refill) {
        let (bits, slots) = size(group);
        if state >= (BEYOND >> bits) * slots {
            put(target, state % REFILL, DIGITS_AT_ONCE);
            state /= REFILL;
        }
        for step in group.iter().rev() {
            if let CoderStep::Symbol { from, slots, bits } = *step {
                let slots = u64::from(slots);
                state = ((state / slots) << bits) + u64::from(from) + state % slots;
            }
        }
    }
    // With refills, the remaining state takes five to eight digits, so that the length alone tells how many.
    let refilled = target.len() > begin;
    let mut digits = if refilled { DIGITS_AT_ONCE + 1 } else { 1 };
    while u64::from(BASE).pow(digits as u32) <= state {
        digits += 1;
    }
    put(target, state, digits);
    target[begin..].reverse();
}

/// The sum of the bits of a group, and the product of its symbols' slots.
fn size(group: &[CoderStep]) -> (u32, u64) {
    group.iter().fold((0, 1), |(all, product), step| match step {
        CoderStep::Symbol { slots, bits, .. } => (all + bits, product * u64::from(*slots)),
        CoderStep::Refill => (all, product),
    })
}

/// Appends digits, the lowest first.
fn put(target: &mut Vec<u8>, mut number: u64, digits: usize) {
    for _ in 0..digits {
        target.push(ZERO + (number % u64::from(BASE)) as u8);
        number /= u64::from(BASE);
    }
}

/// The decoder.
#[derive(Clone, Debug)]
pub(crate) struct State<'a> {
    state: u64,
    rest: &'a [u8],
}

impl<'a> State<'a> {
    /// Starts decoding. `None` if these are not digits.
    pub(crate) fn new(digits: &'a [u8]) -> Option<State<'a>> {
        let begin = match digits.len() {
            short @ 0..=8 => short,
            long => (long - 1) % DIGITS_AT_ONCE + DIGITS_AT_ONCE + 1,
        };
        let (first, rest) = digits.split_at(begin);
        let state = State { state: number(first)?, rest };
        (state.state < BEYOND).then_some(state)
    }

    /// The slot of the next symbol, of `1 << bits`. [`State::take`] must follow.
    pub(crate) fn slot(&self, bits: u32) -> u32 {
        (self.state & ((1 << bits) - 1)) as u32
    }

    /// Removes the symbol that owns the current slot.
    pub(crate) fn take(&mut self, from: u32, slots: u32, bits: u32) {
        let slot = u64::from(self.slot(bits) - from);
        self.state = (self.state >> bits) * u64::from(slots) + slot;
    }

    /// Refills, where the writer had [`CoderStep::Refill`]. `None` if what follows are not digits.
    pub(crate) fn refill(&mut self) -> Option<()> {
        if self.state < LOWEST && !self.rest.is_empty() {
            let (digits, rest) = self.rest.split_at_checked(DIGITS_AT_ONCE)?;
            self.state = self.state * REFILL + number(digits)?;
            self.rest = rest;
        }
        Some(())
    }

    /// Whether everything was decoded, and nothing else.
    pub(crate) fn is_done(&self) -> bool {
        self.state == 0 && self.rest.is_empty()
    }
}

/// Digits as a number. `None` if a byte is not a digit.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, byte| {
        let digit = u64::from(byte.checked_sub(ZERO)?);
        (digit < u64::from(BASE)).then_some(number * u64::from(BASE) + digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Groups of up to 26 bits, with refills in between.
    fn steps() -> impl Strategy<Value = Vec<CoderStep>> {
        let symbol = (1u32..=9).prop_flat_map(|bits| {
            (0..1u32 << bits).prop_flat_map(move |from| {
                (1..=(1u32 << bits) - from).prop_map(move |slots| CoderStep::Symbol { from, slots, bits })
            })
        });
        vec((vec(symbol, 0..3), proptest::bool::ANY), 0..60).prop_map(|groups| {
            let mut steps: Vec<CoderStep> = Vec::new();
            for (group, _) in groups {
                if !steps.is_empty() {
                    steps.push(CoderStep::Refill);
                }
                steps.extend(group.iter().take(2));
            }
            steps
        })
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_read_and_nothing_is_left(steps in steps()) {
            let mut digits = Vec::new();
            encode(&steps, &mut digits);
            prop_assert!(digits.iter().all(|digit| (b'!'..=b'~').contains(digit)));
            let mut state = State::new(&digits).unwrap();
            for step in &steps {
                match *step {
                    CoderStep::Refill => state.refill().unwrap(),
                    CoderStep::Symbol { from, slots, bits } => {
                        let slot = state.slot(bits);
                        prop_assert!((from..from + slots).contains(&slot));
                        state.take(from, slots, bits);
                    }
                }
            }
            prop_assert!(state.is_done());
        }

        #[test]
        fn the_length_is_what_the_symbols_weigh(steps in steps()) {
            let mut digits = Vec::new();
            encode(&steps, &mut digits);
            let weight: f64 = steps.iter().map(|step| match step {
                CoderStep::Symbol { slots, bits, .. } => f64::from(*bits) - f64::from(*slots).log2(),
                CoderStep::Refill => 0.0,
            }).sum();
            // Rounded up to a digit, or to the nine that a refill needs, and a little for uneven division of small
            // states.
            let least = weight / f64::from(BASE).log2();
            prop_assert!(digits.len() as f64 <= (least * 1.02 + 2.5).max(9.0), "{} digits for {least}", digits.len());
        }

        #[test]
        fn no_input_panics_the_decoder(text in vec(0u8..=255, 0..40)) {
            if let Some(mut state) = State::new(&text) {
                for _ in 0..100 {
                    let slot = state.slot(8);
                    state.take(slot, 1, 8);
                    if state.refill().is_none() {
                        break;
                    }
                }
            }
            prop_assert_eq!(State::new(b" "), None::<State<'_>>);
        }
    }

    impl PartialEq for State<'_> {
        fn eq(&self, other: &Self) -> bool {
            (self.state, self.rest) == (other.state, other.rest)
        }
    }
}
