//! The throttle as a plan: how many invocations the pool can carry, and when to look again.

use jiff::Timestamp;

use crate::ledger::{KeyState, KeyStatus};
use crate::points::Points;

/// What a pool can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Invocations that may run at once.
    pub concurrency: u32,
    /// Calls that could start now beside those in flight.
    pub affordable: u64,
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
    /// The operator's limit.
    pub concurrency_limit: u32,
}

/// Plans for `keys` as they stand. While even one unit fits somewhere there is work to be done; once nothing fits
/// the concurrency is 0, and nothing is received that could not be paid for.
pub fn plan(keys: &[KeyStatus], load: &Load) -> Plan {
    let open = || keys.iter().filter(|key| key.state == KeyState::Open);
    let in_flight: u64 = keys.iter().map(|key| key.in_flight).sum();
    let calls: u64 = open().map(|key| key.free.times(load.call)).fold(0, u64::saturating_add);
    let tail = open().any(|key| key.free >= load.unit);
    let affordable = calls.max(u64::from(tail));
    let carried = if affordable == 0 { 0 } else { affordable.saturating_add(in_flight) };
    let concurrency = u32::try_from(carried).unwrap_or(u32::MAX).min(load.concurrency_limit);
    let in_use = keys.iter().filter(|key| key.state != KeyState::Retired);
    let wake_at = in_use.map(|key| key.renews_at).min();
    Plan { concurrency, affordable, wake_at }
}

/// The plan's concurrency in few steps, so that the throttle is written a handful of times a window and not at each
/// call: exact up to 4, and powers of two above.
pub fn step(concurrency: u32, limit: u32) -> u32 {
    if concurrency <= 4 || concurrency >= limit {
        return concurrency.min(limit);
    }
    1 << concurrency.ilog2()
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
            in_flight,
            reset_at: Timestamp::UNIX_EPOCH,
            renews_at: Timestamp::UNIX_EPOCH,
            being_read: false,
            refused: 0,
        }
    }

    fn load() -> Load {
        Load { unit: Points::whole(5), call: Points::whole(125), concurrency_limit: 50 }
    }

    #[test]
    fn a_full_pool_carries_the_limit_and_a_dry_one_nothing() {
        assert_eq!(plan(&[key(KeyState::Open, 18_000, 0)], &load()).concurrency, 50);
        assert_eq!(plan(&[key(KeyState::Open, 4, 3)], &load()).concurrency, 0);
        assert_eq!(plan(&[key(KeyState::Stale, 0, 0)], &load()).concurrency, 0);
    }

    #[test]
    fn the_tail_is_worked_on_as_long_as_one_unit_fits() {
        assert_eq!(plan(&[key(KeyState::Open, 5, 0)], &load()).concurrency, 1);
        assert_eq!(plan(&[key(KeyState::Open, 300, 1)], &load()).concurrency, 3);
    }

    #[test]
    fn steps_are_few() {
        let steps: std::collections::BTreeSet<u32> = (0..=50).map(|concurrency| step(concurrency, 50)).collect();
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 8, 16, 32, 50]);
    }
}
