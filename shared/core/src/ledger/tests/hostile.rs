//! Clocks that jump and answers that make no sense. Each costs readings, and has no effect beyond its window.

use super::world::TestRandom;
use super::*;
use crate::clock::between;
use crate::ledger::{Doubt, ReadingClaim};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const LIMIT: u64 = 400;

fn settings_of_a_minute() -> LedgerSettings {
    LedgerSettings { grace: Duration::from_secs(15), ..LedgerSettings::without_reserve(MINUTE) }
}

/// A fleet whose clock jumps, and an upstream whose clock does not.
struct JumpingClockFixture {
    ledger: Ledger,
    /// Seconds that have passed since the start.
    passed: f64,
    /// By how many seconds the fleet's clock is ahead.
    ahead: i64,
    /// The points that the upstream has counted in its current window.
    spent: u64,
    window: u64,
    claims: Vec<f64>,
}

impl JumpingClockFixture {
    fn new() -> JumpingClockFixture {
        let mut ledger = Ledger::new(settings_of_a_minute(), BTreeMap::new());
        ledger.configure(&[key("a")]);
        JumpingClockFixture { ledger, passed: 10.0 * DAY as f64, ahead: 0, spent: 0, window: 0, claims: Vec::new() }
    }

    fn now(&self) -> Timestamp {
        let seconds = self.passed + self.ahead as f64;
        after(START, Duration::from_secs_f64(seconds.max(0.0)))
    }

    fn pass(&mut self, seconds: f64) {
        self.passed += seconds;
        let window = (self.passed / MINUTE.as_secs_f64()) as u64;
        if window != self.window {
            (self.window, self.spent) = (window, 0);
        }
    }

    fn truth(&self) -> Reading {
        let resets_in = MINUTE.as_secs_f64() - self.passed % MINUTE.as_secs_f64();
        reading(LIMIT, self.spent, resets_in.ceil() as u64, self.now())
    }

    fn status(&mut self) -> KeyStatus {
        let now = self.now();
        status(&mut self.ledger, now)
    }

    fn claim(&mut self) -> Option<ReadingClaim> {
        let claim = self.ledger.claim_reading(Points::whole(5), Duration::from_secs(6), self.now());
        self.claims.extend(claim.iter().map(|_| self.passed));
        claim
    }

    fn observe(&mut self, claim: &ReadingClaim, reading: Reading) {
        self.ledger.observe(claim, CallEnd::Answered(reading), self.now());
    }

    fn reserve(&mut self) -> Option<Grant> {
        let now = self.now();
        let five = Ask { call_timeout: Duration::from_secs(6), ..ask(&[&[5]]) };
        match self.ledger.reserve(&five, now) {
            Reservation::Granted(grant) => Some(grant),
            // Two answers in a row have given such a small limit.
            Reservation::Refused { .. } | Reservation::Unpriceable { .. } => None,
        }
    }

    /// Makes one call that costs three of the five points held for it.
    fn call(&mut self) -> bool {
        let Some(grant) = self.reserve() else { return false };
        let answer = self.truth();
        self.spent += 3;
        assert!(self.spent <= LIMIT, "overspent: {} of {LIMIT}", self.spent);
        self.ledger.settle(&grant.hold, CallEnd::Answered(answer), self.now());
        true
    }

    /// Passes one second in which the fleet calls and reads as the ledger allows. Returns whether a call was made.
    fn second(&mut self, calls: usize) -> bool {
        self.pass(1.0);
        while let Some(claim) = self.claim() {
            self.observe(&claim, self.truth());
        }
        (0..calls).filter(|_| self.call()).count() > 0
    }
}

const JUMPS: [i64; 8] = [30, -30, 90, -90, 7_200, -7_200, 259_200, -259_200];

