//! The ledger with arbitrary readings and with clocks that are set: no grant exceeds the points known to be free, and
//! after one window of correct readings a key grants points again.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use jiff::SignedDuration;
use stint_core::clock::{Clock, ManualClock, after};
use stint_core::ledger::{
    Account, Ask, CallEnd, Grant, KeyId, KeyRefusal, Ledger, LedgerSettings, Reading, ReadingClaim, Reservation,
};
use stint_core::points::Points;

use crate::upstream::clock;

const WINDOW: Duration = Duration::from_secs(60);
const LIMIT: u64 = 400;
const CALL: Duration = Duration::from_secs(6);
const LEASE: Duration = Duration::from_secs(6);

#[derive(Arbitrary, Debug)]
enum Step {
    Reserve {
        units: Vec<u16>,
        priority: bool,
    },
    /// A call in flight ends; `which` selects it.
    Settle {
        which: u8,
        end: CallResult,
    },
    Claim {
        needed: u16,
    },
    /// The claimed reading ends.
    Read(CallResult),
    Passes(u8),
    Jumps(i32),
    Paused(Option<u16>),
    Forgotten,
    /// Another process continues with the stored state.
    Stored,
}

#[derive(Arbitrary, Debug)]
enum CallResult {
    /// With a correct reading.
    Correct,
    Answered {
        limit: u32,
        micros: u64,
        resets_in: u32,
    },
    Unpriced,
    Lost,
    NotBilled,
    Refused {
        seconds: u32,
        credentials: bool,
    },
}

pub(crate) fn run(input: &[u8]) {
    let Ok(steps) = Vec::<Step>::arbitrary(&mut Unstructured::new(input)) else { return };
    let mut ledger_run = LedgerRun::new();
    for step in steps.iter().take(60) {
        ledger_run.apply(step);
    }
    ledger_run.assert_recovers();
}

struct LedgerRun {
    clock: ManualClock,
    ledger: Ledger,
    grants: Vec<Grant>,
    claim: Option<ReadingClaim>,
}

fn key() -> KeyId {
    KeyId("shop".into())
}

fn settings() -> LedgerSettings {
    LedgerSettings { grace: Duration::from_secs(15), ..LedgerSettings::without_reserve(WINDOW) }
}

impl LedgerRun {
    fn new() -> LedgerRun {
        let mut ledger = Ledger::new(settings(), BTreeMap::new());
        ledger.configure(&[key()]);
        LedgerRun { clock: clock(), ledger, grants: Vec::new(), claim: None }
    }

    fn apply(&mut self, step: &Step) {
        let now = self.clock.now();
        match step {
            Step::Reserve { units, priority } => {
                let units = units.iter().take(4).map(|points| Points::whole((*points).into())).collect();
                self.reserve(&Ask { messages: vec![units], call_timeout: CALL, priority: *priority });
            }
            Step::Settle { which, end } => {
                if self.grants.is_empty() {
                    return;
                }
                let grant = self.grants.remove(usize::from(*which) % self.grants.len());
                let end = self.end(end);
                self.ledger.settle(&grant.hold, end, now);
                // A reading counts each time.
                if !matches!(end, CallEnd::Answered(_)) {
                    let known = self.ledger.accounts().clone();
                    self.ledger.settle(&grant.hold, end, now);
                    assert_eq!(*self.ledger.accounts(), known, "settling twice changes nothing");
                }
            }
            Step::Claim { needed } => {
                let needed = Points::whole((*needed).into());
                self.claim = self.ledger.claim_reading(needed, LEASE, now).or(self.claim.take());
            }
            Step::Read(end) => {
                if let Some(claim) = self.claim.take() {
                    let end = self.end(end);
                    self.ledger.observe(&claim, end, now);
                }
            }
            Step::Passes(seconds) => self.clock.advance(Duration::from_secs((*seconds).into())),
            Step::Jumps(seconds) => self.clock.jump(SignedDuration::from_secs((*seconds).into())),
            Step::Paused(seconds) => {
                let until = seconds.map(|seconds| after(now, Duration::from_secs(seconds.into())));
                assert!(self.ledger.pause(&key(), until));
            }
            Step::Forgotten => assert!(self.ledger.forget(&key())),
            Step::Stored => self.store(),
        }
        self.ledger.status(self.clock.now());
    }

