//! Calls that are billed after their callers have given up.

use super::*;

const GRACE: Duration = Duration::from_secs(90);

fn patient(limit: u64) -> Ledger {
    let mut ledger = Ledger::new(LedgerSettings { grace: GRACE, ..settings(0) }, BTreeMap::new());
    ledger.configure(&[key("a")]);
    (0..2).for_each(|_| read(&mut ledger, reading(limit, 0, 3_600, START), START));
    ledger
}

#[test]
fn a_lost_call_is_held_for_the_grace_and_until_a_reading_that_started_later() {
    let mut ledger = patient(100);
    let lost = grant(&mut ledger, 60, START);
    ledger.settle(&lost.hold, CallEnd::Lost, at(1));
    let now = status(&mut ledger, at(1));
    assert_eq!((now.held, now.unconfirmed, now.lost), (Points::whole(60), Points::whole(60), Points::whole(60)));
    assert_eq!((now.in_flight, now.lost_until), (0, Some(at(91))));
    assert_eq!(ledger.claim_reading(Points::whole(50), LEASE, at(1)), None, "it would confirm nothing");
    // Another call's answer does not include the charge, but was sent too early to prove anything.
    let other = grant(&mut ledger, 10, at(2));
    ledger.settle(&other.hold, CallEnd::Answered(reading(100, 0, 3_597, at(3))), at(3));
    read_if_it_helps(&mut ledger, 5, at(3));
    assert_eq!(status(&mut ledger, at(90)).lost, Points::whole(60));
    // The lost call was billed (6 s after a 502, say). The grace period is over, and a reading shows the charge.
    let claim = ledger.claim_reading(Points::whole(50), LEASE, at(91)).expect("a reading that helps");
    ledger.observe(&claim, CallEnd::Answered(reading(100, 55, 3_509, at(91))), at(91));
    let now = status(&mut ledger, at(91));
    assert_eq!((now.spent, now.held, now.free), (Points::whole(55), Points::ZERO, Points::whole(45)));
}

#[test]
fn a_caller_that_crashed_may_be_billed_too() {
    let mut ledger = patient(100);
    grant(&mut ledger, 100, START);
    let now = status(&mut ledger, at(35));
    assert_eq!((now.in_flight, now.lost, now.lost_until), (0, Points::whole(100), Some(at(125))));
    assert_eq!(status(&mut ledger, at(125)).lost, Points::ZERO);
    assert!(ledger.claim_reading(Points::whole(1), LEASE, at(125)).is_some());
}

#[test]
fn a_late_answer_or_a_settlement_as_not_billed_ends_the_grace() {
    let mut ledger = patient(100);
    let (answered, free) = (grant(&mut ledger, 40, START), grant(&mut ledger, 30, START));
    assert_eq!(status(&mut ledger, at(40)).lost, Points::whole(70));
    ledger.settle(&answered.hold, CallEnd::Answered(reading(100, 0, 3_559, at(41))), at(41));
    ledger.settle(&free.hold, CallEnd::NotBilled, at(41));
    let now = status(&mut ledger, at(41));
    assert_eq!((now.lost, now.unconfirmed, now.free), (Points::ZERO, Points::whole(40), Points::whole(60)));
}

#[test]
fn losing_a_call_again_changes_nothing() {
    let mut ledger = patient(100);
    let lost = grant(&mut ledger, 60, START);
    ledger.settle(&lost.hold, CallEnd::Lost, START);
    let accounts = ledger.accounts().clone();
    ledger.settle(&lost.hold, CallEnd::Lost, at(5));
    assert_eq!(ledger.accounts(), &accounts);
}

#[test]
fn a_caller_waiting_for_a_lost_call_is_woken_when_its_grace_ends() {
    let mut ledger = patient(100);
    let lost = grant(&mut ledger, 90, START);
    ledger.settle(&lost.hold, CallEnd::Lost, START);
    let Reservation::Refused { waits } = ledger.reserve(&ask(&[&[50]]), START) else { panic!("10 are free") };
    assert_eq!(waits[0].until, Some(at(90)));
    let now = status(&mut ledger, START);
    assert!(!now.may_soon_grant(Points::whole(50), false), "no caller waits that long");
    assert_eq!(now.grants_at(Points::whole(101)), at(3_601));
}

#[test]
fn a_clock_that_jumps_ahead_ends_no_hold_before_its_call_is_over() {
    let mut ledger = patient(100);
    grant(&mut ledger, 100, START);
    let jumped = after(at(1), Duration::from_secs(7_200));
    read_if_it_helps(&mut ledger, 0, jumped);
    let now = status(&mut ledger, jumped);
    assert_eq!((now.held, now.free), (Points::whole(100), Points::ZERO), "the call may still be billed");
}

#[test]
fn a_reading_that_was_under_way_when_its_key_was_forgotten_is_not_the_newest() {
    let mut ledger = patient(100);
    let under_way = grant(&mut ledger, 10, START).hold;
    assert!(ledger.forget(&key("a")));
    let claim = ledger.claim_reading(Points::MAX, LEASE, START).expect("an unread key");
    // This answer carries what was forgotten: that nothing is left of the window.
    ledger.settle(&under_way, CallEnd::Answered(reading(100, 100, 3_600, START)), START);
    ledger.observe(&claim, CallEnd::Answered(reading(100, 10, 3_600, START)), START);
    read(&mut ledger, reading(100, 10, 3_600, START), START);
    let now = status(&mut ledger, START);
    assert_eq!((now.state, now.spent, now.free), (KeyState::Open, Points::whole(10), Points::whole(90)));
}

#[test]
fn a_hold_of_a_process_whose_clock_is_a_little_ahead_is_left_alone() {
    let mut ledger = patient(100);
    let call = Ask { call_timeout: GRACE, ..ask(&[&[10]]) };
    granted(ledger.reserve(&call, at(1)));
    ledger.take_changes();
    ledger.end_expired(START);
    assert!(ledger.take_changes().holds.is_empty(), "it would be written again with each step");
}

/// Takes a reading, if the ledger grants one.
fn read_if_it_helps(ledger: &mut Ledger, spent: u64, now: Timestamp) {
    if let Some(claim) = ledger.claim_reading(Points::MAX, LEASE, now) {
        ledger.observe(&claim, CallEnd::Answered(reading(100, spent, 3_590, now)), now);
    }
}
