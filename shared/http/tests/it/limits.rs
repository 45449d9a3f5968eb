//! The request budget: what is learned, shared and stored, and when to stop.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::{StatusCode, Uri};
use stint_core::clock::{Clock, after};
use stint_http::{Client, Headroom, HttpError, LimitOptions, RateHeaderError, RetryPolicy};

use crate::counting::{Counting, Upstream, kept, request};
use crate::scripted::run;

const SECOND: Duration = Duration::from_secs(1);

fn instant(_: u64) -> (Duration, Duration) {
    (Duration::ZERO, Duration::ZERO)
}

fn tenth(_: u64) -> (Duration, Duration) {
    (SECOND / 20, SECOND / 20)
}

fn pages() -> Uri {
    Uri::from_static("https://upstream.example/pages")
}

/// Sends one request. Returns its status, or why there is none.
fn ask(upstream: &Arc<Upstream>, client: &Client, path: &str) -> Result<StatusCode, HttpError> {
    let (client, request) = (client.clone(), request(path));
    run(&upstream.clock, async move { client.send(request, &RetryPolicy::PAGE).await.map(|answer| answer.status) })
}

#[test]
fn before_the_first_answer_one_request_is_under_way_whatever_it_asks() {
    let upstream = Upstream::new(&[(100, 1, 60)], tenth, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    let limits = client.limits().expect("limits");
    assert_eq!(limits.limits_of(&pages()), None);
    let all = client.clone();
    run(&upstream.clock, async move {
        let paths = ["/pages", "/head", "/more", "/other"];
        let asked = paths.map(|path| all.send(request(path), &RetryPolicy::PAGE));
        assert!(join_all(asked).await.iter().all(Result::is_ok));
    });
    assert_eq!(upstream.most_under_way(), 1);
    let told = limits.limits_of(&pages()).expect("limits");
    assert_eq!((told.policy.as_deref(), told.rules[0].windows[0].max_hits), (Some("pages"), 100));
    assert_eq!(told.permitted(SECOND * 10), 1000.0);
}

#[test]
fn endpoints_with_one_policy_share_its_budget() {
    let upstream = Upstream::new(&[(2, 10, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions { headroom: Headroom::Always, ..LimitOptions::default() });
    // The budget of the first endpoint is used up when the second is first requested. The second waits as if it shared
    // that budget.
    for path in ["/pages", "/pages", "/head", "/pages", "/head", "/other"] {
        assert_eq!(ask(&upstream, &client, path), Ok(StatusCode::OK));
    }
    assert_eq!(upstream.clock.now(), after(crate::scripted::start(), SECOND * 50));
    let counts = client.limits().expect("limits").counts();
    assert_eq!((counts.requests, counts.client_errors, counts.waits, counts.waited), (6, 0, 5, SECOND * 50));
}

#[test]
fn a_limit_that_changes_is_kept_to_from_the_next_request_on() {
    let upstream = Upstream::new(&[(10, 1, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 9);
    upstream.state.lock().expect("lock").limits = vec![(10, 1, 60), (12, 60, 600)];
    upstream.send(&client, 30);
    assert_eq!(upstream.refused(), 0);
    upstream.state.lock().expect("lock").limits = vec![(20, 1, 60)];
    assert!(upstream.send(&client, 101) <= SECOND * 65);
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn requests_of_another_program_are_taken_into_account() {
    let upstream = Upstream::new(&[(4, 10, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    for _ in 0..20 {
        upstream.hit_from_elsewhere();
        upstream.send(&client, 2);
        upstream.clock.advance(SECOND * 3);
    }
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn an_upstream_that_counts_for_longer_than_it_says_is_not_provoked() {
    let upstream = Upstream::new(&[(3, 2, 60)], tenth, Counting::Longer);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 500);
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn a_refusal_is_waited_out_and_makes_wary() {
    let upstream = Upstream::new(&[(4, 1, 30)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    (0..4).for_each(|_| upstream.hit_from_elsewhere());
    // The next request is one too many, which the client cannot know.
    let waited = upstream.send(&client, 1);
    assert!(waited >= SECOND * 30 && waited <= SECOND * 32, "{waited:?}");
    assert_eq!(upstream.refused(), 1);
    let wary = upstream.send(&client, 31);
    assert!(wary >= SECOND * 10, "three a second after a refusal: {wary:?}");
    let counts = client.limits().expect("limits").counts();
    assert_eq!((counts.refusals, counts.client_errors), (1, 1));
}

#[test]
fn a_long_refusal_is_told_and_the_next_request_waits_it_out() {
    let upstream = Upstream::new(&[(1, 1, 600)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    upstream.hit_from_elsewhere();
    upstream.clock.advance(SECOND / 2);
    upstream.hit_from_elsewhere();
    upstream.clock.advance(SECOND / 2);
    let error = ask(&upstream, &client, "/pages").expect_err("refused");
    assert_eq!(error.rate_limited().and_then(|limited| limited.retry_after), Some(SECOND * 600));
    let opens_at = client.limits().and_then(|limits| limits.opens_at(&pages())).expect("an instant");
    assert!(opens_at >= after(upstream.clock.now(), SECOND * 600));
    assert_eq!(ask(&upstream, &client, "/pages"), Ok(StatusCode::OK));
    assert_eq!(upstream.refused(), 1);
}

#[test]
fn a_refusal_without_a_time_lasts_as_long_as_the_restriction() {
    let headers = vec![
        ("X-Rate-Limit-Policy", "pages"),
        ("X-Rate-Limit-Rules", "Ip"),
        ("X-Rate-Limit-Ip", "1000000:1:600"),
        ("X-Rate-Limit-Ip-State", "4294967295:1:0"),
    ];
    let upstream = Upstream::new(&[], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    {
        let mut state = upstream.state.lock().expect("lock");
        (state.headers, state.script) = (Some(headers), [429].into());
    }
    let error = ask(&upstream, &client, "/pages").expect_err("refused");
    assert_eq!(error.rate_limited().and_then(|limited| limited.retry_after), Some(SECOND * 600));
}

#[test]
fn an_endpoint_that_waits_for_long_holds_up_no_other() {
    let upstream = Upstream::new(&[(2, 1, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    // Another budget, used up for an hour.
    let used_up = vec![
        ("X-Rate-Limit-Policy", "search"),
        ("X-Rate-Limit-Rules", "Ip"),
        ("X-Rate-Limit-Ip", "2:3600:600"),
        ("X-Rate-Limit-Ip-State", "2:3600:0"),
    ];
    upstream.state.lock().expect("lock").headers = Some(used_up);
    assert_eq!(ask(&upstream, &client, "/search"), Ok(StatusCode::OK));
    upstream.state.lock().expect("lock").headers = None;
    let (new, known, clock) = (client.clone(), client.clone(), upstream.clock.clone());
    let (new, known) = run(&upstream.clock, async move {
        let new = async {
            assert!(new.send(request("/new"), &RetryPolicy::PAGE).await.is_ok());
            clock.now()
        };
        let known = async {
            for _ in 0..10 {
                assert!(known.send(request("/pages"), &RetryPolicy::PAGE).await.is_ok());
            }
            clock.now()
        };
        futures::join!(new, known)
    });
    assert!(known < after(crate::scripted::start(), SECOND * 15), "{known}");
    assert!(new >= after(crate::scripted::start(), SECOND * 3600), "{new}");
}

#[test]
fn client_errors_in_a_row_stop_everything_and_say_so() {
    let upstream = Upstream::new(&[(10, 1, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions { most_client_errors: 3, ..LimitOptions::default() });
    upstream.state.lock().expect("lock").script = [403, 404, 200, 403, 502, 404, 403].into();
    let statuses: Vec<_> =
        (0..6).map(|_| ask(&upstream, &client, "/pages").ok().map(|status| status.as_u16())).collect();
    // The server error is repeated, and neither lengthens the row nor ends it.
    assert_eq!(statuses, [Some(403), Some(404), Some(200), Some(403), Some(404), Some(403)]);
    let error = ask(&upstream, &client, "/other").expect_err("halted");
    assert!(
        matches!(error, HttpError::StoppedForClientErrors { client_errors: 3, status: StatusCode::FORBIDDEN, .. }),
        "{error}"
    );
    assert!(!error.may_be_billed());
    let said = "a request to upstream.example is not sent: 3 answers in a row were client errors, the last one 403 \
                Forbidden of upstream.example/pages, and each";
    assert!(error.to_string().starts_with(said), "{error}");
    assert_eq!(upstream.state.lock().expect("lock").requests, 7);
}

#[test]
fn an_endpoint_that_is_refused_for_ever_ends_and_the_one_beside_it_goes_on() {
    let upstream = Upstream::new(&[(10, 1, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    let asked = |path, status: u16, headers| {
        let mut state = upstream.state.lock().expect("lock");
        (state.script, state.headers) = ([status].into(), headers);
        drop(state);
        ask(&upstream, &client, path).map(|status| status.as_u16())
    };
    for (number, status) in [403, 404, 403, 403, 404].into_iter().enumerate() {
        // At first an intermediary answers, which names no policy; later the upstream itself.
        assert_eq!(asked("/pages", status, (number < 2).then(Vec::new)), Ok(status));
        assert_eq!(asked("/head", 200, Some(vec![])), Ok(200));
    }
    let error = asked("/pages", 200, None).expect_err("halted");
    assert!(matches!(&error, HttpError::StoppedForClientErrors { client_errors: 5, .. }), "{error}");
    assert!(error.to_string().contains("404 Not Found of upstream.example/pages"), "{error}");
    assert_eq!(asked("/head", 200, Some(vec![])), Ok(200));
    assert_eq!(client.limits().expect("limits").counts().client_errors, 5);
}

#[test]
fn headers_that_cannot_be_read_are_reported_and_the_last_limits_stay() {
    let upstream = Upstream::new(&[(2, 1, 60)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions { headroom: Headroom::Always, ..LimitOptions::default() });
    upstream.send(&client, 1);
    let broken = vec![("X-Rate-Limit-Policy", "pages"), ("X-Rate-Limit-Rules", "Ip"), ("X-Rate-Limit-Ip", "lots")];
    for headers in [broken, vec![]] {
        upstream.state.lock().expect("lock").headers = Some(headers);
        assert_eq!(upstream.send(&client, 5), SECOND * 5);
    }
    let limits = client.limits().expect("limits");
    assert_eq!(limits.counts().problems, 5);
    assert_eq!(limits.limits_of(&pages()).expect("limits").rules[0].windows[0].max_hits, 2);
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn a_restarted_process_keeps_the_limits() {
    // The process ends at every request, either just before or just after it. Each new process knows only what the last
    // one has stored.
    let upstream = Upstream::new(&[(2, 1, 60), (30, 60, 600)], tenth, Counting::Sliding);
    let mut client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    for number in 0..100 {
        let memory = kept(&client);
        if number % 2 == 0 {
            // Sent, but not recorded.
            upstream.send(&client, 1);
        }
        client = upstream.client(LimitOptions::default());
        client.limits().expect("limits").restore(&memory);
        upstream.send(&client, 1);
    }
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn a_memory_that_holds_nothing_new_costs_nothing() {
    let elapsed = |restores: bool| {
        let upstream = Upstream::new(&[(2, 1, 60)], instant, Counting::Sliding);
        let client = upstream.client(LimitOptions::default());
        for _ in 0..20 {
            upstream.send(&client, 1);
            if restores {
                client.limits().expect("limits").restore(&kept(&client));
            }
        }
        upstream.clock.now()
    };
    assert_eq!(elapsed(true), elapsed(false));
}

#[test]
fn a_restriction_outlives_the_process() {
    let upstream = Upstream::new(&[(1, 1, 300)], instant, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    upstream.hit_from_elsewhere();
    upstream.clock.advance(SECOND);
    upstream.hit_from_elsewhere();
    assert!(ask(&upstream, &client, "/pages").is_err());
    let next = upstream.client(LimitOptions::default());
    next.limits().expect("limits").restore(&kept(&client));
    assert_eq!(ask(&upstream, &next, "/pages"), Ok(StatusCode::OK));
    assert_eq!(upstream.refused(), 1);
}

#[test]
fn a_restriction_outlives_the_process_where_no_limit_was_told() {
    let upstream = Upstream::new(&[], instant, Counting::Sliding);
    {
        let mut state = upstream.state.lock().expect("lock");
        (state.headers, state.script) = (Some(vec![("Retry-After", "600")]), [200, 429].into());
    }
    let client = upstream.client(LimitOptions::default());
    assert_eq!(ask(&upstream, &client, "/pages"), Ok(StatusCode::OK));
    assert!(ask(&upstream, &client, "/pages").is_err());
    upstream.clock.advance(SECOND * 100);
    let memory = kept(&client);
    // One process has sent a request before, the other has not.
    let (warm, cold) = (upstream.client(LimitOptions::default()), upstream.client(LimitOptions::default()));
    assert_eq!(ask(&upstream, &warm, "/pages"), Ok(StatusCode::OK));
    for next in [warm, cold] {
        let limits = next.limits().expect("limits");
        limits.restore(&memory);
        assert!(limits.opens_at(&pages()).expect("an instant") >= after(upstream.clock.now(), SECOND * 500));
    }
}

#[test]
fn a_request_that_is_given_up_is_taken_to_be_counted() {
    let upstream = Upstream::new(&[(2, 10, 60)], tenth, Counting::Sliding);
    let client = upstream.client(LimitOptions::default());
    upstream.send(&client, 1);
    let (asking, clock) = (client.clone(), upstream.clock.clone());
    run(&upstream.clock, async move {
        let given_up = asking.send(request("/pages"), &RetryPolicy::PAGE);
        let patience = clock.sleep(SECOND / 100);
        futures::pin_mut!(given_up);
        assert!(matches!(futures::future::select(given_up, patience).await, futures::future::Either::Right(_)));
    });
    // One of two hits is used, and counts until ten seconds after the request may have arrived.
    let waited = upstream.send(&client, 2);
    assert!(waited >= SECOND * 10, "{waited:?}");
    assert_eq!(upstream.refused(), 0);
}

#[test]
fn a_problem_names_the_header_the_field_and_the_text() {
    let problem = RateHeaderError {
        header: "x-rate-limit-ip".to_owned(),
        field: "period",
        problem: "is missing",
        value: "2".to_owned(),
    };
    assert_eq!(problem.to_string(), r#"header x-rate-limit-ip: period is missing in "2""#);
}
