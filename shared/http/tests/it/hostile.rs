//! Headers that make no sense, and clocks that are set. Neither closes a lane for longer than an hour.

use std::time::Duration;

use jiff::SignedDuration;
use stint_core::clock::{Clock, between};
use stint_http::LimitOptions;

use crate::counting::{Counting, Upstream, kept, pseudo_random};
use crate::scripted::start;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn tenth(_: u64) -> (Duration, Duration) {
    (SECOND / 20, SECOND / 20)
}

type Headers = Vec<(&'static str, &'static str)>;

fn telling(limit: &'static str, state: &'static str) -> Option<Headers> {
    Some(vec![
        ("X-Rate-Limit-Policy", "pages"),
        ("X-Rate-Limit-Rules", "Ip"),
        ("X-Rate-Limit-Ip", limit),
        ("X-Rate-Limit-Ip-State", state),
    ])
}

#[test]
fn one_answer_that_tells_a_limit_of_a_hundred_years_is_asked_about_after_an_hour() {
    let upstream = Upstream::new(&[(10, 5, 60)], tenth, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 5);
    upstream.state.lock().expect("lock").headers = telling("1:4000000000:60", "1:4000000000:0");
    upstream.send(&client, 1);
    upstream.state.lock().expect("lock").headers = None;
    // Another process continues with the stored memory.
    let restarted = upstream.client(LimitOptions::default());
    restarted.limits().expect("limits").restore(&kept(&client));
    let waited = upstream.send(&restarted, 1);
    assert!(waited > HOUR / 2 && waited <= HOUR + SECOND * 5, "{waited:?}");
    let paced = upstream.send(&restarted, 101);
    assert!(paced <= SECOND * 90, "{paced:?}");
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn a_restriction_that_is_told_for_a_hundred_years_lasts_an_hour() {
    let upstream = Upstream::new(&[(10, 5, 60)], tenth, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.state.lock().expect("lock").headers = telling("10:5:4000000000", "11:5:4000000000");
    upstream.send(&client, 1);
    upstream.state.lock().expect("lock").headers = None;
    let waited = upstream.send(&client, 1);
    assert!(waited > HOUR / 2 && waited <= HOUR + SECOND * 5, "{waited:?}");
}

#[test]
fn one_hour_of_right_headers_always_restores_a_pace() {
    const NUMBERS: [&str; 7] = ["1", "2", "10", "60", "3601", "100000", "4000000000"];
    for seed in 1..=60_u64 {
        let upstream = Upstream::new(&[(10, 5, 60)], tenth, Counting::Sliding);
        let client = upstream.client(LimitOptions::default());
        upstream.send(&client, 12);
        for answer in 0..6_u64 {
            let number =
                |place: u64| NUMBERS[pseudo_random(seed * 64 + answer * 8 + place, 1, NUMBERS.len() as u64) as usize];
            let period = number(1);
            let limit = format!("{}:{period}:{}", number(0), number(2));
            let state = format!("{}:{period}:{}", number(3), if number(4) > "3" { number(5) } else { "0" });
            upstream.state.lock().expect("lock").headers = telling(limit.leak(), state.leak());
            upstream.send(&client, 1);
        }
        upstream.state.lock().expect("lock").headers = None;
        let waited = upstream.send(&client, 1);
        assert!(waited <= HOUR + SECOND * 5, "seed {seed}: {waited:?}");
        let paced = upstream.send(&client, 101);
        assert!(paced <= SECOND * 120, "seed {seed}: {paced:?}");
        assert_eq!(upstream.refused(), 0, "seed {seed}");
    }
}

#[test]
fn a_clock_that_is_set_delays_no_request_beyond_the_limit() {
    for seconds in [30, -30, 90, -90, 7_200, -7_200, 259_200, -259_200] {
        for restarts in [false, true] {
            let upstream = Upstream::new(&[(10, 5, 60)], tenth, Counting::Sliding);
            let client = upstream.client(LimitOptions::default());
            upstream.send(&client, 10);
            let memory = kept(&client);
            upstream.clock.jump(SignedDuration::from_secs(seconds));
            let client = if restarts {
                let restarted = upstream.client(LimitOptions::default());
                restarted.limits().expect("limits").restore(&memory);
                restarted
            } else {
                client
            };
            let before = upstream.clock.steady().now();
            upstream.send(&client, 30);
            let took = between(before, upstream.clock.steady().now());
            assert!(took <= SECOND * 30, "{took:?} after a jump of {seconds} s, restarted: {restarts}");
            assert!(between(start(), upstream.clock.steady().now()) < HOUR);
        }
    }
}
