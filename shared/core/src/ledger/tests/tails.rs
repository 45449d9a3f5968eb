//! Learned costs, and the policies for a window's last points.

use super::*;
use crate::ledger::{Bounds, ENOUGH, Tail};

/// The cost of every unit.
const COST: u64 = 3;

/// A ledger with one key of `limit` points. It has seen enough single calls, in the previous window, to trust its
/// learned costs.
fn experienced(limit: u64, settings: LedgerSettings) -> Ledger {
    let mut ledger = Ledger::new(settings, BTreeMap::new());
    ledger.configure(&[key("a")]);
    let large = ENOUGH * COST * 2;
    read(&mut ledger, reading(large, 0, 3_600, START), START);
    for call in 0..=ENOUGH {
        let hold = grant(&mut ledger, 5, START).hold;
        ledger.settle(&hold, CallEnd::Answered(reading(large, call * COST, 3_600, START)), START);
    }
    read(&mut ledger, reading(limit, 0, 3_600, at(3_601)), at(3_601));
    ledger
}

fn spend(ledger: &mut Ledger, limit: u64, spent: u64) {
    let hold = grant(ledger, 5, at(3_602)).hold;
    ledger.settle(&hold, CallEnd::Answered(reading(limit, spent - 1, 3_599, at(3_602))), at(3_602));
    read(ledger, reading(limit, spent, 3_599, at(3_602)), at(3_602));
}

#[test]
fn calls_that_are_alone_are_priced_to_the_point() {
    let ledger = experienced(100, settings(0));
    let costs = ledger.costs();
    let (units, class) = costs.classes().next().expect("a class");
    assert_eq!((units, class.count, class.max, class.mean()), (1, ENOUGH, Points::whole(COST), Points::whole(COST)));
}

#[test]
fn calls_side_by_side_are_not_priced() {
    let mut ledger = ledger(100, 0);
    let calls = [grant(&mut ledger, 5, START), grant(&mut ledger, 5, START)];
    for (spent, call) in calls.iter().enumerate() {
        ledger.settle(&call.hold, CallEnd::Answered(reading(100, spent as u64, 3_600, START)), START);
    }
    read(&mut ledger, reading(100, 7, 3_600, START), START);
    assert_eq!(ledger.costs().classes().count(), 0);
}

#[test]
fn a_learned_bound_is_held_instead_of_the_declared_one_if_the_operator_wants_it() {
    let held = |bounds, points: &[u64]| {
        let mut ledger = experienced(100, LedgerSettings { bounds, ..settings(0) });
        granted(ledger.reserve(&ask(&[points]), at(3_602))).amount
    };
    assert_eq!(held(Bounds::Declared, &[5, 5]), Points::whole(10));
    assert_eq!(held(Bounds::Learned, &[5, 5]), Points::whole(2 * COST));
    assert_eq!(held(Bounds::Learned, &[2]), Points::whole(2), "what is declared lower stays");
}

#[test]
fn a_learned_bound_fits_where_the_declared_one_does_not() {
    let mut ledger = experienced(10, LedgerSettings { bounds: Bounds::Learned, ..settings(0) });
    spend(&mut ledger, 10, 7);
    assert_eq!(granted(ledger.reserve(&ask(&[&[5, 5]]), at(3_603))).taken, [1]);
}

#[test]
fn each_tail_policy_leaves_what_it_says() {
    let granted = |tail, left: u64| {
        let mut ledger = experienced(100, LedgerSettings { tail, ..settings(0) });
        spend(&mut ledger, 100, 100 - left);
        let offered = status(&mut ledger, at(3_603)).smallest_grant.is_some_and(|from| from <= Points::whole(left));
        let grant = match ledger.reserve(&ask(&[&[5, 5], &[5]]), at(3_603)) {
            Reservation::Granted(grant) => Some((grant.amount, grant.taken)),
            _ => None,
        };
        assert!(grant.is_none() || left >= 5 || offered, "the plan must include the tail");
        grant
    };
    let one = |points| Some((Points::whole(points), vec![1, 0]));
    assert_eq!([4, 2, 1].map(|left| granted(Tail::Strict, left)), [None, None, None]);
    assert_eq!([4, 2, 1].map(|left| granted(Tail::Quantile(980), left)), [one(4), None, None]);
    assert_eq!([4, 1, 0].map(|left| granted(Tail::Probe, left)), [one(4), one(1), None]);
}

#[test]
fn a_tail_is_tried_by_one_call_at_a_time() {
    let mut ledger = experienced(100, LedgerSettings { tail: Tail::Probe, ..settings(0) });
    spend(&mut ledger, 100, 88);
    let running = grant(&mut ledger, 10, at(3_603));
    let two = ask(&[&[5]]);
    assert!(matches!(ledger.reserve(&two, at(3_603)), Reservation::Refused { .. }), "2 are left beside a call");
    ledger.settle(&running.hold, CallEnd::Answered(reading(100, 88, 3_598, at(3_603))), at(3_603));
    assert!(matches!(ledger.reserve(&two, at(3_603)), Reservation::Refused { .. }), "its charge is not known");
    read(&mut ledger, reading(100, 97, 3_598, at(3_603)), at(3_603));
    let tried = granted(ledger.reserve(&two, at(3_603)));
    assert_eq!(tried.amount, Points::whole(3));
    assert!(matches!(ledger.reserve(&two, at(3_603)), Reservation::Refused { .. }));
}
