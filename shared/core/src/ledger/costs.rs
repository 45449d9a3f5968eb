//! What calls have turned out to cost, by how much they asked for.
//!
//! The upstream never says what a call cost. Its counter does when a call was alone: between the counter in a call's
//! own answer, which is without its charge, and the next one, nothing else was billed. Only such calls are counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Account, Reading};
use crate::points::Points;

/// Calls that must be known before a learned bound is trusted. The next call is dearer than all of them with a
/// probability of one in 500.
pub const ENOUGH: u64 = 500;

/// Calls that must be known beyond a quantile before it is trusted: 100 in all for 98 %, 2,000 for 99.9 %.
const BEYOND: u64 = 2;

/// After this many calls of a class the old ones count half, so that the costs of a new season are learned.
const MEMORY: u64 = 4_096;

/// How many calls [`CostClass::recent`] looks back, about.
const RECENT: u64 = 64;

/// Steps of the histogram between a cost and its double: a quantile is too high by 3 % at the most, and never too low.
const STEPS: u64 = 32;

/// What calls have cost per unit, in classes by their number of units: the class's name is its largest, a power of 2.
/// Large calls are dear and cheap units mixed, so the cost per unit varies less the larger a call is: what holds for
/// small calls holds for large ones, and not the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Costs {
    classes: BTreeMap<u32, CostClass>,
}

/// What calls of one class have cost per unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostClass {
    /// How many were counted.
    pub count: u64,
    /// The dearest.
    pub max: Points,
    /// All together.
    pub total: Points,
    /// The mean of the latest. Beside the mean of all it shows a drift.
    pub recent: Points,
    /// How many were at most as dear as a step.
    steps: BTreeMap<u64, u64>,
}

impl Costs {
    /// Counts a call of `units` units that cost `cost` in all.
    pub fn count(&mut self, units: u32, cost: Points) {
        let per_unit = Points::from_micros(cost.micros().div_ceil(u64::from(units.max(1))));
        self.classes.entry(units.max(1).next_power_of_two()).or_default().count(per_unit);
    }

    /// Adds what another key has seen.
    pub fn merge(&mut self, other: &Costs) {
        for (units, class) in &other.classes {
            self.classes.entry(*units).or_default().merge(class);
        }
    }

    /// The classes, by their largest number of units.
    pub fn classes(&self) -> impl Iterator<Item = (u32, &CostClass)> {
        self.classes.iter().map(|(units, class)| (*units, class))
    }

    /// The most that a unit of a call of `units` units has cost, as far as enough calls of that size or smaller are
    /// known.
    pub fn bound(&self, units: u32) -> Option<Points> {
        let known: Vec<&CostClass> = self.up_to(units).collect();
        let count: u64 = known.iter().map(|class| class.count).sum();
        known.iter().map(|class| class.max).max().filter(|_| count >= ENOUGH)
    }

    /// What a unit of a call of `units` units costs at most with probability `per_mille`/1000, as far as calls of that
    /// size or smaller are known: so many that some of them lie beyond. Rounded up.
    pub fn quantile(&self, units: u32, per_mille: u32) -> Option<Points> {
        let mut known = CostClass::default();
        self.up_to(units).for_each(|class| known.merge(class));
        let beyond = known.count * u64::from(1_000_u32.saturating_sub(per_mille)) / 1_000;
        (beyond >= BEYOND).then(|| known.quantile(per_mille))
    }

    fn up_to(&self, units: u32) -> impl Iterator<Item = &CostClass> {
        self.classes.range(..=units.max(1).next_power_of_two()).map(|(_, class)| class)
    }
}

impl CostClass {
    /// What a unit costs at most with probability `per_mille`/1000. Rounded up, but never above the dearest.
    pub fn quantile(&self, per_mille: u32) -> Points {
        let counted: u64 = self.steps.values().sum();
        let wanted = (counted * u64::from(per_mille)).div_ceil(1_000);
        let mut seen = 0;
        let step = self.steps.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        step.map_or(self.max, |(step, _)| ceiling(*step).min(self.max))
    }

    /// The mean of all.
    pub fn mean(&self) -> Points {
        Points::from_micros(self.total.micros() / self.count.max(1))
    }

    fn count(&mut self, per_unit: Points) {
        self.count += 1;
        self.max = self.max.max(per_unit);
        self.total = self.total.saturating_add(per_unit);
        let weight = self.count.min(RECENT);
        let recent = self.recent.saturating_mul(weight - 1).saturating_add(per_unit);
        self.recent = Points::from_micros(recent.micros() / weight);
        *self.steps.entry(step(per_unit)).or_default() += 1;
        if self.count >= MEMORY {
            self.forget_half();
        }
    }

    fn forget_half(&mut self) {
        self.count /= 2;
        self.total = Points::from_micros(self.total.micros() / 2);
        self.steps.values_mut().for_each(|count| *count /= 2);
        self.steps.retain(|_, count| *count > 0);
        if let Some((step, _)) = self.steps.last_key_value() {
            self.max = self.max.min(ceiling(*step));
        }
    }

