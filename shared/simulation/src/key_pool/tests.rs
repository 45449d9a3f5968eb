//! The pool in memory against the contract of the ledger.

mod conformance;

use futures::executor::block_on;
use stint_core::clock::ManualClock;
use stint_core::ledger::{Account, Changes, Hold, HoldState, LedgerSettings, Reading};

use super::*;

fn pool() -> (ManualClock, MemoryKeyPool) {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let settings = LedgerSettings::without_reserve(Duration::from_secs(3_600));
    let pool = MemoryKeyPool::new(settings, Arc::new(clock.clone()), 1, &Faults::none());
    (clock, pool)
}

fn parked(id: &str, body: &str) -> Parked {
    Parked { id: id.into(), queue: "q".into(), body: body.into(), parked_at: Timestamp::UNIX_EPOCH }
}

#[test]
fn the_pool_grants_what_the_ledger_grants_and_keeps_its_windows() {
    let (clock, pool) = pool();
    let key = KeyId("a".into());
    block_on(pool.configure(std::slice::from_ref(&key))).unwrap();
    let read = |spent| {
        let claim = block_on(pool.claim_reading(Points::MAX, Duration::from_secs(30))).unwrap().unwrap();
        let resets_in = Duration::from_secs(3_600);
        let reading = Reading { limit: Points::whole(100), spent, resets_in, received_at: clock.now() };
        block_on(pool.observe(&claim, CallEnd::Answered(reading))).unwrap();
    };
    read(Points::whole(20));
    let ask = |points| Ask {
        messages: vec![vec![Points::whole(points)]],
        call_timeout: Duration::from_secs(30),
        priority: false,
    };
    let Reservation::Granted(grant) = block_on(pool.reserve(&ask(80))).unwrap() else { panic!("refused") };
    assert!(matches!(block_on(pool.reserve(&ask(1))).unwrap(), Reservation::Refused { .. }));
    block_on(pool.settle(&grant.hold, CallEnd::NotBilled)).unwrap();
    assert_eq!(pool.statuses()[0].free, Points::whole(80));
    clock.advance(Duration::from_secs(3_602));
    read(Points::ZERO);
    let windows = pool.history(&key);
    assert_eq!((windows.len(), windows[0].spent, windows[0].expired), (1, Points::whole(20), Points::whole(80)));
}

#[test]
fn parked_messages_are_claimed_oldest_first_and_come_back_after_the_lease() {
    let (clock, pool) = pool();
    block_on(pool.park(&[parked("1", "a"), parked("2", "b"), parked("3", "c")])).unwrap();
    let claim = || block_on(pool.claim_parked("q", 2, Duration::from_secs(60))).unwrap();
    let claimed = claim();
    assert_eq!(claimed.iter().map(|parked| parked.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(claim().len(), 1, "a claimed message is not claimed again");
    block_on(pool.forget_parked(&claimed[..1])).unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(claim().len(), 2);
    assert_eq!(pool.parked(), 2);
    assert!(block_on(pool.claim_parked("other", 9, Duration::from_secs(60))).unwrap().is_empty());
}

#[test]
fn a_message_parked_again_is_not_forgotten() {
    let (_, pool) = pool();
    block_on(pool.park(&[parked("1", "all of it")])).unwrap();
    let claimed = block_on(pool.claim_parked("q", 1, Duration::from_secs(60))).unwrap();
    block_on(pool.park(&[parked("1", "the rest")])).unwrap();
    block_on(pool.forget_parked(&claimed)).unwrap();
    let mut bodies = Vec::new();
    pool.each_parked(|body| bodies.push(body.to_owned()));
    assert_eq!(bodies, ["the rest"]);
    assert_eq!(block_on(pool.claim_parked("q", 1, Duration::from_secs(60))).unwrap().len(), 1, "it is free at once");
}

/// Returns a key whose window has `limit` points, of which `spent` are spent and `held` are held by a call in flight.
fn account(limit: u64, spent: u64, held: u64) -> Account {
    let mut account = Account { limit: Some(Points::whole(limit)), window: 1, ..Account::unread() };
    account.spent = Points::whole(spent);
    let hold = Hold { amount: Points::whole(held), expires_at: Timestamp::UNIX_EPOCH, state: HoldState::InFlight };
    account.holds.insert(1, hold);
    account
}

fn closed(limit: u64, spent: u64, unconfirmed: u64, expired: u64) -> WindowRecord {
    WindowRecord {
        window: 1,
        reset_at: Timestamp::UNIX_EPOCH,
        limit: Points::whole(limit),
        spent: Points::whole(spent),
        unconfirmed: Points::whole(unconfirmed),
        expired: Points::whole(expired),
        overspent: Points::ZERO,
    }
}

/// Checks the ledger with `account` after a step that closed `windows`.
fn check(invariants: &mut Invariants, account: Account, windows: Vec<WindowRecord>) -> Result<(), String> {
    let (key, settings) = (KeyId("a".into()), LedgerSettings::without_reserve(Duration::from_secs(3_600)));
    let windows = windows.into_iter().map(|window| (key.clone(), window)).collect();
    let changes = Changes { accounts: [key.clone()].into(), windows, ..Changes::default() };
    let ledger = Ledger::new(settings, BTreeMap::from([(key, account)]));
    invariants.check(&ledger, &changes, &settings, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_key_whose_holds_exceed_the_reading_adds_up_but_grants_nothing() {
    let mut invariants = Invariants::default();
    check(&mut invariants, account(100, 60, 30), vec![]).unwrap();
    check(&mut invariants, account(100, 80, 30), vec![]).unwrap();
    let violation = invariants.check_grant(&KeyId("a".into()), &account(100, 80, 30), Points::ZERO).unwrap_err();
    assert_eq!(violation, "a has 110 points held or spent, of 100 that may be granted");
    assert_eq!(invariants.violation(), Some(violation.as_str()));
    assert_eq!(check(&mut invariants, account(100, 90, 1), vec![]), Err(violation), "a violation stays");
}

#[test]
fn a_counter_that_falls_within_a_window_is_noticed() {
    let mut invariants = Invariants::default();
    check(&mut invariants, account(100, 60, 30), vec![]).unwrap();
    assert!(check(&mut invariants, account(100, 59, 30), vec![]).unwrap_err().starts_with("a went back from"));
}

#[test]
fn a_window_closes_as_it_was_seen_last_and_adds_up() {
    let next = || Account { window: 2, ..account(100, 0, 30) };
    for (window, fault) in [
        (closed(100, 60, 30, 40), None),
        (closed(100, 60, 30, 39), Some("does not add up")),
        (closed(100, 50, 30, 50), Some("but closed as")),
        (closed(100, 60, 20, 40), Some("but closed as")),
    ] {
        let mut invariants = Invariants::default();
        check(&mut invariants, account(100, 60, 30), vec![]).unwrap();
        let closed = check(&mut invariants, next(), vec![window]);
        match fault {
            None => closed.unwrap(),
            Some(fault) => assert!(closed.unwrap_err().contains(fault), "{fault}"),
        }
    }
}
