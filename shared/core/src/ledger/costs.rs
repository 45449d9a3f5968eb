//! Observed costs of calls, by the number of units they asked for.
//!
//! The upstream never says what a call cost. Its counter shows it if a call was alone: between the counter in that
//! call's answer, which does not include its charge, and the next counter, nothing else was billed. Only such calls are
//! counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Account, Reading};
use crate::points::Points;

/// The number of calls after which a learned bound is trusted. The next call then costs more than all of them with a
/// probability of 1 in 500.
pub const ENOUGH: u64 = 500;

/// The number of calls that must lie beyond a quantile before it is trusted, which takes 100 calls in all for 98 %, and
/// 2,000 for 99.9 %.
const BEYOND: u64 = 2;

/// After this many calls of a class, older calls count half, so that the costs of a new season are learned.
const MEMORY: u64 = 4_096;

/// About how many calls [`CostClass::recent`] looks back.
const RECENT: u64 = 64;

/// Steps of the histogram between a cost and its double. A quantile is too high by at most 3 %, and never too low.
const STEPS: u64 = 32;

/// The cost of calls per unit, in classes by the number of units. A class is named by its largest number of units, a
/// power of 2. A large call mixes expensive and cheap units, so its cost per unit varies less. A bound that holds for
/// small calls therefore also holds for large ones, but not the reverse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Costs {
    classes: BTreeMap<u32, CostClass>,
}

/// The cost of one class of calls, per unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostClass {
    /// The number of calls counted.
    pub count: u64,
    /// The highest cost.
    pub max: Points,
    /// The sum of all costs.
    pub total: Points,
    /// The mean of the latest calls. A difference from the mean of all calls shows a drift.
    pub recent: Points,
    /// The number of calls in each step of the histogram.
    steps: BTreeMap<u64, u64>,
}

impl Costs {
    /// Counts a call of `units` units that cost `cost` in total.
    pub fn count(&mut self, units: u32, cost: Points) {
        let per_unit = Points::from_micros(cost.micros().div_ceil(u64::from(units.max(1))));
        self.classes.entry(units.max(1).next_power_of_two()).or_default().count(per_unit);
    }

    /// Adds the costs of another key.
    pub fn merge(&mut self, other: &Costs) {
        for (units, class) in &other.classes {
            self.classes.entry(*units).or_default().merge(class);
        }
    }

    /// Returns the classes, by their largest number of units.
    pub fn classes(&self) -> impl Iterator<Item = (u32, &CostClass)> {
        self.classes.iter().map(|(units, class)| (*units, class))
    }

    /// Returns the highest cost per unit for a call of `units` units, or `None` if not enough calls of that size or
    /// smaller were counted.
    pub fn bound(&self, units: u32) -> Option<Points> {
        let known: Vec<&CostClass> = self.up_to(units).collect();
        let count: u64 = known.iter().map(|class| class.count).sum();
        known.iter().map(|class| class.max).max().filter(|_| count >= ENOUGH)
    }

    /// Returns the cost per unit, rounded up, that a call of `units` units does not exceed with probability
    /// `per_mille`/1000. Returns `None` unless enough calls of that size or smaller were counted for some of them to
    /// lie beyond it.
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
    /// Returns the cost per unit that is not exceeded with probability `per_mille`/1000. It is rounded up, but never
    /// above the highest cost seen.
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

    /// Returns the mean of all calls.
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

/// Returns the histogram step of a cost: [`STEPS`] steps of equal width between each power of two and the next.
fn step(cost: Points) -> u64 {
    let micros = cost.micros().max(STEPS);
    let power = u64::from(micros.ilog2());
    power * STEPS + (((micros - (1 << power)) * STEPS) >> power)
}

/// Returns the highest cost of a step.
fn ceiling(step: u64) -> Points {
    let (power, part) = (step / STEPS, step % STEPS);
    Points::from_micros((1 << power) + ((part + 1) << power) / STEPS)
}

/// A call that was the only one in flight on its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoleCall {
    sequence: u64,
    units: u32,
    /// The window, and the counter just before the call's charge. Known once the call is answered.
    before: Option<(u64, Points)>,
}

impl Account {
    /// Records a call that is about to be granted. If another call is in flight, neither can be priced.
    pub(super) fn begin_sole_call(&mut self, sequence: u64, units: u32) {
        self.alone = (self.holds.in_flight() == 0).then_some(SoleCall { sequence, units, before: None });
    }

    /// Called after a reading was applied. Prices the call whose charge the reading shows, and keeps the counter that
    /// the answer of call `carrier` brought. Returns the units and the cost of the priced call.
    pub(super) fn price(
        &mut self,
        reading: &Reading,
        confirmed: &[u64],
        carrier: Option<u64>,
    ) -> Option<(u32, Points)> {
        let others = self.holds.iter().any(|(sequence, _)| Some(sequence) != carrier);
        // A call that was granted and billed since then either still has a hold or is confirmed by the same reading.
        let shown = self.unpriced.take_if(|call| confirmed.contains(&call.sequence));
        let priced = shown.filter(|_| !others && confirmed.len() == 1).and_then(|call| {
            let (_, before) = call.before.filter(|(window, _)| *window == self.window)?;
            Some((call.units, reading.spent.saturating_sub(before)))
        });
        if let Some(call) = self.alone.take_if(|call| Some(call.sequence) == carrier)
            && !others
        {
            self.unpriced = Some(SoleCall { before: Some((self.window, reading.spent)), ..call });
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
    fn bounds_of_small_calls_apply_to_large_ones_but_not_the_reverse() {
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