    fn merge(&mut self, other: &CostClass) {
        let recent = |class: &CostClass| u128::from(class.recent.micros()) * u128::from(class.count);
        let weighted = (recent(self) + recent(other)) / u128::from((self.count + other.count).max(1));
        self.recent = Points::from_micros(u64::try_from(weighted).unwrap_or(u64::MAX));
        self.count += other.count;
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
        other.steps.iter().for_each(|(step, count)| *self.steps.entry(*step).or_default() += count);
    }
}

/// The step that a cost belongs to: [`STEPS`] of equal width between each power of two and the next.
fn step(cost: Points) -> u64 {
    let micros = cost.micros().max(STEPS);
    let power = u64::from(micros.ilog2());
    power * STEPS + (((micros - (1 << power)) * STEPS) >> power)
}

/// The highest cost of a step.
fn ceiling(step: u64) -> Points {
    let (power, part) = (step / STEPS, step % STEPS);
    Points::from_micros((1 << power) + ((part + 1) << power) / STEPS)
}

/// A call that had its key to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alone {
    sequence: u64,
    units: u32,
    /// The counter just before its charge, and of which window: known when it was answered.
    before: Option<(u64, Points)>,
}

impl Account {
    /// Notes a call that is about to be granted. If another is in flight, neither can be priced.
    pub(super) fn begin_alone(&mut self, sequence: u64, units: u32) {
        self.alone = (self.holds.in_flight() == 0).then_some(Alone { sequence, units, before: None });
    }

    /// After a reading was taken in: prices the call that it shows the charge of, and notes the counter that the
    /// answered call `carrier` has brought. Answers the units and the cost.
    pub(super) fn price(
        &mut self,
        reading: &Reading,
        confirmed: &[u64],
        carrier: Option<u64>,
    ) -> Option<(u32, Points)> {
        let others = self.holds.iter().any(|(sequence, _)| Some(sequence) != carrier);
        // What was granted since and billed too is either still there or confirmed by the same reading.
        let shown = self.unpriced.take_if(|call| confirmed.contains(&call.sequence));
        let priced = shown.filter(|_| !others && confirmed.len() == 1).and_then(|call| {
            let (_, before) = call.before.filter(|(window, _)| *window == self.window)?;
            Some((call.units, reading.spent.saturating_sub(before)))
        });
        if let Some(call) = self.alone.take_if(|call| Some(call.sequence) == carrier)
            && !others
        {
            self.unpriced = Some(Alone { before: Some((self.window, reading.spent)), ..call });
        }
        priced.filter(|(_, cost)| !cost.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(calls: impl IntoIterator<Item = (u32, u64)>) -> Costs {
        let mut costs = Costs::default();
        calls.into_iter().for_each(|(units, micros)| costs.count(units, Points::from_micros(micros)));
        costs
    }

    #[test]
    fn a_step_is_at_most_3_percent_wide_and_holds_its_costs() {
        for micros in (33..200_000).step_by(7).chain([5_000_000, 4_999_999, u64::from(u32::MAX)]) {
            let ceiling = ceiling(step(Points::from_micros(micros))).micros();
            assert!(ceiling >= micros && ceiling - micros <= micros / 32 + 1, "{micros} in a step up to {ceiling}");
        }
    }

    #[test]
    fn nothing_is_trusted_before_enough_calls_are_known() {
        let few = costs((1..ENOUGH).map(|cost| (1, cost * 1_000)));
        assert_eq!((few.bound(1), few.quantile(1, 999)), (None, None));
        let hundred = |calls| costs((0..calls).map(|_| (1, 4_000_000))).quantile(1, 980);
        assert_eq!((hundred(99), hundred(100)), (None, Some(Points::whole(4))));
        let enough = costs((1..=ENOUGH).map(|cost| (1, cost * 1_000)));
        assert_eq!(enough.bound(1), Some(Points::from_micros(500_000)));
        let quantile = enough.quantile(1, 980).unwrap().micros();
        assert!((490_000..=506_000).contains(&quantile), "{quantile}");
    }

    #[test]
    fn small_calls_speak_for_large_ones_and_not_the_other_way_round() {
        let large = costs((0..ENOUGH).map(|_| (15, 15 * 4_000_000)));
        assert_eq!((large.bound(1), large.bound(8)), (None, None));
        assert_eq!(large.bound(9), Some(Points::whole(4)));
        let small = costs((0..ENOUGH).map(|_| (1, 5_000_000)));
        assert_eq!(small.bound(15), Some(Points::whole(5)));
    }

    #[test]
    fn old_calls_are_forgotten_and_a_drift_shows() {
        let old = (0..100).map(|_| (1, 9_000_000));
        let new = (0..4 * MEMORY).map(|_| (1, 3_000_000));
        let costs = costs(old.chain(new));
        let (_, class) = costs.classes().next().unwrap();
        assert!(class.max < Points::whole(4), "{:?}", class.max);
        let drifted = |costs: &mut Costs| {
            (0..200).for_each(|_| costs.count(1, Points::whole(4)));
            costs.classes().next().map(|(_, class)| (class.recent, class.mean()))
        };
        let (recent, mean) = drifted(&mut costs.clone()).unwrap();
        assert!(recent.to_float() > 3.9 && mean.to_float() < 3.2, "{recent} beside {mean}");
    }
}
