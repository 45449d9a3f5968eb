//! A random world: callers answer, fail, crash and repeat themselves, and the upstream bills at random times. After
//! every event the ledger must agree with the oracle, and the upstream must never have to refuse a call.

use std::time::Duration;

use jiff::Timestamp;

use super::oracle::{NaiveHold, Oracle, Truth};
use super::{Account, BTreeMap, CallEnd, LEASE, Ledger, LedgerSettings, START, key};
use crate::clock::{after, between};
use crate::ledger::{Ask, Grant, HoldId, KeyState, Reading, ReadingClaim, Reservation};
use crate::points::Points;

const WINDOW: Duration = Duration::from_secs(300);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const LIMIT: u64 = 200_000_000;

/// A deterministic pseudo-random sequence: xorshift64*, with the constants that Vigna gives.
pub(super) struct TestRandom(pub(super) u64);

impl TestRandom {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    fn micros(&mut self, most: u64) -> u64 {
        1 + self.below(most)
    }
}

/// The upstream's own counter of one key. Its windows start `phase` after each multiple of their length.
struct Upstream {
    phase: Duration,
    window: i64,
    spent: u64,
}

impl Upstream {
    fn window_at(&self, now: Timestamp) -> (i64, Timestamp) {
        let elapsed = between(START, now) + WINDOW - self.phase;
        let window = elapsed.as_secs() / WINDOW.as_secs();
        (window as i64, after(START, WINDOW * window as u32 + self.phase))
    }

    /// Returns the counter, and the time to the reset in whole seconds, rounded up.
    fn read(&mut self, now: Timestamp) -> (Truth, Duration) {
        let (window, resets_at) = self.window_at(now);
        if window != self.window {
            (self.window, self.spent) = (window, 0);
        }
        let seconds = between(now, resets_at).as_millis().div_ceil(1_000) as u64;
        (Truth { window, limit: LIMIT, spent: self.spent }, Duration::from_secs(seconds))
    }

    fn bill(&mut self, now: Timestamp, cost: u64) {
        self.read(now);
        self.spent += cost;
        assert!(self.spent <= LIMIT, "the upstream had to refuse: {} of {LIMIT}", self.spent);
    }
}

/// A call in flight. Once billed, it carries the counter from just before its own charge.
struct Call {
    grant: Grant,
    started: u64,
    deadline: Timestamp,
    answer: Option<(Truth, Duration)>,
}

struct LedgerWorld {
    dice: TestRandom,
    now: Timestamp,
    event: u64,
    settings: LedgerSettings,
    ledger: Ledger,
    upstream: Upstream,
    oracle: Oracle,
    calls: Vec<Call>,
    settled: Vec<(HoldId, CallEnd)>,
    /// When lost calls will be billed and how much, after their callers have given up.
    late: Vec<(Timestamp, u64)>,
    billed_late: u32,
    claims: Vec<(ReadingClaim, u64)>,
    /// Whether calls run side by side. Only calls that do not can be priced.
    crowded: bool,
    /// The cost per unit of each billed call, rounded up.
    billed: Vec<u64>,
    granted: u32,
    windows: u32,
    priced: u32,
}

