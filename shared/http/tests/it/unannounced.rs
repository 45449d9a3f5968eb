//! Upstreams that name no limits, or whose headers are lost on the way.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, between};
use stint_http::{Client, LimitOptions, RetryPolicy};

use crate::counting::{Counting, Upstream, request};
use crate::log::logged;
use crate::scripted::run;

const SECOND: Duration = Duration::from_secs(1);

/// Creates an upstream whose answers take a tenth of a second and have these headers.
fn upstream(headers: &[(&'static str, &'static str)]) -> Arc<Upstream> {
    let upstream = Upstream::new(&[(20, 1, 60)], |_| (SECOND / 20, SECOND / 20), Counting::Sliding);
    upstream.state.lock().expect("lock").headers = Some(headers.to_vec());
    upstream
}

/// Requests `path` once. Returns how long the answer took.
fn ask(upstream: &Arc<Upstream>, client: &Client, path: &str) -> Duration {
    let (client, request, asked) = (client.clone(), request(path), upstream.clock.now());
    run(&upstream.clock, async move { client.send(request, &RetryPolicy::PAGE).await.expect("an answer") });
    between(asked, upstream.clock.now())
}

/// Returns the times between consecutive requests as counted by the upstream.
fn distances(upstream: &Upstream) -> Vec<Duration> {
    let hits: Vec<Timestamp> = upstream.state.lock().expect("lock").hits.iter().copied().collect();
    hits.windows(2).map(|two| between(two[0], two[1])).collect()
}

#[test]
fn an_upstream_that_names_no_limits_is_asked_once_a_second() {
    let policy = ("X-Rate-Limit-Policy", "pages");
    let renamed = [policy, ("RateLimit-Policy", "2;w=1"), ("X-Rate-Limit-Ip", "2:1:60")];
    let unreadable = [policy, ("X-Rate-Limit-Rules", "Ip"), ("X-Rate-Limit-Ip", "lots")];
    for headers in [&[][..], &renamed, &unreadable] {
        let upstream = upstream(headers);
        let client = upstream.client(LimitOptions::default());
        upstream.send(&client, 10);
        assert_eq!(distances(&upstream), [SECOND + SECOND / 10; 9], "{headers:?}");
        assert_eq!(client.limits().and_then(|limits| limits.limits_of(request("/pages").uri())), None);
    }
}

#[test]
fn a_refusal_without_a_time_is_followed_by_no_burst() {
    let upstream = upstream(&[]);
    upstream.state.lock().expect("lock").script = [200, 429, 200, 200, 200].into();
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 4);
    let tenth = SECOND / 10;
    assert_eq!(distances(&upstream), [SECOND + tenth, SECOND * 5 + tenth, SECOND + tenth, SECOND + tenth]);
}

#[test]
fn faults_before_the_first_answer_keep_their_distance() {
    let upstream = upstream(&[]);
    upstream.state.lock().expect("lock").script = [502, 502, 200].into();
    let client = upstream.client(LimitOptions::default());
    let policy = RetryPolicy { first_delay: Duration::ZERO, longest_delay: Duration::ZERO, ..RetryPolicy::PAGE };
    run(&upstream.clock, async move { client.send(request("/pages"), &policy).await.expect("an answer") });
    assert_eq!(distances(&upstream), [SECOND + SECOND / 10; 2]);
}

#[test]
fn a_limit_counts_as_soon_as_it_is_named() {
    let upstream = upstream(&[]);
    let client = upstream.client(LimitOptions { unannounced_interval: SECOND * 10, ..LimitOptions::default() });
    assert_eq!(upstream.send(&client, 2), SECOND * 10 + SECOND / 5);
    upstream.state.lock().expect("lock").headers = None;
    assert_eq!(upstream.send(&client, 1), SECOND * 10 + SECOND / 10);
    assert!(upstream.send(&client, 10) < SECOND * 10);
}

#[test]
fn a_rare_or_first_request_is_sent_at_once() {
    let upstream = upstream(&[]);
    let client = upstream.client(LimitOptions::default());
    for path in ["/token", "/pages", "/head"] {
        assert_eq!(ask(&upstream, &client, path), SECOND / 10, "{path}");
    }
    upstream.clock.advance(SECOND);
    assert_eq!(ask(&upstream, &client, "/head"), SECOND / 10);
}

#[test]
fn without_a_distance_an_upstream_is_asked_one_by_one() {
    let upstream = upstream(&[]);
    let client = upstream.client(LimitOptions { unannounced_interval: Duration::ZERO, ..LimitOptions::default() });
    assert_eq!(upstream.send(&client, 10), SECOND);
    assert_eq!(upstream.most_under_way(), 1);
}

#[test]
fn it_is_said_once_and_only_of_an_endpoint_that_waits_for_it() {
    let upstream = upstream(&[]);
    let client = upstream.client(LimitOptions::default());
    let ((), log) = logged(|| {
        for path in ["/head", "/head", "/pages", "/pages", "/pages", "/pages", "/pages", "/pages"] {
            ask(&upstream, &client, path);
        }
    });
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    for said in ["upstream.example/pages names no limits", "x-rate-limit-rules", "one request is sent every 1 s"] {
        assert!(warnings[0].contains(said), "{said}: {log}");
    }
}
