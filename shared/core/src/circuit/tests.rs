//! Tests of the breaker's rules, one by one, and over random histories.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Circuit, CircuitSettings, CircuitState, CircuitWait, Health, Intent, Pass, Transition};
use crate::clock::{after, between};

const SETTINGS: CircuitSettings = CircuitSettings::for_calls_of(Duration::from_secs(90));
const DAY: u64 = 24 * 60 * 60;

fn at(seconds: u64) -> Timestamp {
    after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
}

fn failed() -> Health {
    Health::Failed("status 502".into())
}

fn banned() -> Health {
    Health::Banned("a challenge".into())
}

fn enter(circuit: &mut Circuit, intent: Intent, now: Timestamp) -> Result<Pass, CircuitWait> {
    circuit.enter(intent, &SETTINGS, now, 7)
}

/// Makes one call that ends at once.
fn call(circuit: &mut Circuit, intent: Intent, health: &Health, now: Timestamp) -> Option<Transition> {
    let pass = enter(circuit, intent, now).ok()?;
    circuit.report(pass, health, &SETTINGS, now, 7)
}

/// Returns a breaker that a challenge has opened at `now`, and when it may be probed.
fn opened(now: Timestamp) -> (Circuit, Timestamp) {
    let mut circuit = Circuit::default();
    let Some(Transition::Opened(wait)) = call(&mut circuit, Intent::Work, &banned(), now) else { panic!("closed") };
    (circuit, wait.until)
}

#[test]
fn it_opens_after_some_failures_in_a_row_and_not_before() {
    let mut circuit = Circuit::default();
    for second in 0..4 {
        assert_eq!(call(&mut circuit, Intent::Work, &failed(), at(second)), None);
    }
    assert_eq!(call(&mut circuit, Intent::Work, &Health::Served, at(4)), None);
    for second in 5..9 {
        assert_eq!(call(&mut circuit, Intent::Work, &failed(), at(second)), None);
    }
    let Some(Transition::Opened(wait)) = call(&mut circuit, Intent::Work, &failed(), at(9)) else { panic!("closed") };
    assert_eq!((wait.outage.since, wait.outage.reason.as_str(), wait.outage.banned), (at(9), "status 502", false));
    let delay = between(at(9), wait.until);
    assert!(delay >= SETTINGS.first_delay / 4 * 3 && delay <= SETTINGS.first_delay, "{delay:?}");
}

#[test]
fn unknown_outcomes_neither_open_nor_reset_the_breaker() {
    let mut circuit = Circuit::default();
    for second in 0..4 {
        call(&mut circuit, Intent::Work, &failed(), at(second));
        assert_eq!(call(&mut circuit, Intent::Work, &Health::Unknown, at(second)), None);
        assert_eq!(call(&mut circuit, Intent::Work, &Health::Answered, at(second)), None);
    }
    assert!(matches!(call(&mut circuit, Intent::Work, &failed(), at(4)), Some(Transition::Opened(_))));
}

#[test]
fn failures_that_are_long_ago_are_not_in_a_row() {
    let mut circuit = Circuit::default();
    for number in 0..50 {
        assert_eq!(call(&mut circuit, Intent::Work, &failed(), at(number * SETTINGS.memory.as_secs())), None);
    }
}

#[test]
fn one_challenge_opens_it_for_minutes() {
    let (_, probe_at) = opened(at(0));
    let delay = between(at(0), probe_at);
    assert!(delay >= SETTINGS.ban_delay / 4 * 3 && delay <= SETTINGS.ban_delay, "{delay:?}");
}

