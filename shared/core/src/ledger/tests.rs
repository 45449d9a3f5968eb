//! Tests of the ledger's rules, one by one, and against a naive oracle over random histories.

mod hostile;
mod late;
mod oracle;
mod tails;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{
    Account, Ask, CallEnd, Grant, Hold, HoldId, HoldState, KeyId, KeyRefusal, KeyState, KeyStatus, Ledger,
    LedgerSettings, Reading, Reservation,
};
use crate::clock::{after, before};
use crate::points::Points;

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
    Ask { messages, call_timeout: Duration::from_secs(30), priority: false }
}

fn settings(guard: u64) -> LedgerSettings {
    LedgerSettings { guard: Points::whole(guard), ..LedgerSettings::without_reserve(WINDOW) }
}

/// A ledger with one key. The key was read twice at the start, so that its limit is sure: nothing spent, an hour to go.
fn ledger(limit: u64, guard: u64) -> Ledger {
    let mut ledger = Ledger::new(settings(guard), BTreeMap::new());
    ledger.configure(&[key("a")]);
    (0..2).for_each(|_| read(&mut ledger, reading(limit, 0, 3_600, START), START));
    ledger
}

fn read(ledger: &mut Ledger, reading: Reading, now: Timestamp) {
    let claim = ledger.claim_reading(Points::MAX, LEASE, now).expect("a key to read");
    ledger.observe(&claim, CallEnd::Answered(reading), now);
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
    ledger.observe(&claim, CallEnd::Answered(reading(100, 40, 3_600, START)), START);
    let status = status(&mut ledger, START);
    assert_eq!((status.held, status.free), (Points::whole(50), Points::whole(10)));
}