#[test]
fn a_fleet_whose_clock_jumps_works_on_within_a_window_and_overspends_nothing() {
    for jump in JUMPS {
        for (back, calls) in [(None, 1), (None, 40), (Some(10), 1), (Some(10), 40), (Some(100), 40)] {
            for at in (0..60).step_by(4) {
                let mut story = JumpingClockFixture::new();
                (0..120 + at).for_each(|_| _ = story.second(calls));
                story.ahead += jump;
                let works_on = |story: &mut JumpingClockFixture| {
                    let called = (0..65).filter(|_| story.second(calls)).count();
                    assert!(called > 0, "no call for a window after {jump} s at {at}, back after {back:?}");
                };
                if let Some(seconds) = back {
                    (0..seconds).for_each(|_| _ = story.second(calls));
                    story.ahead -= jump;
                }
                works_on(&mut story);
                works_on(&mut story);
                let status = story.status();
                assert!(status.doubt.is_none() && between(story.now(), status.reset_at) <= MINUTE, "{status:?}");
            }
        }
    }
}

#[test]
fn a_reset_further_away_than_a_window_is_read_anew() {
    let mut ledger = ledger(100, 0);
    let back = before(START, Duration::from_secs(2 * HOUR));
    let now = status(&mut ledger, back);
    assert_eq!((now.state, now.doubt, now.renews_at), (KeyState::Stale, Some(Doubt::Reset), back));
    assert!(matches!(ledger.reserve(&ask(&[&[1]]), back), Reservation::Refused { .. }));
    read(&mut ledger, reading(100, 7, 3_000, back), back);
    let now = status(&mut ledger, back);
    assert_eq!((now.state, now.spent, now.doubt), (KeyState::Open, Points::whole(7), None));
    assert_eq!(now.reset_at, after(back, Duration::from_secs(3_000)));
    assert_eq!(ledger.take_changes().windows, [], "it is the same window");
}

#[test]
fn an_absurd_reset_is_no_further_away_than_a_window() {
    let mut ledger = ledger(100, 0);
    let answer = |ledger: &mut Ledger, spent, resets_in, now| {
        let call = grant(ledger, 10, now);
        ledger.settle(&call.hold, CallEnd::Answered(reading(100, spent, resets_in, now)), now);
        status(ledger, now)
    };
    let early = answer(&mut ledger, 0, 999_999_999, at(60));
    assert_eq!((early.state, early.reset_at), (KeyState::Open, at(3_600)), "the earliest estimate is the best");
    answer(&mut ledger, 3, 1_600, at(2_000));
    let now = answer(&mut ledger, 6, 999_999_999, at(2_000));
    assert_eq!((now.state, now.doubt), (KeyState::Stale, Some(Doubt::Window)), "it would end later than was known");
    assert_eq!(now.reset_at, at(5_600));
    let agree = |ledger: &mut Ledger| {
        read(ledger, reading(100, 9, 1_600, at(2_000)), at(2_000));
        status(ledger, at(2_000))
    };
    let now = agree(&mut ledger);
    assert_eq!((now.state, now.reset_at, now.spent), (KeyState::Open, at(3_600), Points::whole(9)));
}

#[test]
fn a_counter_that_fell_is_believed_when_another_reading_agrees() {
    let mut ledger = ledger(100, 0);
    let spend = |ledger: &mut Ledger, spent| {
        let call = grant(ledger, 1, at(10));
        ledger.settle(&call.hold, CallEnd::Answered(reading(100, spent, 3_590, at(10))), at(10));
    };
    spend(&mut ledger, 60);
    spend(&mut ledger, 20);
    assert_eq!(status(&mut ledger, at(10)).doubt, Some(Doubt::Window));
    read(&mut ledger, reading(100, 60, 3_590, at(10)), at(10));
    let now = status(&mut ledger, at(10));
    assert_eq!((now.state, now.spent), (KeyState::Open, Points::whole(60)), "one answer was wrong");
    spend(&mut ledger, 20);
    read(&mut ledger, reading(100, 21, 3_590, at(10)), at(10));
    let now = status(&mut ledger, at(10));
    assert_eq!((now.state, now.spent), (KeyState::Open, Points::whole(21)));
}

