//! What calls cost, beside what is held for them.

use serde::Serialize;
use stint_core::ledger::{CostClass, Costs};
use stint_core::points::Points;

use crate::format::{number, points};
use crate::table::Table;

/// If the latest calls differ from all calls by at least this share, the drift is reported.
const DRIFT: f64 = 0.1;

/// The costs of calls of one size, per raid and difficulty.
#[derive(Serialize)]
pub(super) struct CallCosts {
    /// Calls for at most this many raids and difficulties, and more than half as many.
    units: u32,
    calls: u64,
    mean: Points,
    /// The mean of the latest calls.
    recent: Points,
    p98: Points,
    max: Points,
    /// `max` divided by `WCL_CALL_BUDGET`. Above 1, a window may be overspent.
    share_of_declared: f64,
    /// How much more the latest calls cost than all calls: 0.1 means a tenth more.
    drift: f64,
}

impl CallCosts {
    /// Returns the costs for every size that was observed, smallest first.
    pub(super) fn all(costs: &Costs, declared: Points) -> Vec<CallCosts> {
        costs.classes().map(|(units, class)| CallCosts::new(units, class, declared)).collect()
    }

    fn new(units: u32, class: &CostClass, declared: Points) -> CallCosts {
        let ratio = |amount: Points, of: Points| if of.is_zero() { 0.0 } else { amount.to_float() / of.to_float() };
        CallCosts {
            units,
            calls: class.count,
            mean: class.mean(),
            recent: class.recent,
            p98: class.quantile(980),
            max: class.max,
            share_of_declared: ratio(class.max, declared),
            drift: ratio(class.recent, class.mean()) - 1.0,
        }
    }

    fn size(&self) -> String {
        match self.units {
            0..=2 => number(u64::from(self.units)),
            most => format!("{} to {most}", most / 2 + 1),
        }
    }
}

/// Formats the costs as a table, with advice for the operator.
pub(super) fn costs_text(costs: &[CallCosts], declared: Points) -> String {
    let headings = ["units of a call", ">calls", ">mean a unit", ">latest", ">98 % up to", ">most", ">of the budget"];
    let mut table = Table::new(headings);
    for class in costs {
        let [mean, recent, p98, max] = [class.mean, class.recent, class.p98, class.max].map(points);
        let share = format!("{:.0} %", class.share_of_declared * 100.0);
        table.row([class.size(), number(class.calls), mean, recent, p98, max, share]);
    }
    let mut text = table.to_string();
    if let Some(dearest) = costs.iter().map(|class| class.max).max().filter(|max| *max > declared) {
        text.push_str(&format!(
            "a raid and difficulty has cost {} points, more than WCL_CALL_BUDGET ({}): raise it, or set WCL_GUARD if \
             others use these keys\n",
            points(dearest),
            points(declared)
        ));
    }
    for class in costs.iter().filter(|class| class.drift.abs() >= DRIFT) {
        let direction = if class.drift > 0.0 { "more" } else { "less" };
        let drift = class.drift.abs() * 100.0;
        let size = class.size();
        text.push_str(&format!("the latest calls of {size} units cost {drift:.0} % {direction} than before\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_too_low_and_a_drift_are_reported() {
        let mut costs = Costs::default();
        (0..900).for_each(|_| costs.count(1, Points::whole(4)));
        (0..100).for_each(|_| costs.count(15, Points::whole(45)));
        (0..64).for_each(|_| costs.count(1, Points::whole(6)));
        let declared = Points::whole(5);
        insta::assert_snapshot!(costs_text(&CallCosts::all(&costs, declared), declared), @"
        UNITS OF A CALL  CALLS  MEAN A UNIT  LATEST  98 % UP TO  MOST  OF THE BUDGET
        1                  964         4.13    5.27           6     6          120 %
        9 to 16            100            3       3           3     3           60 %
        a raid and difficulty has cost 6 points, more than WCL_CALL_BUDGET (5): raise it, or set WCL_GUARD if others use these keys
        the latest calls of 1 units cost 28 % more than before
        ");
    }
}