#[test]
fn settling_again_changes_nothing() {
    let ends = [
        CallEnd::Answered(reading(100, 7, 3_600, START)),
        CallEnd::Lost,
        CallEnd::NotBilled,
        CallEnd::Refused { until: at(60), why: KeyRefusal::Points },
        CallEnd::Refused { until: at(60), why: KeyRefusal::Credentials },
    ];
    for end in ends {
        let mut ledger = ledger(100, 0);
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
    assert_eq!(status(&mut ledger, at(36)).free, Points::whole(100), "a late settlement as not billed still counts");
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
fn the_reserve_is_for_priority_and_given_back_in_the_last_tenth() {
    let reserve = LedgerSettings { reserve: Points::whole(50), ..settings(0) };
    let mut ledger = Ledger::new(reserve, BTreeMap::new());
    ledger.configure(&[key("a")]);
    read(&mut ledger, reading(200, 0, 3_600, START), START);
    grant(&mut ledger, 180, START);
    let Reservation::Refused { waits } = ledger.reserve(&ask(&[&[5]]), START) else { panic!("20 are all reserved") };
    assert_eq!((waits[0].free, waits[0].until), (Points::ZERO, Some(at(3_240))), "a tenth of 200 is kept");
    let urgent = |points: u64| Ask { priority: true, ..ask(&[&[points]]) };
    granted(ledger.reserve(&urgent(15), START));
    let Reservation::Refused { waits } = ledger.reserve(&urgent(6), START) else { panic!("5 are left") };
    assert_eq!((waits[0].free, waits[0].until), (Points::whole(5), Some(at(3_601))));
    let left = |ledger: &mut Ledger, now| (status(ledger, now).free, status(ledger, now).reserved);
    assert_eq!(left(&mut ledger, at(3_239)), (Points::ZERO, Points::whole(5)));
    assert_eq!(left(&mut ledger, at(3_240)), (Points::whole(5), Points::ZERO));
}

#[test]
fn the_reserve_comes_back_before_the_edge_of_a_short_window() {
    let short =
        LedgerSettings { reserve: Points::whole(50), ..LedgerSettings::without_reserve(Duration::from_secs(10)) };
    let mut ledger = Ledger::new(short, BTreeMap::new());
    ledger.configure(&[key("a")]);
    read(&mut ledger, reading(1_000, 0, 10, START), START);
    let now = before(at(10), short.edge() * 2);
    assert_eq!((status(&mut ledger, now).state, status(&mut ledger, now).free), (KeyState::Open, Points::whole(1_000)));
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
    assert_eq!(fits(&[&[10], &[40], &[20]], 65), [0, 1, 1]);
    assert_eq!(fits(&[&[10], &[40], &[20]], 15), [1, 0, 0]);
    assert_eq!(fits(&[&[15, 15], &[12, 12]], 20), [1, 0]);
    assert_eq!(fits(&[&[17, 5], &[9, 9, 9]], 19), [0, 2], "18 of 19 points beat 17");
    assert_eq!(fits(&[&[30], &[]], 20), [0, 0]);
}

#[test]
fn a_grant_is_never_empty() {
    let mut ledger = ledger(100, 0);
    grant(&mut ledger, 80, START);
    let behind_a_large_one = ledger.reserve(&ask(&[&[50, 10]]), START);
    let Reservation::Refused { waits } = behind_a_large_one else { panic!("{behind_a_large_one:?}") };
    assert_eq!((waits[0].needed, waits[0].free), (Points::whole(50), Points::whole(20)));
    let taken = granted(ledger.reserve(&ask(&[&[50, 10], &[15, 10]]), START));
    assert_eq!((taken.amount, taken.taken), (Points::whole(15), vec![0, 1]));
}

#[test]
fn nothing_is_granted_at_the_edge_of_a_window() {
    let mut ledger = ledger(100, 0);
    let edge = settings(0).edge();
    let last = before(at(3_600), edge + Duration::from_millis(1));
    grant(&mut ledger, 1, last);
    let state = |ledger: &mut Ledger, now| status(ledger, now).state;
    assert_eq!(state(&mut ledger, before(at(3_600), edge)), KeyState::Edge);
    assert_eq!(state(&mut ledger, at(3_600)), KeyState::Stale);
    assert!(matches!(ledger.reserve(&ask(&[&[1]]), at(3_600)), Reservation::Refused { .. }));
}

#[test]
fn a_new_window_forgets_what_was_spent_and_carries_what_is_in_flight() {
    let mut ledger = ledger(100, 0);
    let confirmed = grant(&mut ledger, 20, at(3_500));
    let running = grant(&mut ledger, 30, at(3_590));
    ledger.settle(&confirmed.hold, CallEnd::Answered(reading(100, 40, 91, at(3_510))), at(3_510));
    read(&mut ledger, reading(100, 5, 3_590, at(3_610)), at(3_610));
    let now = status(&mut ledger, at(3_610));
    assert_eq!((now.spent, now.held, now.in_flight), (Points::whole(5), Points::whole(30), 1));
    let windows = ledger.take_changes().windows;
    assert_eq!(windows.len(), 1);
    let (key, window) = &windows[0];
    assert_eq!((key.0.as_str(), window.window, window.reset_at), ("a", 1, at(3_600)));
    assert_eq!((window.spent, window.unconfirmed), (Points::whole(40), Points::whole(50)));
    assert_eq!((window.expired, window.overspent), (Points::whole(60), Points::ZERO));
    ledger.settle(&running.hold, CallEnd::Lost, at(3_620));
    assert_eq!(status(&mut ledger, at(3_620)).unconfirmed, Points::whole(30));
}

#[test]
fn a_late_answer_of_the_old_window_says_nothing_of_the_new_one() {
    let mut ledger = ledger(100, 0);
    let late = grant(&mut ledger, 30, at(3_590));
    read(&mut ledger, reading(100, 5, 3_590, at(3_610)), at(3_610));
    ledger.take_changes();
    ledger.settle(&late.hold, CallEnd::Answered(reading(100, 99, 2, at(3_598))), at(3_611));
    let now = status(&mut ledger, at(3_611));
    assert_eq!((now.spent, now.reset_at, now.unconfirmed), (Points::whole(5), at(7_200), Points::whole(30)));
    assert_eq!(ledger.take_changes().windows, []);
}

#[test]
fn the_earliest_estimate_of_the_reset_is_the_best() {
    let mut ledger = ledger(100, 0);
    let mut answer = |resets_in, now| {
        let hold = grant(&mut ledger, 1, now).hold;
        ledger.settle(&hold, CallEnd::Answered(reading(100, 1, resets_in, now)), now);
        status(&mut ledger, now).reset_at
    };
    assert_eq!(answer(3_598, at(1)), at(3_599));
    assert_eq!(answer(3_599, at(2)), at(3_599));
    assert_eq!(answer(3_590, at(3)), at(3_593));
}

#[test]
fn a_window_that_outlives_its_estimate_goes_on() {
    let mut ledger = ledger(100, 0);
    read(&mut ledger, reading(100, 60, 5, at(3_601)), at(3_601));
    let now = status(&mut ledger, at(3_601));
    assert_eq!((now.spent, now.reset_at, now.state), (Points::whole(60), at(3_606), KeyState::Open));
    assert_eq!(ledger.take_changes().windows, []);
}

#[test]
fn a_pause_by_hand_outlives_the_window_and_a_refusal_does_not() {
    let mut ledger = ledger(100, 0);
    let calls = [grant(&mut ledger, 1, at(3_590)), grant(&mut ledger, 1, at(3_590))];
    ledger.settle(&calls[0].hold, CallEnd::Refused { until: at(7_000), why: KeyRefusal::Points }, at(3_591));
    ledger.settle(&calls[1].hold, CallEnd::Answered(reading(100, 0, 3_599, at(3_601))), at(3_601));
    assert_eq!(status(&mut ledger, at(3_601)).state, KeyState::Open);
    let call = grant(&mut ledger, 1, at(7_190));
    assert!(ledger.pause(&key("a"), Some(at(10_000))));
    ledger.settle(&call.hold, CallEnd::Answered(reading(100, 0, 3_599, at(7_201))), at(7_201));
    let now = status(&mut ledger, at(7_201));
    assert_eq!((now.state, now.renews_at), (KeyState::Paused, at(10_000)));
    assert!(ledger.pause(&key("a"), None));
    assert_eq!(status(&mut ledger, at(7_201)).state, KeyState::Open);
}

#[test]
fn the_longer_rest_stands_and_says_why() {
    let mut ledger = ledger(100, 0);
    let rests = [(30, KeyRefusal::Points), (50, KeyRefusal::Credentials), (40, KeyRefusal::Points)];
    let calls = rests.map(|_| grant(&mut ledger, 1, START));
    for (call, (until, why)) in calls.iter().zip(rests) {
        ledger.settle(&call.hold, CallEnd::Refused { until: at(until), why }, START);
    }
    let rest = |ledger: &mut Ledger, now| (status(ledger, now).renews_at, status(ledger, now).refusal);
    assert_eq!(rest(&mut ledger, at(49)), (at(50), Some(KeyRefusal::Credentials)));
    assert_eq!(status(&mut ledger, START).refused, 2, "for lack of points");
    assert!(ledger.pause(&key("a"), Some(at(60))));
    assert_eq!(rest(&mut ledger, at(49)), (at(60), None), "by hand, and for longer");
    assert_eq!(status(&mut ledger, at(60)).state, KeyState::Open);
}

#[test]
fn a_record_from_before_refusals_had_reasons_is_read() {
    let record = r#"{"limit":100.0,"spent":7.0,"reset_at":"1970-01-01T01:00:00Z","window":3,"sequence":40,
        "paused_until":null,"refused_until":"1970-01-01T00:01:00Z","retired":false,"reading_until":null,"refused":2}"#;
    let account: Account = serde_json::from_str(record).expect("a record");
    let mut ledger = Ledger::new(settings(0), BTreeMap::from([(key("a"), account)]));
    let status = status(&mut ledger, START);
    assert_eq!((status.state, status.refusal, status.refused), (KeyState::Paused, Some(KeyRefusal::Points), 2));
}

#[test]
fn an_unread_record_grants_nothing_whatever_else_is_in_it() {
    let mut account = Account { sequence: 50, window: 7, ..Account::unread() };
    let hold = Hold { amount: Points::whole(40), expires_at: at(30), state: HoldState::InFlight };
    account.holds.insert(12, hold);
    let mut ledger = Ledger::new(settings(0), BTreeMap::from([(key("a"), account)]));
    assert!(matches!(ledger.reserve(&ask(&[&[1]]), START), Reservation::Refused { .. }));
    read(&mut ledger, reading(100, 10, 3_600, START), START);
    let now = status(&mut ledger, START);
    assert_eq!((now.state, now.free, now.held), (KeyState::Open, Points::whole(50), Points::whole(40)));
    assert!(grant(&mut ledger, 1, START).hold.sequence > 50);
}

#[test]
fn changes_name_what_a_store_must_write() {
    let mut ledger = ledger(100, 0);
    let created = ledger.take_changes();
    assert_eq!((created.accounts.len(), created.holds.len()), (1, 0));
    let hold = grant(&mut ledger, 10, START).hold;
    let granted = ledger.take_changes();
    assert!(granted.accounts.contains(&key("a")) && granted.holds.contains(&hold));
    ledger.settle(&hold, CallEnd::NotBilled, START);
    assert!(ledger.take_changes().holds.contains(&hold));
    assert!(ledger.accounts()[&key("a")].holds.get(hold.sequence).is_none(), "what is not there any more was dropped");
    ledger.reserve(&ask(&[&[1_000]]), START);
    let refused = ledger.take_changes();
    assert!(refused.accounts.is_empty() && refused.holds.is_empty(), "a refusal writes nothing");
}

#[test]
fn a_record_survives_its_store() {
    let mut ledger = ledger(100, 0);
    grant(&mut ledger, 10, START);
    let account = &ledger.accounts()[&key("a")];
    let json = serde_json::to_string(account).expect("a record as text");
    let mut stored: Account = serde_json::from_str(&json).expect("a record");
    for (sequence, hold) in account.holds.iter() {
        stored.holds.insert(sequence, hold.clone());
    }
    assert_eq!(&stored, account);
}
