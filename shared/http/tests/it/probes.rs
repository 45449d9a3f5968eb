//! A probe is a single call, and no other request is sent while it runs.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use http::Uri;
use secrecy::SecretString;
use stint_core::circuit::{Health, Intent, Pass};
use stint_core::clock::Clock;
use stint_http::{Breaker, HttpError, LimitOptions, RetryPolicy, TokenError, TokenSource};

use crate::breaker::{SETTINGS, failed, guarded, open, until_due, with};
use crate::breaking_store::Store;
use crate::counting::{Counting, Upstream};
use crate::scripted::{HOST, HttpWorld, ok, request, run, token};

const TEN_SECONDS: Duration = Duration::from_secs(10);

#[test]
fn while_a_probe_is_under_way_no_other_request_leaves() {
    let world = HttpWorld::slow([ok("probe"), ok("never")], TEN_SECONDS, Duration::ZERO);
    let (client, breaker) = guarded(&world);
    let clock = world.clock.clone();
    world.run(async move {
        open(&breaker).await;
        until_due(&clock, &breaker).await;
        let pass = breaker.enter(Intent::Probe).await.expect("a pass");
        let probe = client.send(with(pass, request("/probe")), &RetryPolicy::PAGE);
        for other in [request("/x"), with(Pass::Free, request("/x")), with(Pass::Probe(7), request("/x"))] {
            let error = client.send(other, &RetryPolicy::PAGE).await.expect_err("not sent");
            assert!(matches!(error, HttpError::BreakerOpen { .. }), "{error}");
        }
        let other = client.send(request("/x"), &RetryPolicy::PAGE);
        let (probe, other) = join(probe, other).await;
        assert!(probe.is_ok() && matches!(other, Err(HttpError::BreakerOpen { .. })), "{other:?}");
    });
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn a_half_open_breaker_lets_nothing_leave_that_was_let_in_before() {
    let world = HttpWorld::new([ok("trial")]);
    let (client, breaker) = guarded(&world);
    let clock = world.clock.clone();
    world.run(async move {
        open(&breaker).await;
        until_due(&clock, &breaker).await;
        let probe = breaker.enter(Intent::Probe).await.expect("a pass");
        breaker.report(probe, &Health::Answered).await;
        let error = client.send(request("/x"), &RetryPolicy::PAGE).await.expect_err("not sent");
        assert!(matches!(error, HttpError::BreakerOpen { until, .. } if until == clock.now()), "{error}");
        let trial = breaker.enter(Intent::Work).await.expect("one call may go");
        assert!(client.send(with(trial, request("/x")), &RetryPolicy::PAGE).await.is_ok());
    });
}

#[test]
fn a_probe_whose_lease_has_ended_does_not_leave() {
    let world = HttpWorld::new([ok("never")]);
    let (client, breaker) = guarded(&world);
    let clock = world.clock.clone();
    world.run(async move {
        open(&breaker).await;
        until_due(&clock, &breaker).await;
        let pass = breaker.enter(Intent::Probe).await.expect("a pass");
        clock.advance(SETTINGS.lease);
        let error = client.send(with(pass, request("/x")), &RetryPolicy::PAGE).await.expect_err("not sent");
        assert!(matches!(error, HttpError::BreakerOpen { .. }), "{error}");
    });
    assert_eq!(world.seen().len(), 0);
}

#[test]
fn a_probe_fetches_the_token_that_others_may_not_fetch() {
    let world = HttpWorld::slow([ok("before"), token("t"), ok("probe")], Duration::ZERO, TEN_SECONDS);
    let (client, breaker) = guarded(&world);
    let clock = world.clock.clone();
    world.run(async move {
        let uri = format!("https://{HOST}/token").parse().expect("uri");
        let tokens = TokenSource::new(client.clone(), uri, "shop", SecretString::from("secret"));
        open(&breaker).await;
        until_due(&clock, &breaker).await;
        let pass = breaker.enter(Intent::Probe).await.expect("a pass");
        client.send(with(pass, request("/before")), &RetryPolicy::PAGE).await.expect("answer");
        // This request is first at the gate, and the probe waits for the token that it requests.
        let other = client.authorized(request("/x"), &tokens, &RetryPolicy::QUERY);
        let probe = client.authorized(with(pass, request("/probe")), &tokens, &RetryPolicy::QUERY);
        let (other, probe) = join(other, probe).await;
        let error = other.expect_err("not sent");
        let HttpError::Token(TokenError::Failed { error, .. }) = &error else { panic!("{error}") };
        assert!(matches!(**error, HttpError::BreakerOpen { .. }), "{error}");
        assert!(probe.is_ok(), "{probe:?}");
    });
    let sent: Vec<String> = world.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(sent, ["/before", "/token", "/probe"]);
}

#[test]
fn a_request_that_waits_for_its_limits_does_not_leave_when_the_breaker_opens() {
    let upstream = Upstream::new(&[(1, 60, 60)], |_| (Duration::ZERO, Duration::ZERO), Counting::Sliding);
    let clock = Arc::new(upstream.clock.clone());
    let breaker = Arc::new(Breaker::new("api", Arc::<Store>::default(), clock, SETTINGS));
    let client = upstream.client(LimitOptions::default()).guarded(breaker.clone());
    let asked = client.clone();
    run(&upstream.clock, async move {
        let page = || crate::counting::request("/pages");
        asked.send(page(), &RetryPolicy::PAGE).await.expect("answer");
        let late = asked.send(page(), &RetryPolicy::PAGE);
        let opened = async {
            for _ in 0..SETTINGS.failures {
                breaker.report(Pass::Free, &failed()).await;
            }
        };
        let (late, ()) = join(late, opened).await;
        assert!(matches!(late, Err(HttpError::BreakerOpen { .. })), "{late:?}");
    });
    let opens_at = client.limits().expect("limits").opens_at(&Uri::from_static("https://upstream.example/pages"));
    assert!(opens_at <= Some(upstream.clock.now()), "what was not sent is not counted");
}