    /// Reserves points, and checks that granted points were free.
    fn reserve(&mut self, ask: &Ask) -> bool {
        let now = self.clock.now();
        self.ledger.end_expired(now);
        let free = self.account().free(&settings(), ask.priority, now);
        let Reservation::Granted(grant) = self.ledger.reserve(ask, now) else { return false };
        let account = self.account();
        assert!(grant.amount <= free, "{} of {free} that were free", grant.amount);
        let used = account.spent.saturating_add(account.held());
        assert!(used <= account.limit.unwrap_or_default(), "{used} used of {:?}", account.limit);
        self.grants.push(grant);
        true
    }

    fn account(&self) -> &Account {
        &self.ledger.accounts()[&key()]
    }

    /// Returns a correct reading: nothing was billed, in windows that end with the clock's minutes.
    fn correct_reading(&self) -> Reading {
        let now = self.clock.steady().now();
        let passed = now.as_second().rem_euclid(60).unsigned_abs();
        let (limit, received_at) = (Points::whole(LIMIT), self.clock.now());
        Reading { limit, spent: Points::ZERO, resets_in: Duration::from_secs(60 - passed), received_at }
    }

    fn end(&self, end: &CallResult) -> CallEnd {
        match end {
            CallResult::Correct => CallEnd::Answered(self.correct_reading()),
            // The client rejects an amount that a float cannot represent exactly.
            CallResult::Answered { limit, micros, resets_in } => CallEnd::Answered(Reading {
                limit: Points::whole(u64::from(*limit) % 1_125_899_906),
                spent: Points::from_micros(*micros % 1_125_899_906_000_000),
                resets_in: Duration::from_secs((*resets_in).into()),
                received_at: self.clock.now(),
            }),
            CallResult::Unpriced => CallEnd::Unpriced,
            CallResult::Lost => CallEnd::Lost,
            CallResult::NotBilled => CallEnd::NotBilled,
            CallResult::Refused { seconds, credentials } => {
                let why = if *credentials { KeyRefusal::Credentials } else { KeyRefusal::Points };
                CallEnd::Refused { until: after(self.clock.now(), Duration::from_secs((*seconds).into())), why }
            }
        }
    }

    /// Stores and loads the records, and checks that they are unchanged. The holds are stored one by one.
    fn store(&mut self) {
        let accounts: BTreeMap<KeyId, Account> = self.ledger.accounts().clone();
        let read = accounts.into_iter().map(|(key, account)| {
            let record = serde_json::to_string(&account).expect("a record can be serialised");
            let read: Account = serde_json::from_str(&record).expect("a record can be parsed");
            let whole = Account { holds: account.holds.clone(), ..read };
            assert_eq!(whole, account, "stored as {record}");
            (key, whole)
        });
        self.ledger = Ledger::new(settings(), read.collect());
    }

    /// From now on every reading is correct. A rest for refused credentials lasts an hour at most, and a manual pause
    /// is lifted here.
    fn assert_recovers(&mut self) {
        self.ledger.pause(&key(), None);
        self.claim = None;
        let ask = Ask { messages: vec![vec![Points::whole(5)]], call_timeout: CALL, priority: false };
        // The current window, the next one, and the longest claim or lost call.
        for _ in 0..2 * WINDOW.as_secs() + 70 {
            self.clock.advance(Duration::from_secs(1));
            let now = self.clock.now();
            while let Some(claim) = self.ledger.claim_reading(Points::whole(5), LEASE, now) {
                let correct_reading = self.correct_reading();
                self.ledger.observe(&claim, CallEnd::Answered(correct_reading), now);
            }
            if self.reserve(&ask) && self.account().limit == Some(Points::whole(LIMIT)) {
                return;
            }
        }
        panic!("the key grants nothing after two windows of correct readings: {:?}", self.account());
    }
}