#[test]
fn work_waits_until_a_probe_was_answered_and_then_goes_one_call_at_a_time() {
    let (mut circuit, probe_at) = opened(at(0));
    let early = after(at(0), Duration::from_secs(1));
    assert!(enter(&mut circuit, Intent::Probe, early).is_err());
    assert!(enter(&mut circuit, Intent::Work, probe_at).is_err());
    let probe = enter(&mut circuit, Intent::Probe, probe_at).unwrap();
    assert!(enter(&mut circuit, Intent::Probe, probe_at).is_err(), "one at a time");
    let answered = circuit.report(probe, &Health::Answered, &SETTINGS, probe_at, 7);
    assert_eq!(answered, Some(Transition::HalfOpened));
    let trial = enter(&mut circuit, Intent::Work, probe_at).unwrap();
    assert!(enter(&mut circuit, Intent::Work, probe_at).is_err(), "one at a time");
    let served = circuit.report(trial, &Health::Served, &SETTINGS, probe_at, 7);
    assert!(matches!(served, Some(Transition::Closed(outage)) if outage.since == at(0)));
    assert!(circuit.is_closed());
}

#[test]
fn a_trial_that_fails_waits_for_longer() {
    let (mut circuit, probe_at) = opened(at(0));
    call(&mut circuit, Intent::Probe, &Health::Answered, probe_at);
    assert!(circuit.is_half_open());
    let Some(Transition::StillOpen(wait)) = call(&mut circuit, Intent::Work, &failed(), probe_at) else {
        panic!("closed")
    };
    assert_eq!((wait.outage.failed_probes, wait.outage.since, wait.outage.has_answered), (1, at(0), true));
}

#[test]
fn a_probe_that_is_not_reported_counts_as_failed_and_its_late_report_is_ignored() {
    let (mut circuit, probe_at) = opened(at(0));
    let lost = enter(&mut circuit, Intent::Probe, probe_at).unwrap();
    let lapsed = after(probe_at, SETTINGS.lease);
    let wait = enter(&mut circuit, Intent::Probe, lapsed).unwrap_err();
    assert!(wait.outage.failed_probes == 1 && wait.until > lapsed, "{wait:?}");
    let next = enter(&mut circuit, Intent::Probe, wait.until).unwrap();
    assert_eq!(circuit.report(lost, &Health::Served, &SETTINGS, wait.until, 7), None);
    assert!(!circuit.is_closed());
    circuit.report(next, &Health::Served, &SETTINGS, wait.until, 7);
    assert!(circuit.is_closed());
}

#[test]
fn calls_from_before_it_opened_change_nothing() {
    let (mut circuit, _) = opened(at(0));
    let before = circuit.clone();
    for health in [Health::Served, failed(), banned()] {
        assert_eq!(circuit.report(Pass::Free, &health, &SETTINGS, at(1), 7), None);
    }
    assert_eq!(circuit, before);
}

#[test]
fn a_flapping_upstream_is_not_asked_more_often_each_time_that_it_is_back() {
    let mut circuit = Circuit::default();
    let (mut now, mut calls) = (at(0), 0);
    while now < at(DAY) {
        // Up for as long as a probe and a call take, then down again.
        calls += 1;
        if let Some(Transition::Opened(wait)) = call(&mut circuit, Intent::Work, &failed(), now) {
            now = wait.until;
            calls += 2;
            call(&mut circuit, Intent::Probe, &Health::Answered, now);
            call(&mut circuit, Intent::Work, &Health::Served, now);
            assert!(circuit.is_closed());
        }
    }
    assert!(calls < 500, "{calls} calls in a day");
}

#[test]
fn a_breaker_without_work_to_prove_it_is_closed() {
    let (mut circuit, probe_at) = opened(at(0));
    assert_eq!(circuit.close_without_work(probe_at), None);
    call(&mut circuit, Intent::Probe, &Health::Answered, probe_at);
    assert!(matches!(circuit.close_without_work(probe_at), Some(Transition::Closed(_))));
    assert!(circuit.is_closed());
}

