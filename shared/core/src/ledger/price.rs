//! The amount to hold for an ask: the declared bound, the learned bound, or in the tail of a window less than either.

use jiff::Timestamp;

use super::{Account, Ask, Bounds, Costs, KeyId, KeyState, Ledger, Tail};
use crate::points::Points;

/// The least amount granted in a tail. A unit that is tried with no points left would be refused.
const LEAST: Points = Points::from_micros(1);

impl Ledger {
    /// Returns what calls have cost, over all keys.
    pub fn costs(&self) -> Costs {
        let mut all = Costs::default();
        self.accounts.values().for_each(|account| all.merge(&account.costs));
        all
    }

    /// Counts a call whose cost has become known.
    pub(super) fn learn(&mut self, key: &KeyId, (units, cost): (u32, Points)) {
        if let Some(account) = self.accounts.get_mut(key) {
            account.costs.count(units, cost);
            self.learned.count(units, cost);
        }
    }

    /// Returns the ask with the learned bounds, if they are in use and there is one for a call of its size.
    pub(super) fn capped(&self, ask: &Ask) -> Option<Ask> {
        let bound = self.bound(ask.units())?;
        let cap = |units: &Vec<Points>| units.iter().map(|unit| bound.min(*unit)).collect();
        Some(Ask { messages: ask.messages.iter().map(cap).collect(), ..*ask })
    }

    /// Returns the units that fit into `free`, and the amount to hold for them.
    pub(super) fn fit(&self, ask: &Ask, free: Points) -> (Vec<usize>, Points) {
        let capped = self.capped(ask).map(|capped| (capped.fit(free), capped));
        // A part of an ask may be too small to have a learned bound of its own. If it has one, it is not higher.
        let part_is_known = |taken: &[usize]| self.bound(taken.iter().sum()).is_some();
        if let Some((taken, capped)) = capped.filter(|(taken, _)| part_is_known(taken)) {
            let amount = capped.amount(&taken);
            return (taken, amount);
        }
        let taken = ask.fit(free);
        let amount = ask.amount(&taken);
        (taken, amount)
    }

    /// Returns the learned bound of a unit in a call of `units`, if learned bounds are in use.
    pub(super) fn bound(&self, units: usize) -> Option<Points> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        (self.settings.bounds == Bounds::Learned).then(|| self.learned.bound(units))?
    }

    /// Grants the last points of a key's window, if the operator wants them tried: a single unit, on the key whose
    /// reset comes first. Up to the unit's bound, all that is left is held for it, so that no other call tries
    /// meanwhile.
    pub(super) fn tail_of(&self, ask: &Ask, now: Timestamp) -> Option<(KeyId, Vec<usize>, Points)> {
        let (message, unit) = ask.cheapest_start()?;
        let needed = self.tail_needs()?;
        let free = |account: &Account| account.free(&self.settings, ask.priority, now);
        let exact = self.accounts.iter().filter(|(_, account)| self.is_exact(account, now) && free(account) >= needed);
        let (key, account) = exact.min_by_key(|(_, account)| account.reset_at)?;
        let mut taken = vec![0; ask.messages.len()];
        taken[message] = 1;
        Some((key.clone(), taken, free(account).min(unit)))
    }

    /// Returns the least free amount for which `account` grants a unit now, if that may be less than what an ask
    /// declares.
    pub(super) fn smallest_grant(&self, account: &Account, now: Timestamp) -> Option<Points> {
        let tail = self.tail_needs().filter(|_| self.is_exact(account, now));
        tail.into_iter().chain(self.bound(1)).min()
    }

    fn tail_needs(&self) -> Option<Points> {
        match self.settings.tail {
            Tail::Strict => None,
            Tail::Quantile(per_mille) => self.learned.quantile(1, per_mille),
            Tail::Probe => Some(LEAST),
        }
    }

    /// Returns whether the counter says exactly what is left: the account is open and has no holds.
    fn is_exact(&self, account: &Account, now: Timestamp) -> bool {
        account.state(&self.settings, now) == KeyState::Open && account.holds.is_empty()
    }
}
