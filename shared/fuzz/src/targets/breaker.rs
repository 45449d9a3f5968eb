//! The health of an upstream as its answers show it, and the circuit breaker that receives it: no wait is endless, and
//! one good answer to a probe and one to a work call close it, whatever happened before.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use http::StatusCode;
use stint_core::circuit::{Circuit, CircuitSettings, Health, Intent, Pass};
use stint_core::clock::{Clock, ManualClock, after};
use stint_http::{HttpError, challenge};

use crate::upstream::{answer, clock, with_header};

const SETTINGS: CircuitSettings = CircuitSettings::for_calls_of(Duration::from_secs(30));

/// No wait of a breaker is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// A call and its answer. If `crashes`, the caller crashes before it reports the answer.
    Call {
        probes: bool,
        status: u16,
        body: &'a [u8],
        mitigated: bool,
        crashes: bool,
        random: u64,
    },
    Passes(u16),
    /// The clock is set, or another machine has a different one.
    Jumps(i32),
    Hastened,
    Idle,
}

pub(crate) fn run(input: &[u8]) {
    let Ok(steps) = Vec::<Step<'_>>::arbitrary(&mut Unstructured::new(input)) else { return };
    let clock = clock();
    let mut circuit = Circuit::default();
    for step in &steps {
        apply(&mut circuit, step, &clock);
        let record = serde_json::to_string(&circuit).expect("a record can be serialised");
        assert_eq!(serde_json::from_str::<Circuit>(&record).ok().as_ref(), Some(&circuit), "stored as {record}");
    }
    // From here on, the upstream is healthy.
    for intent in [Intent::Probe, Intent::Work] {
        let pass = wait_for_pass(&mut circuit, intent, &clock);
        let health = if intent == Intent::Probe { Health::Answered } else { Health::Served };
        circuit.report(pass, &health, &SETTINGS, clock.now(), 0);
    }
    assert!(circuit.is_closed(), "{circuit:?} after a good call");
}

/// Waits until a call may be made and returns its pass. There are at most two waits: for a crashed caller, and for the
/// probe that this crash made fail.
fn wait_for_pass(circuit: &mut Circuit, intent: Intent, clock: &ManualClock) -> Pass {
    for _ in 0..3 {
        match circuit.enter(intent, &SETTINGS, clock.now(), 0) {
            Ok(pass) => return pass,
            Err(wait) => {
                assert!(wait.until <= after(clock.now(), LONGEST_WAIT), "{wait:?} at {}", clock.now());
                clock.advance_to(wait.until);
            }
        }
    }
    panic!("no wait ends: {circuit:?} at {}", clock.now())
}

fn apply(circuit: &mut Circuit, step: &Step<'_>, clock: &ManualClock) {
    match step {
        Step::Call { probes, status, body, mitigated, crashes, random } => {
            let intent = if *probes { Intent::Probe } else { Intent::Work };
            match circuit.enter(intent, &SETTINGS, clock.now(), *random) {
                Ok(_) if *crashes => {}
                Ok(pass) => {
                    let health = health(*status, body, *mitigated);
                    circuit.report(pass, &health, &SETTINGS, clock.now(), *random);
                    // A second report of the same pass changes nothing.
                    if let Pass::Probe(_) = pass {
                        let before = circuit.clone();
                        circuit.report(pass, &Health::Failed("late".into()), &SETTINGS, clock.now(), *random);
                        assert_eq!(*circuit, before);
                    }
                }
                Err(wait) => {
                    let latest = after(clock.now(), LONGEST_WAIT);
                    assert!(wait.until <= latest, "{wait:?} at {}", clock.now());
                }
            }
        }
        Step::Passes(seconds) => clock.advance(Duration::from_secs((*seconds).into())),
        Step::Jumps(seconds) => clock.jump(jiff::SignedDuration::from_secs((*seconds).into())),
        Step::Hastened => circuit.probe_now(clock.now()),
        Step::Idle => _ = circuit.close_without_work(clock.now()),
    }
}

/// Classifies an answer as the client does, and returns the upstream's health.
fn health(status: u16, body: &[u8], mitigated: bool) -> Health {
    let status = StatusCode::from_u16(100 + status % 500).unwrap_or(StatusCode::OK);
    let mut response = answer(status.as_u16(), body);
    if mitigated {
        with_header(&mut response, "cf-mitigated", b"challenge");
    }
    let host = String::from("upstream.example");
    let challenge = challenge(&response);
    assert!(challenge.is_some() || !mitigated, "the header alone gives a challenge away");
    let error = match challenge {
        Some(challenge) => HttpError::Challenged { host, challenge },
        None if status.is_success() => return Health::Served,
        None => {
            let excerpt = String::from_utf8_lossy(body).into_owned();
            HttpError::Status { host, status, retry_after: None, excerpt }
        }
    };
    let health = error.health();
    let json = body.trim_ascii_start().first().is_some_and(|first| b"{[".contains(first));
    let banned = matches!(health, Health::Banned(_));
    assert!(!(banned && json && challenge.is_none()), "an API's own refusal is no ban");
    health
}