#[test]
fn a_single_answer_makes_no_ask_unpriceable() {
    let mut ledger = ledger(3_600, 0);
    let call = grant(&mut ledger, 10, START);
    ledger.settle(&call.hold, CallEnd::Answered(reading(3, 0, 3_600, START)), START);
    assert!(matches!(ledger.reserve(&ask(&[&[5]]), START), Reservation::Refused { .. }));
    assert_eq!(status(&mut ledger, START).doubt, Some(Doubt::Limit));
    let read_again = |ledger: &mut Ledger, limit| {
        let claim = ledger.claim_reading(Points::whole(5), LEASE, START).expect("a limit in doubt is read");
        ledger.observe(&claim, CallEnd::Answered(reading(limit, 10, 3_600, START)), START);
    };
    read_again(&mut ledger, 3_600);
    read_again(&mut ledger, 3_600);
    assert_eq!(status(&mut ledger, START).limit, Points::whole(3_600));
    grant(&mut ledger, 5, START);
    // The second reading confirms it.
    let call = grant(&mut ledger, 10, START);
    ledger.settle(&call.hold, CallEnd::Answered(reading(3, 10, 3_600, START)), START);
    read_again(&mut ledger, 3);
    assert!(matches!(ledger.reserve(&ask(&[&[5]]), START), Reservation::Unpriceable { .. }));
}

#[test]
fn an_unread_key_that_is_too_small_is_reported_after_a_second_reading() {
    let mut ledger = Ledger::new(settings(0), BTreeMap::new());
    ledger.configure(&[key("a")]);
    for _ in 0..2 {
        assert!(matches!(ledger.reserve(&ask(&[&[5]]), START), Reservation::Refused { .. }));
        let claim = ledger.claim_reading(Points::whole(5), LEASE, START).expect("a key to read");
        ledger.observe(&claim, CallEnd::Answered(reading(3, 0, 3_600, START)), START);
    }
    assert!(matches!(ledger.reserve(&ask(&[&[5]]), START), Reservation::Unpriceable { .. }));
}

#[test]
fn an_unclaimed_reading_is_new_and_confirms_nothing() {
    let mut ledger = ledger(100, 0);
    let call = grant(&mut ledger, 10, at(3_500));
    ledger.settle(&call.hold, CallEnd::Unpriced, at(3_501));
    let probe = ReadingClaim { key: key("a"), started: 0 };
    ledger.observe(&probe, CallEnd::Answered(reading(100, 2, 3_590, at(3_610))), at(3_610));
    let now = status(&mut ledger, at(3_610));
    assert_eq!((now.state, now.spent, now.held), (KeyState::Open, Points::whole(2), Points::whole(10)));
}

#[test]
fn a_rest_that_was_begun_by_a_clock_that_was_ahead_does_not_come_back() {
    let mut ledger = ledger(100, 0);
    let call = grant(&mut ledger, 1, START);
    ledger.settle(&call.hold, CallEnd::Refused { until: at(3_600), why: KeyRefusal::Points }, START);
    let back = before(START, Duration::from_secs(30));
    assert_ne!(status(&mut ledger, back).state, KeyState::Paused);
    assert_ne!(status(&mut ledger, START).state, KeyState::Paused);
}

#[test]
fn a_refusal_rests_a_key_for_no_longer_than_a_window() {
    let mut ledger = ledger(100, 0);
    let call = grant(&mut ledger, 1, START);
    ledger.settle(&call.hold, CallEnd::Refused { until: at(400 * DAY), why: KeyRefusal::Points }, START);
    assert_eq!(status(&mut ledger, START).renews_at, at(3_600));
    // A clock that was ahead does not lengthen it either.
    let back = before(START, Duration::from_secs(3 * DAY));
    assert_eq!(status(&mut ledger, back).state, KeyState::Stale);
}

