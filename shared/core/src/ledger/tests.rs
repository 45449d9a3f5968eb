mod oracle;
mod world;

use std::collections::BTreeMap;

use super::*;
use crate::clock::{after, before};
use crate::points::Points;
use jiff::Timestamp;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(3_600);
const LEASE: Duration = Duration::from_secs(60);
const START: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: u64) -> Timestamp {
    after(START, Duration::from_secs(seconds))
}

fn key(name: &str) -> KeyId {
    KeyId(name.into())
}

fn reading(limit: u64, spent: u64, resets_in: u64, now: Timestamp) -> Reading {
    Reading {
        limit: Points::whole(limit),
        spent: Points::whole(spent),
        resets_in: Duration::from_secs(resets_in),
        received_at: now,
    }
}

fn ask(messages: &[&[u64]]) -> Ask {
    let messages = messages.iter().map(|units| units.iter().copied().map(Points::whole).collect()).collect();
    Ask { messages, call_timeout: Duration::from_secs(30) }
}

/// A ledger of one key that was read at the start: nothing spent, an hour to go.
fn ledger(limit: u64, guard: u64) -> Ledger {
    let settings = LedgerSettings { guard: Points::whole(guard), window: WINDOW };
    let mut ledger = Ledger::new(settings, BTreeMap::new());
    ledger.configure(&[key("a")]);
    read(&mut ledger, reading(limit, 0, 3_600, START), START);
    ledger
}

fn read(ledger: &mut Ledger, reading: Reading, now: Timestamp) {
    let claim = ledger.claim_reading(Points::MAX, LEASE, now).expect("a key to read");
    ledger.observe(&claim, Some(reading), now);
}

fn granted(reservation: Reservation) -> Grant {
    match reservation {
        Reservation::Granted(grant) => grant,
        other => panic!("a grant was expected, not {other:?}"),
    }
}

fn grant(ledger: &mut Ledger, points: u64, now: Timestamp) -> Grant {
    granted(ledger.reserve(&ask(&[&[points]]), now))
}

fn status(ledger: &mut Ledger, now: Timestamp) -> KeyStatus {
    ledger.status(now).into_iter().find(|status| status.key == key("a")).expect("the key")
}

#[test]
fn a_hold_stands_until_a_reading_that_started_after_its_end() {
    let mut ledger = ledger(100, 0);
    let (one, two) = (grant(&mut ledger, 30, START), grant(&mut ledger, 30, START));
    ledger.settle(&one.hold, CallEnd::Answered(reading(100, 0, 3_600, START)), START);
    assert_eq!(status(&mut ledger, START).unconfirmed, Points::whole(30));
    ledger.settle(&two.hold, CallEnd::Answered(reading(100, 12, 3_600, START)), START);
    assert_eq!(status(&mut ledger, START).unconfirmed, Points::whole(60), "its request was sent before the end");
    let three = grant(&mut ledger, 10, START);
    ledger.settle(&three.hold, CallEnd::Answered(reading(100, 20, 3_600, START)), START);
    let status = status(&mut ledger, START);
    assert_eq!((status.spent, status.held, status.free), (Points::whole(20), Points::whole(10), Points::whole(70)));
}

#[test]
fn a_claimed_reading_covers_calls_that_ended_before_the_claim() {
    let mut ledger = ledger(100, 0);
    let (early, late) = (grant(&mut ledger, 50, START), grant(&mut ledger, 50, START));
    ledger.settle(&early.hold, CallEnd::Lost, START);
    let claim = ledger.claim_reading(Points::whole(50), LEASE, START).expect("a reading helps");
    ledger.settle(&late.hold, CallEnd::Lost, START);
    ledger.observe(&claim, Some(reading(100, 40, 3_600, START)), START);
    let status = status(&mut ledger, START);
    assert_eq!((status.held, status.free), (Points::whole(50), Points::whole(10)));
}

