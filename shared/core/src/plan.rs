//! The throttle as a plan: how many invocations the pool can carry, and when to look again.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::between;
use crate::ledger::{KeyState, KeyStatus};
use crate::points::Points;

/// What a pool can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Invocations that may run at once.
    pub concurrency: u32,
    /// Calls that could start now beside those in flight.
    pub affordable: u64,
    /// Calls in flight, or a reading under way, may bring more within moments.
    pub more_is_due: bool,
    /// When the pool may carry more; `None` when no key is in use.
    pub wake_at: Option<Timestamp>,
}

/// What a call costs at the most, and how many may run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The bound of the smallest piece of work.
    pub unit: Points,
    /// The bound of an ordinary call.
    pub call: Points,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// The operator's limit.
    pub concurrency_limit: u32,
}

/// Plans for `keys` as they stand at `now`. While even one unit fits somewhere there is work to be done; once nothing
/// fits the concurrency is 0, and nothing is received that could not be paid for.
///
/// No more run than are needed to spend every key before its reset, were each call to take as long as it may: more
/// would only dry the pool faster than a throttle in the cloud can follow, and receive in vain meanwhile.
pub fn plan(keys: &[KeyStatus], load: &Load, now: Timestamp) -> Plan {
    let open = || keys.iter().filter(|key| key.state == KeyState::Open);
    let in_flight: u64 = keys.iter().map(|key| key.in_flight).sum();
    let calls: u64 = open().map(|key| key.free.times(load.call)).fold(0, u64::saturating_add);
    let tail = open().any(|key| key.free >= key.lends_from.unwrap_or(load.unit).min(load.unit));
    let affordable = calls.max(u64::from(tail));
    let carried = if affordable == 0 { 0 } else { affordable.saturating_add(in_flight) };
    let needed: u64 = open().map(|key| needed(key, load, now)).fold(0, u64::saturating_add);
    let concurrency = u32::try_from(carried.min(needed.max(1))).unwrap_or(u32::MAX).min(load.concurrency_limit);
    let in_use = keys.iter().filter(|key| key.state != KeyState::Retired);
    let wake_at = in_use.map(|key| key.lends_at(load.unit)).min();
    let more_is_due = keys.iter().any(|key| key.may_soon_lend(load.unit, false));
    Plan { concurrency, affordable, more_is_due, wake_at }
}

/// How many slow callers at once can just make a key's calls before its reset.
fn needed(key: &KeyStatus, load: &Load, now: Timestamp) -> u64 {
    let left = between(now, key.reset_at).as_millis().max(1);
    let calls = u128::from(key.free.times(load.call));
    u64::try_from(calls.saturating_mul(load.call_timeout.as_millis()).div_ceil(left)).unwrap_or(u64::MAX)
}