/// Returns an answer that makes no sense, or now and then a correct one.
fn nonsense(story: &JumpingClockFixture, dice: &mut TestRandom) -> Reading {
    let any = |dice: &mut TestRandom, values: &[u64]| values[dice.below(values.len() as u64) as usize];
    let truth = story.truth();
    Reading {
        limit: Points::whole(any(dice, &[0, 3, LIMIT, 1_000_000_000])),
        spent: Points::whole(any(dice, &[0, story.spent, LIMIT, 1_000_000_000_000])),
        resets_in: Duration::from_secs(any(dice, &[0, 1, 3, 59, truth.resets_in.as_secs(), 60, 999_999_999])),
        received_at: story.now(),
    }
}

/// Passes `seconds` with nonsense answers, calls and clock jumps.
fn nonsense_for(story: &mut JumpingClockFixture, dice: &mut TestRandom, seconds: u64) {
    for _ in 0..seconds * 10 {
        story.pass(0.1);
        if dice.below(200) == 0 {
            story.ahead += JUMPS[dice.below(JUMPS.len() as u64) as usize];
        }
        while let Some(claim) = story.claim() {
            let end = match dice.below(8) {
                0 => CallEnd::Lost,
                1 => CallEnd::Refused { until: at(4_000 * DAY), why: KeyRefusal::Points },
                _ => CallEnd::Answered(nonsense(story, dice)),
            };
            story.ledger.observe(&claim, end, story.now());
        }
        let now = story.now();
        let five = Ask { call_timeout: Duration::from_secs(6), ..ask(&[&[5]]) };
        if let Reservation::Granted(grant) = story.ledger.reserve(&five, now)
            && dice.below(4) > 0
        {
            let end = if dice.below(4) > 0 { CallEnd::Answered(nonsense(story, dice)) } else { CallEnd::Lost };
            story.ledger.settle(&grant.hold, end, now);
        }
    }
}

#[test]
fn one_window_of_right_readings_always_restores_a_key() {
    for seed in 1..=200 {
        let (mut story, mut dice) = (JumpingClockFixture::new(), TestRandom(seed * 0x9E37_79B9));
        nonsense_for(&mut story, &mut dice, 90);
        story.spent = dice.below(LIMIT);
        // A refusal ends after a window at the latest, and whatever is then in doubt is settled by a few readings.
        let called = (0..70).find(|_| story.second(1));
        assert!(called.is_some(), "seed {seed}: {:?}", story.status());
        (0..64).for_each(|_| _ = story.second(1));
        let status = story.status();
        assert_eq!((status.limit, status.doubt), (Points::whole(LIMIT), None), "seed {seed}");
        // Exactly at the reset the last window is known, and the new one has not been read yet.
        let right = status.state != KeyState::Open || status.spent <= Points::whole(story.spent);
        assert!(right && status.held <= Points::whole(5), "seed {seed}: {status:?}");
    }
}

#[test]
fn no_sequence_of_answers_causes_endless_readings() {
    for seed in 1..=100 {
        let (mut story, mut dice) = (JumpingClockFixture::new(), TestRandom(seed * 0x9E37_79B9));
        // There are no calls: every request is a reading.
        let mut answer: Option<Reading> = None;
        for tenth in 0..6_000 {
            story.pass(0.1);
            if tenth % 600 == 0 {
                answer = (dice.below(2) == 0).then(|| nonsense(&story, &mut dice));
            }
            while let Some(claim) = story.claim() {
                let reading = answer.unwrap_or_else(|| nonsense(&story, &mut dice));
                story.observe(&claim, Reading { received_at: story.now(), ..reading });
            }
        }
        let busiest = story.claims.iter().map(|from| {
            let within = |claim: &&f64| **claim >= *from && **claim < from + 60.0;
            story.claims.iter().filter(within).count()
        });
        let busiest = busiest.max().unwrap_or_default();
        assert!(busiest <= 60, "seed {seed}: {busiest} readings within a minute");
    }
}
