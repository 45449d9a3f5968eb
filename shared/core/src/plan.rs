//! The throttle plan: how many invocations the key pool can carry, and when to compute the plan again.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::between;
use crate::ledger::{KeyState, KeyStatus};
use crate::points::Points;

/// How much work the key pool can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottlePlan {
    /// How many invocations may run at once.
    pub concurrency: u32,
    /// How many calls could start now, in addition to those in flight.
    pub affordable: u64,
    /// Whether calls in flight, or a reading under way, may free more points within moments.
    pub more_is_due: bool,
    /// When the pool may carry more. `None` if no key is in use.
    pub wake_at: Option<Timestamp>,
}

/// The upper bounds of a call's cost and duration, and the operator's limit.
#[derive(Clone, Copy, Debug)]
pub struct PlanInputs {
    /// The upper bound of the cost of the smallest piece of work.
    pub unit: Points,
    /// The upper bound of the cost of an ordinary call.
    pub call: Points,
    /// The longest that a call may take.
    pub call_timeout: Duration,
    /// The operator's limit on concurrency.
    pub concurrency_limit: u32,
}

/// Returns the plan for `keys` in their state at `now`. The concurrency is at least 1 while a single unit fits on some
/// key. It is 0 once nothing fits, so that no message is received that cannot be paid for.
///
/// The concurrency is no higher than needed to spend every key's points before its reset if each call took its longest.
/// A higher value would empty the pool faster than a throttle in the cloud can follow, and messages would meanwhile be
/// received to no purpose.
pub fn throttle_plan(keys: &[KeyStatus], inputs: &PlanInputs, now: Timestamp) -> ThrottlePlan {
    let open = || keys.iter().filter(|key| key.state == KeyState::Open);
    let in_flight: u64 = keys.iter().map(|key| key.in_flight).sum();
    let calls: u64 = open().map(|key| key.free.times(inputs.call)).fold(0, u64::saturating_add);
    let tail = open().any(|key| key.free >= key.smallest_grant.unwrap_or(inputs.unit).min(inputs.unit));
    let affordable = calls.max(u64::from(tail));
    let carried = if affordable == 0 { 0 } else { affordable.saturating_add(in_flight) };
    let needed: u64 = open().map(|key| needed(key, inputs, now)).fold(0, u64::saturating_add);
    let concurrency = u32::try_from(carried.min(needed.max(1))).unwrap_or(u32::MAX).min(inputs.concurrency_limit);
    let in_use = keys.iter().filter(|key| key.state != KeyState::Retired);
    let wake_at = in_use.map(|key| key.grants_at(inputs.unit)).min();
    let more_is_due = keys.iter().any(|key| key.may_soon_grant(inputs.unit, false));
    ThrottlePlan { concurrency, affordable, more_is_due, wake_at }
}

/// Returns how many concurrent callers are needed to spend a key's points before its reset if every call takes its
/// longest.
fn needed(key: &KeyStatus, inputs: &PlanInputs, now: Timestamp) -> u64 {
    let left = between(now, key.reset_at).as_millis().max(1);
    let calls = u128::from(key.free.times(inputs.call));
    u64::try_from(calls.saturating_mul(inputs.call_timeout.as_millis()).div_ceil(left)).unwrap_or(u64::MAX)
}

/// Returns the value to set a throttle to that is at `current`. This is the plan's concurrency in coarse steps, so that
/// the throttle is written a few times per window and not at each call.
///
/// Values up to 4 are exact; higher ones are powers of two. The current value stays until it is off by a factor of two.
/// The value does not change between 0 and non-zero while more points are due, because the caller that brings them
/// computes the plan again.
pub fn throttle_step(current: Option<u32>, plan: &ThrottlePlan, limit: u32) -> u32 {
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
            smallest_grant: None,
            being_read: false,
            refused: 0,
            refusal: None,
            doubt: None,
            lost: Points::ZERO,
            lost_until: None,
        }
    }

    fn inputs() -> PlanInputs {
        let call_timeout = Duration::from_secs(30);
        PlanInputs { unit: Points::whole(5), call: Points::whole(125), call_timeout, concurrency_limit: 50 }
    }

    #[test]
    fn a_full_pool_carries_the_limit_and_a_dry_one_nothing() {
        assert_eq!(throttle_plan(&[key(KeyState::Open, 18_000, 0)], &inputs(), Timestamp::UNIX_EPOCH).concurrency, 50);
        assert_eq!(throttle_plan(&[key(KeyState::Open, 4, 3)], &inputs(), Timestamp::UNIX_EPOCH).concurrency, 0);
        assert_eq!(throttle_plan(&[key(KeyState::Stale, 0, 0)], &inputs(), Timestamp::UNIX_EPOCH).concurrency, 0);
    }

    #[test]
    fn the_tail_is_worked_on_as_long_as_one_unit_fits() {
        assert_eq!(throttle_plan(&[key(KeyState::Open, 5, 0)], &inputs(), Timestamp::UNIX_EPOCH).concurrency, 1);
        assert_eq!(throttle_plan(&[key(KeyState::Open, 300, 1)], &inputs(), Timestamp::UNIX_EPOCH).concurrency, 3);
    }

    #[test]
    fn no_more_run_than_can_spend_a_window_in_time() {
        let at = |seconds| {
            let key = KeyStatus { reset_at: Timestamp::from_second(3_600).unwrap(), ..key(KeyState::Open, 18_000, 0) };
            throttle_plan(&[key], &inputs(), Timestamp::from_second(seconds).unwrap()).concurrency
        };
        // 144 calls of at most 30 s each.
        assert_eq!([at(0), at(1_800), at(3_400), at(3_590)], [2, 3, 22, 50]);
    }

    fn planned(concurrency: u32) -> ThrottlePlan {
        ThrottlePlan { concurrency, affordable: u64::from(concurrency), more_is_due: false, wake_at: None }
    }

    #[test]
    fn steps_are_few() {
        let steps = (0..=50).map(|concurrency| throttle_step(None, &planned(concurrency), 50));
        let steps: std::collections::BTreeSet<u32> = steps.collect();
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 8, 16, 32, 50]);
    }

    #[test]
    fn the_current_value_stays_until_it_is_off_by_half() {
        let from_8 = |concurrency| throttle_step(Some(8), &planned(concurrency), 50);
        assert_eq!([15, 16, 9, 7, 5, 4, 1, 0].map(from_8), [8, 16, 8, 8, 8, 4, 1, 0]);
        assert_eq!([0, 1, 2].map(|concurrency| throttle_step(Some(1), &planned(concurrency), 50)), [0, 1, 2]);
        assert_eq!(throttle_step(Some(0), &planned(3), 50), 3);
        assert_eq!(throttle_step(Some(50), &planned(50), 20), 20, "a lower limit holds at once");
    }

    #[test]
    fn a_pool_that_expects_points_is_neither_stopped_nor_started() {
        let due = |concurrency| ThrottlePlan { more_is_due: true, ..planned(concurrency) };
        assert_eq!([throttle_step(Some(2), &due(0), 50), throttle_step(Some(0), &due(1), 50)], [2, 0]);
        assert_eq!([throttle_step(Some(0), &due(2), 50), throttle_step(Some(4), &due(1), 50)], [2, 1]);
        let busy = KeyStatus { held: Points::whole(25), ..key(KeyState::Open, 0, 1) };
        assert!(throttle_plan(&[busy], &inputs(), Timestamp::UNIX_EPOCH).more_is_due);
        assert!(!throttle_plan(&[key(KeyState::Open, 4, 1)], &inputs(), Timestamp::UNIX_EPOCH).more_is_due);
    }
}
