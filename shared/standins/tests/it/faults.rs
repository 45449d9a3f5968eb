use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use stint_core::clock::{Clock, ManualClock};
use stint_core::points::Points;
use stint_http::{RequestLimits, Transport, TransportError};
use stint_standins::InProcess;
use stint_standins::warcraftlogs::{Faults, Options, Shares};

use crate::client::{Client, body, header, page, ranking};

fn client(faults: Faults) -> Client {
    Client::new(Options { faults, shares: Shares::NONE, ..Options::default() })
}

#[test]
fn a_failure_comes_before_the_charge_or_after_it() {
    for (faults, charged) in [
        (Faults { failed_before_charge: 1000, ..Faults::default() }, false),
        (Faults { failed_after_charge: 1000, ..Faults::default() }, true),
    ] {
        let mut client = client(faults);
        let id = client.population().discoverable(&[(26, 3)])[0];
        let answer = client.ask(&ranking(id, 26, 3), Value::Null);
        assert!([500, 502, 520].contains(&answer.status().as_u16()));
        assert_eq!(header(&answer, "content-type"), Some("text/html; charset=UTF-8"));
        assert!(body(&answer).starts_with("<!DOCTYPE html>"));
        let counters = client.upstream.counters();
        assert_eq!((counters.charged > Points::ZERO, counters.failed_calls), (charged, 1));
        assert!(client.get(&page(26, 3, 1)).status().is_server_error());
        assert!(client.upstream.counters().pages.is_empty());
    }
}

#[test]
fn faults_happen_as_often_as_they_are_set_to() {
    let faults = Faults { failed_before_charge: 100, failed_after_charge: 100, rate_limited: 100, ..Faults::default() };
    let mut client = client(faults);
    let mut refused = 0;
    for _ in 0..2000 {
        let answer = client.ask("{ rateLimitData { limitPerHour } }", Value::Null);
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let pause: u64 = header(&answer, "retry-after").and_then(|text| text.parse().ok()).expect("seconds");
            assert!((1..=5).contains(&pause));
            refused += 1;
        }
    }
    let counters = client.upstream.counters();
    assert!((140..260).contains(&refused), "{refused}");
    assert!((320..480).contains(&counters.failed_calls), "{}", counters.failed_calls);
    assert_eq!(counters.rate_limited_calls, refused);
}

#[test]
fn a_slow_answer_is_charged_after_the_client_gave_up() {
    let faults = Faults { slow: 1000, slow_latency: Duration::from_secs(90), ..Faults::default() };
    let mut client = client(faults);
    let id = client.population().discoverable(&[(26, 3)])[0];
    let clock = ManualClock::new(client.now);
    // A token of the same sequence as the client's own.
    let token = client.post(
        "/oauth/token",
        &[],
        "grant_type=client_credentials&client_id=key-1&client_secret=secret-1".to_owned(),
    );
    let token: Value = serde_json::from_slice(token.body()).expect("JSON");
    let request = Request::post("https://example.invalid/api/v2/client")
        .header("Authorization", format!("Bearer {}", token["access_token"].as_str().expect("a token")))
        .body(json!({"query": ranking(id, 26, 3)}).to_string().into())
        .expect("a request");
    let upstream = Arc::new(Mutex::new(client.upstream));
    let transport = InProcess::new(upstream.clone(), Arc::new(clock.clone()));
    let limits = RequestLimits { timeout: Duration::from_secs(30), max_body: 1 << 20 };
    let mut answer = transport.send(request, limits);
    assert!((&mut answer).now_or_never().is_none());
    clock.advance(Duration::from_secs(30));
    assert!(matches!(answer.now_or_never(), Some(Err(TransportError::TimedOut { .. }))));
    assert_eq!(clock.now().as_second(), 30);
    assert!(!upstream.lock().expect("unpoisoned").counters().charged.is_zero());
}