/// What a throttle that holds `current` should be set to: the plan's concurrency in few steps, so that it is written a
/// handful of times a window and not at each call.
///
/// Exact up to 4, and powers of two above; what holds already stays until it is off by half. Between 0 and not 0 there
/// is no step while more points are due: whoever brings them plans again.
pub fn step(current: Option<u32>, plan: &Plan, limit: u32) -> u32 {
    let planned = plan.concurrency;
    let wanted = if planned <= 4 || planned >= limit { planned.min(limit) } else { 1 << planned.ilog2() };
    match current {
        Some(current) if plan.more_is_due && plan.affordable <= 1 && (current == 0 || wanted == 0) => {
            current.min(limit)
        }
        Some(current) if planned > 0 && planned < current * 2 && planned * 2 > current => current.min(limit),
        _ => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::KeyId;

    fn key(state: KeyState, free: u64, in_flight: u64) -> KeyStatus {
        KeyStatus {
            key: KeyId("a".into()),
            state,
            limit: Points::whole(3600),
            spent: Points::ZERO,
            held: Points::ZERO,
            unconfirmed: Points::ZERO,
            free: Points::whole(free),
            reserve: Points::ZERO,
            reserved: Points::ZERO,
            in_flight,
            reset_at: Timestamp::UNIX_EPOCH,
            renews_at: Timestamp::UNIX_EPOCH,
            released_at: Timestamp::UNIX_EPOCH,
            lends_from: None,
            being_read: false,
            refused: 0,
            refusal: None,
            doubt: None,
            lost: Points::ZERO,
            lost_until: None,
        }
    }

    fn load() -> Load {
        let call_timeout = Duration::from_secs(30);
        Load { unit: Points::whole(5), call: Points::whole(125), call_timeout, concurrency_limit: 50 }
    }

    #[test]
    fn a_full_pool_carries_the_limit_and_a_dry_one_nothing() {
        assert_eq!(plan(&[key(KeyState::Open, 18_000, 0)], &load(), Timestamp::UNIX_EPOCH).concurrency, 50);
        assert_eq!(plan(&[key(KeyState::Open, 4, 3)], &load(), Timestamp::UNIX_EPOCH).concurrency, 0);
        assert_eq!(plan(&[key(KeyState::Stale, 0, 0)], &load(), Timestamp::UNIX_EPOCH).concurrency, 0);
    }

    #[test]
    fn the_tail_is_worked_on_as_long_as_one_unit_fits() {
        assert_eq!(plan(&[key(KeyState::Open, 5, 0)], &load(), Timestamp::UNIX_EPOCH).concurrency, 1);
        assert_eq!(plan(&[key(KeyState::Open, 300, 1)], &load(), Timestamp::UNIX_EPOCH).concurrency, 3);
    }

    #[test]
    fn no_more_run_than_can_spend_a_window_in_time() {
        let at = |seconds| {
            let key = KeyStatus { reset_at: Timestamp::from_second(3_600).unwrap(), ..key(KeyState::Open, 18_000, 0) };
            plan(&[key], &load(), Timestamp::from_second(seconds).unwrap()).concurrency
        };
        // 144 calls of at most 30 s.
        assert_eq!([at(0), at(1_800), at(3_400), at(3_590)], [2, 3, 22, 50]);
    }

    fn planned(concurrency: u32) -> Plan {
        Plan { concurrency, affordable: u64::from(concurrency), more_is_due: false, wake_at: None }
    }

    #[test]
    fn steps_are_few() {
        let steps = (0..=50).map(|concurrency| step(None, &planned(concurrency), 50));
        let steps: std::collections::BTreeSet<u32> = steps.collect();
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 8, 16, 32, 50]);
    }

    #[test]
    fn what_holds_stays_until_it_is_off_by_half() {
        let from_8 = |concurrency| step(Some(8), &planned(concurrency), 50);
        assert_eq!([15, 16, 9, 7, 5, 4, 1, 0].map(from_8), [8, 16, 8, 8, 8, 4, 1, 0]);
        assert_eq!([0, 1, 2].map(|concurrency| step(Some(1), &planned(concurrency), 50)), [0, 1, 2]);
        assert_eq!(step(Some(0), &planned(3), 50), 3);
        assert_eq!(step(Some(50), &planned(50), 20), 20, "a lower limit holds at once");
    }

    #[test]
    fn a_pool_that_expects_points_is_neither_stopped_nor_started() {
        let due = |concurrency| Plan { more_is_due: true, ..planned(concurrency) };
        assert_eq!([step(Some(2), &due(0), 50), step(Some(0), &due(1), 50)], [2, 0]);
        assert_eq!([step(Some(0), &due(2), 50), step(Some(4), &due(1), 50)], [2, 1]);
        let busy = KeyStatus { held: Points::whole(25), ..key(KeyState::Open, 0, 1) };
        assert!(plan(&[busy], &load(), Timestamp::UNIX_EPOCH).more_is_due);
        assert!(!plan(&[key(KeyState::Open, 4, 1)], &load(), Timestamp::UNIX_EPOCH).more_is_due);
    }
}