#[test]
fn settling_again_changes_nothing() {
    let mut ledger = ledger(100, 0);
    let ends = [
        CallEnd::Answered(reading(100, 7, 3_600, START)),
        CallEnd::Lost,
        CallEnd::NotBilled,
        CallEnd::Refused { until: at(60) },
    ];
    for end in ends {
        let hold = grant(&mut ledger, 10, START).hold;
        ledger.settle(&hold, end, START);
        let accounts = ledger.accounts().clone();
        ledger.settle(&hold, end, START);
        assert_eq!(ledger.accounts(), &accounts, "{end:?}");
    }
}

#[test]
fn a_hold_of_an_unknown_key_is_passed_over() {
    let mut ledger = ledger(100, 0);
    let accounts = ledger.accounts().clone();
    ledger.settle(&HoldId { key: key("stranger"), sequence: 1 }, CallEnd::Lost, START);
    assert_eq!(ledger.accounts(), &accounts);
}

#[test]
fn a_hold_ends_by_itself_and_counts_as_spent() {
    let mut ledger = ledger(100, 0);
    let hold = grant(&mut ledger, 100, START).hold;
    assert_eq!(status(&mut ledger, at(34)).in_flight, 1);
    let ended = status(&mut ledger, at(35));
    assert_eq!((ended.in_flight, ended.unconfirmed), (0, Points::whole(100)));
    ledger.settle(&hold, CallEnd::NotBilled, at(36));
    assert_eq!(status(&mut ledger, at(36)).free, Points::whole(100), "a late word that it cost nothing still counts");
}

#[test]
fn the_guard_is_left_alone() {
    let mut ledger = ledger(100, 15);
    assert_eq!(status(&mut ledger, START).free, Points::whole(85));
    assert!(matches!(ledger.reserve(&ask(&[&[86]]), START), Reservation::Unpriceable { .. }));
    grant(&mut ledger, 85, START);
    assert!(matches!(ledger.reserve(&ask(&[&[1]]), START), Reservation::Refused { .. }));
}

#[test]
fn a_limit_that_falls_below_what_is_held_frees_nothing() {
    let mut ledger = ledger(100, 0);
    let (one, _) = (grant(&mut ledger, 50, START), grant(&mut ledger, 50, START));
    ledger.settle(&one.hold, CallEnd::Answered(reading(60, 30, 3_600, START)), START);
    assert_eq!(status(&mut ledger, START).free, Points::ZERO);
}

#[test]
fn the_largest_messages_come_first_and_the_head_of_one_last() {
    let fits = |messages: &[&[u64]], room| ask(messages).fit(Points::whole(room));
    assert_eq!(fits(&[&[10], &[40], &[20]], 65), [1, 1, 0].map(|_: usize| 0).len().min(0).to_fit([0, 1, 1]));
    assert_eq!(fits(&[&[10], &[40], &[20]], 15), [1, 0, 0]);
    assert_eq!(fits(&[&[15, 15], &[12, 12]], 20), [1, 0]);
    assert_eq!(fits(&[&[18, 5], &[9, 9, 9]], 19), [0, 2].map(|units| units).max_head());
    assert_eq!(fits(&[&[30], &[]], 20), [0, 0]);
}

#[test]
fn nothing_is_granted_at_the_edge_of_a_window() {
    let mut ledger = ledger(100, 0);
    let edge = ledger.settings().edge();
    let last = before(at(3_600), edge + Duration::from_millis(1));
    grant(&mut ledger, 1, last);
    let state = |ledger: &mut Ledger, now| status(ledger, now).state;
    assert_eq!(state(&mut ledger, before(at(3_600), edge)), KeyState::Edge);
    assert_eq!(state(&mut ledger, at(3_600)), KeyState::Stale);
    assert!(matches!(ledger.reserve(&ask(&[&[1]]), at(3_600)), Reservation::Refused { .. }));
}
