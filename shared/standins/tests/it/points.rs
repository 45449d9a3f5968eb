use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use stint_core::points::Points;
use stint_standins::warcraftlogs::{Options, Rate, Shares};

use crate::client::{Client, body, header, ranking};

const RATES: &str = "{ rateLimitData { limitPerHour pointsSpentThisHour pointsResetIn } }";

fn options(limit: u64) -> Options {
    let keys = Options::phased_keys(&[Points::whole(limit), Points::whole(50)], Duration::from_secs(3600));
    Options { keys, shares: Shares::NONE, ..Options::default() }
}

fn spent(answer: &Value) -> Points {
    let spent = answer["data"]["rateLimitData"]["pointsSpentThisHour"].as_f64();
    spent.and_then(Points::from_float).expect("an amount of points")
}

#[test]
fn an_answer_does_not_count_itself() {
    let mut client = Client::new(options(1000));
    let ids = client.population().discoverable(&[(26, 4)]);
    assert_eq!(spent(&client.query(&ranking(ids[0], 26, 4))), Points::ZERO);
    let first = client.upstream.counters().charged;
    assert!((Points::from_micros(2_500_000)..=Points::from_micros(4_500_000)).contains(&first), "{first}");
    assert_eq!(spent(&client.query(&ranking(ids[1], 26, 4))), first);
    let both = client.upstream.counters().charged;
    assert!(both > first);
    // A query for the rates alone costs nothing.
    assert_eq!(spent(&client.query(RATES)), both);
    assert_eq!(spent(&client.query(RATES)), both);
    assert_eq!(client.upstream.counters().charged, both);
}

#[test]
fn each_alias_costs_and_the_same_one_costs_the_same() {
    let mut client = Client::new(options(1000));
    let ids = client.population().discoverable(&[(26, 4)]);
    let mut prices = Vec::new();
    for id in [ids[0], ids[1], ids[0]] {
        let before = client.upstream.counters().charged;
        client.query(&ranking(id, 26, 4));
        prices.push(client.upstream.counters().charged.saturating_sub(before));
    }
    assert_eq!(prices[0], prices[2]);
    assert_ne!(prices[0], prices[1]);
    let before = client.upstream.counters().charged;
    let (one, other) = (ids[0], ids[1]);
    client.query(&format!(
        "{{ characterData {{ a: character(id: {one}) {{ x: zoneRankings(zoneID: 26, difficulty: 4) }} \
         b: character(id: {other}) {{ zoneRankings(zoneID: 26, difficulty: 4) }} }} }}"
    ));
    assert_eq!(client.upstream.counters().charged.saturating_sub(before), prices[0].saturating_add(prices[1]));
}

#[test]
fn an_exhausted_key_is_refused_until_its_reset() {
    let mut client = Client::new(options(10));
    let id = client.population().discoverable(&[(29, 5)])[0];
    client.pass(100);
    let mut answered = 0;
    let refusal = loop {
        let answer = client.ask(&ranking(id, 29, 5), Value::Null);
        if answer.status() != StatusCode::OK {
            break answer;
        }
        answered += 1;
    };
    assert!((3..=4).contains(&answered), "{answered}");
    assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&refusal, "retry-after"), Some("3500"));
    let said: Value = serde_json::from_slice(refusal.body()).expect("JSON");
    assert_eq!(said["status"], json!(429));
    let counters = client.upstream.counters();
    let window = counters.keys[0].windows[0];
    assert_eq!((window.refused, window.calls, counters.refused_calls), (1, answered, 1));
    assert_eq!(window.overspent, window.charged.saturating_sub(Points::whole(10)));
    assert!(!window.overspent.is_zero());

    client.pass(3499);
    assert_eq!(client.ask(RATES, Value::Null).status(), StatusCode::TOO_MANY_REQUESTS);
    client.pass(1);
    let fresh = client.query(RATES);
    assert_eq!(
        fresh["data"]["rateLimitData"],
        json!({"limitPerHour": 10, "pointsSpentThisHour": 0, "pointsResetIn": 3600})
    );
}

#[test]
fn keys_have_their_own_points_and_resets() {
    let mut client = Client::new(options(10));
    let first = client.query(RATES);
    client.log_in("key-2", "secret-2");
    let second = client.query(RATES);
    let rates = |answer: &Value, field: &str| answer["data"]["rateLimitData"][field].clone();
    assert_eq!((rates(&first, "limitPerHour"), rates(&first, "pointsResetIn")), (json!(10), json!(3600)));
    assert_eq!((rates(&second, "limitPerHour"), rates(&second, "pointsResetIn")), (json!(50), json!(1800)));
}

#[test]
fn the_charges_of_all_windows_add_up() {
    let mut client = Client::new(options(20));
    let ids = client.population().discoverable(&Options::all_rankings());
    for id in ids.iter().take(40) {
        client.ask(&ranking(*id, 28, 3), Value::Null);
        client.pass(600);
    }
    let counters = client.upstream.counters();
    let windows = &counters.keys[0].windows;
    assert!(windows.len() >= 6, "{}", windows.len());
    assert_eq!(windows.iter().map(|window| window.charged).sum::<Points>(), counters.charged);
    assert!(windows.windows(2).all(|pair| pair[0].reset <= pair[1].start));
}

#[test]
fn too_many_requests_are_refused_while_points_remain() {
    let rate = Rate { burst: 3, refill: Duration::from_secs(2) };
    let mut client = Client::new(Options { api_rate: Some(rate), ..options(1000) });
    // The token took one of the three.
    let answer = client.ask(RATES, Value::Null);
    assert_eq!(
        (header(&answer, "x-ratelimit-limit"), header(&answer, "x-ratelimit-remaining")),
        (Some("3"), Some("1"))
    );
    client.query(RATES);
    let refusal = client.ask(RATES, Value::Null);
    assert_eq!((refusal.status(), header(&refusal, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("2")));
    assert_eq!(header(&refusal, "x-ratelimit-remaining"), Some("0"));
    assert!(body(&refusal).contains("\"status\":429"));
    let counters = client.upstream.counters();
    assert_eq!((counters.rate_limited_calls, counters.refused_calls), (1, 0));
    client.pass(2);
    client.query(RATES);
}
