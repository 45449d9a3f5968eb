//! Which requests are repeated, and which never are.

use std::time::Duration;

use http::StatusCode;
use stint_http::{
    AddressLimit, ChallengeMark, Client, HttpError, HttpResponse, RetryPolicy, TokenSource, TransportError,
};

use crate::scripted::{HttpWorld, answer, broken, ok, request, timed_out, too_many, unreachable};

fn send(world: &HttpWorld, policy: RetryPolicy) -> Result<HttpResponse, HttpError> {
    let client = world.client.clone();
    world.run(async move { client.send(request("/x"), &policy).await })
}

#[test]
fn an_answer_brings_its_limits_along() {
    let world =
        HttpWorld::new([answer(200, &[("x-ratelimit-limit", "300"), ("x-ratelimit-remaining", "299")], "hello")]);
    let answer = send(&world, RetryPolicy::QUERY).expect("answer");
    assert_eq!(answer.body, "hello");
    assert_eq!(answer.address_limit, AddressLimit { limit: Some(300), remaining: Some(299) });
}

#[test]
fn a_query_is_repeated_only_if_the_upstream_cannot_have_seen_it() {
    let world = HttpWorld::new([unreachable(), unreachable(), ok("done")]);
    assert!(send(&world, RetryPolicy::QUERY).is_ok());
    assert_eq!(world.seen().len(), 3);
    // Two waits, of at most 1 s and 2 s, and of at least half of that.
    let elapsed = world.elapsed();
    assert!(elapsed >= Duration::from_millis(1500) && elapsed <= Duration::from_secs(3), "{elapsed:?}");
}

#[test]
fn a_query_that_may_have_been_billed_is_never_sent_twice() {
    for outcome in [timed_out(), broken(), answer(500, &[], ""), answer(502, &[], ""), answer(524, &[], "")] {
        let world = HttpWorld::new([outcome]);
        let error = send(&world, RetryPolicy::QUERY).expect_err("error");
        assert!(error.may_be_billed(), "{error}");
        assert_eq!(world.seen().len(), 1);
        assert_eq!(world.elapsed(), Duration::ZERO);
    }
}

#[test]
fn a_page_is_repeated_after_any_passing_fault() {
    let world = HttpWorld::new([timed_out(), broken(), answer(503, &[], "busy"), ok("page")]);
    assert_eq!(send(&world, RetryPolicy::PAGE).expect("answer").body, "page");
    assert_eq!(world.seen().len(), 4);
}

#[test]
fn attempts_end() {
    let world = HttpWorld::new((0..4).map(|_| unreachable()));
    let error = send(&world, RetryPolicy::QUERY).expect_err("error");
    assert!(matches!(error, HttpError::Transport(TransportError::Unreachable { .. })));
    assert!(!error.may_be_billed());
    assert_eq!(world.seen().len(), 4);
}

#[test]
fn an_answer_that_is_too_large_is_not_asked_for_again() {
    let too_large = TransportError::TooLarge { host: String::from("upstream.example"), max_body: 10 };
    let world = HttpWorld::new([Err(too_large)]);
    assert!(send(&world, RetryPolicy::PAGE).is_err());
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn runs_are_the_same_each_time() {
    let times = || {
        let world = HttpWorld::new([broken(), broken(), broken(), ok("page")]);
        send(&world, RetryPolicy::PAGE).expect("answer");
        world.times()
    };
    assert_eq!(times(), times());
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let world = HttpWorld::new([answer(503, &[("retry-after", "50")], "busy"), ok("page")]);
    assert!(send(&world, RetryPolicy::PAGE).is_ok());
    assert_eq!(world.times(), [0, 50_000]);

    let world = HttpWorld::new([answer(503, &[("retry-after", "600")], "maintenance")]);
    let error = send(&world, RetryPolicy::PAGE).expect_err("error");
    let HttpError::Status { retry_after, excerpt, .. } = error else { panic!("{error}") };
    assert_eq!((retry_after, excerpt.as_str()), (Some(Duration::from_secs(600)), "maintenance"));
    assert_eq!(world.elapsed(), Duration::ZERO);
}

#[test]
fn a_client_error_is_an_answer() {
    let world = HttpWorld::new([answer(404, &[], "no such page")]);
    let answer = send(&world, RetryPolicy::PAGE).expect("answer");
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let error = answer.success().expect_err("no success");
    assert_eq!(error.to_string(), "unexpected status 404 Not Found from upstream.example: no such page");
}

#[test]
fn a_challenge_is_returned_at_once_whatever_the_policy() {
    for (outcome, mark) in [
        (answer(403, &[("cf-mitigated", "challenge")], ""), ChallengeMark::Header),
        (answer(503, &[("retry-after", "5")], "<title>Just a moment...</title>"), ChallengeMark::Page),
        (answer(302, &[("location", "https://upstream.example/human-challenge")], ""), ChallengeMark::Redirect),
    ] {
        let world = HttpWorld::new([outcome]);
        let error = send(&world, RetryPolicy::PAGE).expect_err("error");
        let HttpError::Challenged { challenge, .. } = error else { panic!("{error}") };
        assert_eq!(challenge.mark, mark);
        assert_eq!(world.elapsed(), Duration::ZERO);
    }
}

#[test]
fn a_long_refusal_is_returned_and_never_slept() {
    for (header, seconds) in [("61", 61), ("Fri, 20 Nov 2026 10:30:00 GMT", 1800), ("31536000", 86_400)] {
        let world = HttpWorld::new([too_many(header)]);
        let error = send(&world, RetryPolicy::QUERY).expect_err("error");
        let limited = error.rate_limited().expect("rate limited");
        assert_eq!(limited.retry_after, Some(Duration::from_secs(seconds)));
        assert!(!error.may_be_billed());
        assert_eq!(world.elapsed(), Duration::ZERO);
    }
}

/// Never called.
#[expect(dead_code, reason = "that it compiles is the test")]
fn futures_can_move_between_threads(client: &Client, tokens: &TokenSource) {
    fn assert_send(_: impl Send) {}
    assert_send(client.send(request("/x"), &RetryPolicy::PAGE));
    assert_send(client.authorized(request("/x"), tokens, &RetryPolicy::QUERY));
}