impl LedgerWorld {
    fn new(seed: u64) -> LedgerWorld {
        let mut dice = TestRandom(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (guard, reserve) = (Points::whole(dice.below(2) * 10), Points::whole(dice.below(3) * 15));
        let grace = if (seed / 4).is_multiple_of(2) { CALL_TIMEOUT } else { Duration::ZERO };
        let settings = LedgerSettings { guard, reserve, grace, ..LedgerSettings::without_reserve(WINDOW) };
        let mut ledger = Ledger::new(settings, BTreeMap::new());
        ledger.configure(&[key("a")]);
        let phase = Duration::from_secs(dice.below(WINDOW.as_secs()));
        LedgerWorld {
            dice,
            now: START,
            event: 0,
            settings,
            ledger,
            upstream: Upstream { phase, window: 0, spent: 0 },
            oracle: Oracle::default(),
            calls: Vec::new(),
            settled: Vec::new(),
            late: Vec::new(),
            billed_late: 0,
            claims: Vec::new(),
            crowded: !seed.is_multiple_of(4),
            billed: Vec::new(),
            granted: 0,
            windows: 0,
            priced: 0,
        }
    }

    fn step(&mut self) {
        self.event += 1;
        let known = self.priced_so_far();
        match self.dice.below(12) {
            0..=3 if self.crowded || self.calls.is_empty() => self.reserve(),
            0..=3 => self.bill(),
            4 => self.bill(),
            5..=7 => self.settle(),
            8 => self.replay(),
            9 => self.read(),
            10 => self.reload(),
            _ => self.pass_time(),
        }
        let status = self.ledger.status(self.now).remove(0);
        self.oracle.check(&status);
        if status.state == KeyState::Open {
            let free = |priority| self.oracle.free(&self.settings, priority, between(self.now, status.reset_at)).max(0);
            assert_eq!(i128::from(status.free.micros()), free(false), "free");
            assert_eq!(
                i128::from(status.free.saturating_add(status.reserved).micros()),
                free(true),
                "with the reserve"
            );
        }
        self.check_price(known);
        for (_, window) in self.ledger.take_changes().windows {
            assert_eq!(window.overspent, Points::ZERO);
            self.windows += 1;
        }
    }

    /// Returns how many calls were priced, and the sum of their costs per unit.
    fn priced_so_far(&self) -> (u64, u64) {
        let costs = self.ledger.costs();
        costs.classes().fold((0, 0), |(count, total), (_, class)| (count + class.count, total + class.total.micros()))
    }

    /// A cost that was learned in this step must equal, to the micro-point, what the upstream has billed for a call.
    fn check_price(&mut self, (count, total): (u64, u64)) {
        let now = self.priced_so_far();
        if now.0 > count {
            let price = now.1 - total;
            assert!(now.0 == count + 1 && self.billed.contains(&price), "{price} was billed for no call");
            self.priced += 1;
        }
    }

    fn reserve(&mut self) {
        let units =
            |dice: &mut TestRandom| (0..=dice.below(3)).map(|_| Points::from_micros(dice.micros(40_000_000))).collect();
        let messages = (0..=self.dice.below(2)).map(|_| units(&mut self.dice)).collect();
        let ask = Ask { messages, call_timeout: CALL_TIMEOUT, priority: self.dice.below(4) == 0 };
        let resets_in = between(self.now, self.ledger.status(self.now)[0].reset_at);
        let free = self.oracle.free(&self.settings, ask.priority, resets_in);
        match self.ledger.reserve(&ask, self.now) {
            Reservation::Granted(grant) => {
                let amount = grant.amount.micros();
                assert!(i128::from(amount) <= free, "{amount} were granted of {free}");
                let deadline = after(self.now, CALL_TIMEOUT);
                let expires_at = after(deadline, Duration::from_secs(5));
                self.oracle.holds.push(NaiveHold {
                    sequence: grant.hold.sequence,
                    amount,
                    expires_at,
                    lost_until: None,
                    ended: None,
                });
                self.calls.push(Call { grant, started: self.event, deadline, answer: None });
                self.granted += 1;
            }
            Reservation::Refused { .. } => {
                let open = self.ledger.status(self.now)[0].state == KeyState::Open;
                let smallest = ask.smallest_start().unwrap_or_default().micros();
                assert!(!open || i128::from(smallest) > free, "{smallest} were refused of {free}");
            }
            unpriceable @ Reservation::Unpriceable { .. } => panic!("{unpriceable:?}"),
        }
    }

    fn bill(&mut self) {
        let Some(index) = self.pick_call() else { return };
        let call = &mut self.calls[index];
        if call.answer.is_none() {
            call.answer = Some(self.upstream.read(self.now));
            let cost = self.dice.micros(call.grant.amount.micros());
            self.billed.push(cost.div_ceil(call.grant.taken.iter().sum::<usize>() as u64));
            self.upstream.bill(self.now, cost);
        }
    }

    fn settle(&mut self) {
        let Some(index) = self.pick_call() else { return };
        let call = self.calls.swap_remove(index);
        let sequence = call.grant.hold.sequence;
        let end = match call.answer {
            Some((truth, resets_in)) if self.dice.below(4) > 0 => {
                let end = CallEnd::Answered(self.reading(truth, resets_in));
                self.oracle.end(sequence, self.event);
                self.oracle.read(truth, call.started);
                end
            }
            None if self.dice.below(2) == 0 => {
                self.oracle.drop_hold(sequence);
                CallEnd::NotBilled
            }
            _ => {
                self.oracle.lose(sequence, self.event, self.now, self.settings.grace);
                self.bill_later(&call, self.now);
                CallEnd::Lost
            }
        };
        self.ledger.settle(&call.grant.hold, end, self.now);
        self.settled.push((call.grant.hold, end));
    }

    /// Repeats an earlier settlement, which must change nothing. Only the estimate of the reset may return to what that
    /// reading says, if later answers have moved it.
    fn replay(&mut self) {
        if self.settled.is_empty() {
            return;
        }
        let index = self.dice.below(self.settled.len() as u64) as usize;
        let (hold, end) = self.settled[index].clone();
        self.ledger.status(self.now);
        let mut before = self.ledger.accounts()[&hold.key].clone();
        self.ledger.settle(&hold, end, self.now);
        let account = &self.ledger.accounts()[&hold.key];
        before.reset_at = before.reset_at.min(account.reset_at);
        assert_eq!(account, &before, "a replay of {end:?} changed something");
    }

    /// Starts a reading, or completes one: most bring a counter, some fail.
    fn read(&mut self) {
        if self.claims.is_empty() || self.dice.below(2) == 0 {
            let needed = Points::from_micros(self.dice.micros(LIMIT));
            self.claims.extend(self.ledger.claim_reading(needed, LEASE, self.now).map(|claim| (claim, self.event)));
            return;
        }
        let (claim, started) = self.claims.remove(0);
        if self.dice.below(5) == 0 {
            self.ledger.observe(&claim, CallEnd::Lost, self.now);
            return;
        }
        let (truth, resets_in) = self.upstream.read(self.now);
        let reading = self.reading(truth, resets_in);
        self.oracle.read(truth, started);
        self.ledger.observe(&claim, CallEnd::Answered(reading), self.now);
    }

    /// Replaces the ledger by one that is restored from its records alone, as in another process.
    fn reload(&mut self) {
        let stored = |account: &Account| {
            let json = serde_json::to_string(account).expect("a record as text");
            let mut stored: Account = serde_json::from_str(&json).expect("a record");
            account.holds.iter().for_each(|(sequence, hold)| stored.holds.insert(sequence, hold.clone()));
            stored
        };
        let accounts = self.ledger.accounts().iter().map(|(key, account)| (key.clone(), stored(account))).collect();
        self.ledger = Ledger::new(self.settings, accounts);
    }

    /// Drops callers whose time-out has passed: some of them were billed, and none of them settles.
    fn pass_time(&mut self) {
        let most = if self.dice.below(10) == 0 { 200_000 } else { 8_000 };
        self.now = after(self.now, Duration::from_millis(self.dice.below(most)));
        let now = self.now;
        let (running, gone) = std::mem::take(&mut self.calls).into_iter().partition(|call: &Call| call.deadline > now);
        self.calls = running;
        gone.iter().for_each(|call: &Call| self.bill_later(call, call.deadline));
        self.late.sort_unstable();
        while let Some((due, cost)) = self.late.first().copied().filter(|(due, _)| *due <= now) {
            self.late.remove(0);
            self.upstream.bill(due, cost);
            self.billed_late += 1;
        }
        self.oracle.end_expired(self.now, self.event, self.settings.grace);
    }

    /// Half of the unanswered calls that were not billed yet are billed within another time-out.
    fn bill_later(&mut self, call: &Call, given_up: Timestamp) {
        if call.answer.is_none() && !self.settings.grace.is_zero() && self.dice.below(2) == 0 {
            let due = after(given_up, Duration::from_millis(self.dice.below(CALL_TIMEOUT.as_millis() as u64)));
            self.late.push((due, self.dice.micros(call.grant.amount.micros())));
        }
    }

    fn pick_call(&mut self) -> Option<usize> {
        let count = self.calls.len() as u64;
        (count > 0).then(|| self.dice.below(count) as usize)
    }

    /// Returns the upstream's answer as it arrives now, late by the way back.
    fn reading(&self, truth: Truth, resets_in: Duration) -> Reading {
        Reading {
            limit: Points::from_micros(truth.limit),
            spent: Points::from_micros(truth.spent),
            resets_in,
            received_at: self.now,
        }
    }
}

#[test]
fn the_ledger_says_what_the_oracle_says_and_never_overspends() {
    let (mut granted, mut windows, mut priced, mut late) = (0, 0, 0, 0);
    for seed in 1..=200 {
        let mut world = LedgerWorld::new(seed);
        for _ in 0..1_000 {
            world.step();
        }
        granted += world.granted;
        windows += world.windows;
        priced += world.priced;
        late += world.billed_late;
    }
    let lively = granted > 10_000 && windows > 500 && priced > 300 && late > 500;
    assert!(lively, "the world was idle: {granted} grants, {windows} windows, {priced} prices, {late} late charges");
}