#[test]
fn an_operator_can_make_the_next_probe_due() {
    let (mut circuit, _) = opened(at(0));
    circuit.probe_now(at(1));
    let probe = enter(&mut circuit, Intent::Probe, at(1)).unwrap();
    circuit.probe_now(at(1));
    assert!(enter(&mut circuit, Intent::Probe, at(1)).is_err(), "one at a time");
    circuit.report(probe, &failed(), &SETTINGS, at(1), 7);
    assert!(enter(&mut circuit, Intent::Probe, at(2)).is_err());
    let mut closed = Circuit::default();
    closed.probe_now(at(3));
    assert_eq!(closed, Circuit::default());
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_it_open() {
    let (circuit, _) = opened(at(3 * DAY));
    assert_eq!(enter(&mut circuit.clone(), Intent::Probe, at(0)), Ok(Pass::Probe(1)));
    let (mut probing, probe_at) = opened(at(3 * DAY));
    enter(&mut probing, Intent::Probe, probe_at).unwrap();
    let wait = enter(&mut probing, Intent::Probe, at(0)).unwrap_err();
    assert!(between(at(0), wait.until) <= SETTINGS.ban_delay, "{wait:?}");
}

#[test]
fn a_call_that_was_let_in_leaves_while_the_breaker_is_as_it_was() {
    let mut circuit = Circuit::default();
    let admits = |circuit: &Circuit, pass, now| circuit.admits(pass, &SETTINGS, now).map_err(|wait| wait.until);
    assert_eq!(admits(&circuit, Pass::Free, at(0)), Ok(()));
    let Some(Transition::Opened(wait)) = call(&mut circuit, Intent::Work, &banned(), at(0)) else { panic!("closed") };
    assert_eq!(admits(&circuit, Pass::Free, at(1)), Err(wait.until));
    assert_eq!(admits(&circuit, Pass::Free, wait.until), Err(wait.until), "a probe is due, and this is none");
    let probe = enter(&mut circuit, Intent::Probe, wait.until).unwrap();
    let lapsed = after(wait.until, SETTINGS.lease);
    assert_eq!(admits(&circuit, probe, wait.until), Ok(()));
    assert_eq!(admits(&circuit, Pass::Free, wait.until), Err(lapsed));
    assert_eq!(admits(&circuit, Pass::Probe(9), wait.until), Err(lapsed));
    assert!(admits(&circuit, probe, lapsed).is_err());
    circuit.report(probe, &Health::Answered, &SETTINGS, wait.until, 7);
    for pass in [Pass::Free, probe] {
        assert_eq!(admits(&circuit, pass, lapsed), Err(lapsed), "it may enter again");
    }
    call(&mut circuit, Intent::Work, &Health::Served, lapsed);
    assert_eq!(admits(&circuit, probe, lapsed), Ok(()));
}

#[test]
fn an_outage_that_could_not_be_kept_stands_until_it_is_known_to_be_over() {
    let (unwritten, probe_at) = opened(at(5_000));
    let mut failing = Circuit { probes: 5, ..Circuit::default() };
    call(&mut failing, Intent::Work, &failed(), at(5_001));
    let stands = unwritten.replacement_for(&failing).expect("an outage that is not stored");
    assert_eq!((&stands.state, stands.probes), (&unwritten.state, 5));
    let (mut other, _) = opened(at(4_990));
    assert_eq!(unwritten.replacement_for(&other), None, "it is known");
    call(&mut other, Intent::Probe, &Health::Served, probe_at);
    assert!(other.is_closed() && unwritten.replacement_for(&other).is_none(), "it is over");
    let (mut earlier, due) = opened(at(0));
    call(&mut earlier, Intent::Probe, &Health::Served, due);
    assert!(earlier.is_closed() && unwritten.replacement_for(&earlier).is_some(), "that was another one");
    assert_eq!(failing.replacement_for(&Circuit::default()), None, "it tells of no outage");
}

#[test]
fn a_record_is_readable_json() {
    let (circuit, probe_at) = opened(at(0));
    let text = serde_json::to_string(&circuit).unwrap();
    let expected = format!(
        r#"{{"state":{{"state":"open","since":"1970-01-01T00:00:00Z","reason":"a challenge","banned":true,"tries":0,"probe_at":"{probe_at}"}},"probes":0}}"#
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<Circuit>(&text).unwrap(), circuit);
    let closed = serde_json::to_string(&Circuit::default()).unwrap();
    assert_eq!(closed, r#"{"state":{"state":"closed","failures":0,"last_tries":0},"probes":0}"#);
}

/// One moment of a random history: how the upstream answers, and what a caller does.
#[derive(Clone, Debug)]
struct Moment {
    pause: u64,
    intent: Intent,
    health: Health,
    /// The caller exits before it reports how its call ended.
    exits: bool,
    random: u64,
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let health = prop_oneof![
        Just(Health::Served),
        Just(Health::Answered),
        Just(Health::Unknown),
        Just(failed()),
        Just(failed()),
        Just(banned())
    ];
    let intent = prop_oneof![Just(Intent::Work), Just(Intent::Probe)];
    let moment = (0..1_200_u64, intent, health, prop::bool::weighted(0.2), any::<u64>())
        .prop_map(|(pause, intent, health, exits, random)| Moment { pause, intent, health, exits, random });
    prop::collection::vec(moment, 1..200)
}

proptest! {
    /// In every history, passes are numbered while the breaker is open, and no two of them are valid at once. An
    /// upstream that works again is used again within the longest wait plus a lease.
    #[test]
    fn one_probe_at_a_time_and_none_is_stuck(moments in moments()) {
        let mut circuit = Circuit::default();
        let mut now = at(0);
        let mut running: Option<(u64, Timestamp)> = None;
        for Moment { pause, intent, health, exits, random } in moments {
            now = after(now, Duration::from_secs(pause));
            let was_closed = circuit.is_closed();
            match circuit.enter(intent, &SETTINGS, now, random) {
                Ok(Pass::Free) => {
                    prop_assert!(was_closed);
                    circuit.report(Pass::Free, &health, &SETTINGS, now, random);
                }
                Ok(Pass::Probe(number)) => {
                    let other = running.filter(|(_, until)| *until > now);
                    prop_assert_eq!(other, None, "two probes at once");
                    if exits {
                        running = Some((number, after(now, SETTINGS.lease)));
                    } else {
                        circuit.report(Pass::Probe(number), &health, &SETTINGS, now, random);
                    }
                }
                Err(wait) => {
                    let longest = SETTINGS.longest_delay * 2 + SETTINGS.lease;
                    prop_assert!(between(now, wait.until) <= longest, "{:?}", wait);
                }
            }
        }
        let back = now;
        while !circuit.is_closed() {
            match circuit.enter(Intent::Probe, &SETTINGS, now, 7) {
                Ok(pass) => drop(circuit.report(pass, &Health::Served, &SETTINGS, now, 7)),
                Err(wait) => now = wait.until.max(now),
            }
        }
        prop_assert!(between(back, now) <= SETTINGS.longest_delay * 2 + SETTINGS.lease);
    }

    /// In a day of failures there are so few probes, whatever the random draws, that two requests per probe stay below
    /// 200.
    #[test]
    fn a_day_takes_few_probes(seed in any::<u64>(), turned_away in any::<bool>()) {
        let health = if turned_away { banned() } else { failed() };
        let mut circuit = Circuit::default();
        let (mut now, mut calls, mut random) = (at(0), 0, seed);
        while now < at(DAY) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match circuit.enter(Intent::Probe, &SETTINGS, now, random) {
                Ok(pass) => {
                    calls += 1;
                    circuit.report(pass, &health, &SETTINGS, now, random);
                }
                Err(CircuitWait { until, .. }) => now = until,
            }
        }
        prop_assert!(calls <= 80, "{} calls", calls);
        prop_assert!(matches!(circuit.state, CircuitState::Open { .. }), "it is open in the end");
    }
}
