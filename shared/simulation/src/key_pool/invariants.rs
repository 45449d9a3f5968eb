//! No point of a window is granted twice or disappears: the equations that hold after every step of the ledger.
//!
//! They are computed from the holds themselves, not from the sums that the ledger keeps of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::ledger::{Account, Changes, HoldState, KeyId, Ledger, LedgerSettings, WindowRecord};
use stint_core::points::Points;

/// A key with more holds than this is recounted only now and then: a recount after each step of a busy key would take
/// most of the simulation's time.
const FEW_HOLDS: usize = 32;

/// One step in this many is followed by a recount, however many holds there are.
const RECOUNT_EVERY: u64 = 64;

/// Each key's account after its last step, and the first equation that was violated.
#[derive(Debug, Default)]
pub(super) struct Invariants {
    seen: BTreeMap<KeyId, Seen>,
    steps: u64,
    violation: Option<String>,
}

/// A key's open window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    window: u64,
    limit: Points,
    spent: Points,
    held: Points,
}

/// The holds of a key, counted one by one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    held: Points,
    unconfirmed: Points,
    in_flight: u64,
}

impl Invariants {
    /// The first violation. Every later check fails with it.
    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Checks every window that a step closed and every account that it changed, as listed in `changes`.
    pub(super) fn check(
        &mut self,
        ledger: &Ledger,
        changes: &Changes,
        settings: &LedgerSettings,
        now: Timestamp,
    ) -> Result<(), String> {
        self.steps += 1;
        let windows = changes.windows.iter().try_for_each(|(key, window)| self.check_closed(key, window));
        let checked = windows.and_then(|()| {
            let touched = changes.accounts.iter().filter_map(|key| Some((key, ledger.accounts().get(key)?)));
            touched.into_iter().try_for_each(|(key, account)| self.check_open(key, account, settings, now))
        });
        self.keep(checked)
    }

    /// Checks after a grant that spent and held points together do not exceed the limit less the guard.
    pub(super) fn check_grant(&mut self, key: &KeyId, account: &Account, guard: Points) -> Result<(), String> {
        let (limit, committed) = (account.limit.unwrap_or_default(), account.spent.saturating_add(count(account).held));
        let grantable = limit.saturating_sub(guard);
        let checked = if committed <= grantable {
            Ok(())
        } else {
            Err(format!("{key} has {committed} points held or spent, of {grantable} that may be granted"))
        };
        self.keep(checked)
    }

    fn keep(&mut self, checked: Result<(), String>) -> Result<(), String> {
        if let (None, Err(reason)) = (&self.violation, checked) {
            self.violation = Some(reason);
        }
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Checks that `limit + overspent = spent + expired`, and that the record matches the window as it was last seen.
    fn check_closed(&self, key: &KeyId, window: &WindowRecord) -> Result<(), String> {
        let granted = window.limit.saturating_add(window.overspent);
        if granted != window.spent.saturating_add(window.expired) {
            return Err(format!("the closed window of {key} does not add up: {window:?}"));
        }
        let recorded =
            Seen { window: window.window, limit: window.limit, spent: window.spent, held: window.unconfirmed };
        match self.seen.get(key) {
            Some(seen) if *seen != recorded => {
                Err(format!("a window of {key} was last seen as {seen:?}, but closed as {window:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that `limit + beyond = guard + spent + held + free`: every point is in exactly one place. `beyond` is the
    /// points that readings show as spent while they are still held; then nothing is free.
    fn check_open(
        &mut self,
        key: &KeyId,
        account: &Account,
        settings: &LedgerSettings,
        now: Timestamp,
    ) -> Result<(), String> {
        let kept = Count { held: account.held(), unconfirmed: account.unconfirmed(), in_flight: account.in_flight() };
        if account.holds.len() <= FEW_HOLDS || self.steps.is_multiple_of(RECOUNT_EVERY) {
            let counted = count(account);
            if counted != kept {
                return Err(format!("the holds of {key} are {counted:?}, and the ledger says {kept:?}"));
            }
        }
        let Some(limit) = account.limit else { return Ok(()) };
        let (spent, free) = (account.spent, account.free(settings, true, now));
        let guard = settings.guard.min(limit);
        let committed = guard.saturating_add(spent).saturating_add(kept.held);
        let beyond = committed.saturating_sub(limit);
        if limit.saturating_add(beyond) != committed.saturating_add(free) {
            return Err(format!(
                "the open window of {key} does not add up: of {limit} points {spent} are spent, {} held, {free} free, \
                 and {guard} left alone",
                kept.held
            ));
        }
        let now_seen = Seen { window: account.window, limit, spent, held: kept.held };
        match self.seen.insert(key.clone(), now_seen) {
            Some(seen) if seen.window > now_seen.window || seen.window == now_seen.window && seen.spent > spent => {
                Err(format!("{key} went back from {seen:?} to {now_seen:?}"))
            }
            _ => Ok(()),
        }
    }
}

fn count(account: &Account) -> Count {
    let mut count = Count::default();
    for (_, hold) in account.holds.iter() {
        count.held = count.held.saturating_add(hold.amount);
        match hold.state {
            HoldState::InFlight => count.in_flight += 1,
            HoldState::Lost | HoldState::Unconfirmed { .. } => {
                count.unconfirmed = count.unconfirmed.saturating_add(hold.amount);
            }
        }
    }
    count
}
