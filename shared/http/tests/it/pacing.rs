//! The gate that all callers of one client share.

use std::time::Duration;

use futures::future::join_all;
use stint_http::{PaceCounts, RateLimited, RetryPolicy};

use crate::log::logged;
use crate::scripted::{HOST, HttpWorld, answer, ok, request, too_many};

const SECOND: Duration = Duration::from_secs(1);

/// Sends `count` queries at once. Returns how many succeeded.
fn send_all(world: &HttpWorld, count: usize) -> usize {
    let client = world.client.clone();
    world.run(async move {
        let request = |_| client.send(request("/x"), &RetryPolicy::QUERY);
        let outcomes = join_all((0..count).map(request)).await;
        outcomes.iter().filter(|outcome| outcome.is_ok()).count()
    })
}

#[test]
fn a_short_refusal_is_waited_out_exactly() {
    for (header, milliseconds) in [("7", 7000), ("60", 60_000), ("0", 1000), ("Fri, 20 Nov 2026 10:00:09 GMT", 9000)] {
        let world = HttpWorld::new([too_many(header), ok("done")]);
        assert_eq!(send_all(&world, 1), 1);
        assert_eq!(world.times(), [0, milliseconds], "{header}");
        let waited = Duration::from_millis(u64::try_from(milliseconds).expect("small"));
        assert_eq!(world.client.pace_counts(), PaceCounts { short_limits: 1, waits: 1, waited });
    }
}

#[test]
fn a_refusal_that_names_no_time_is_waited_out_for_half_a_minute_and_said_once() {
    let world = HttpWorld::new([answer(429, &[], ""), answer(429, &[], ""), ok("done")]);
    let (sent, log) = logged(|| send_all(&world, 1));
    assert_eq!((sent, world.times()), (1, vec![0, 30_000, 60_000]));
    assert_eq!(log.matches("without a Retry-After").count(), 1, "{log}");
}

#[test]
fn one_refusal_stops_every_caller_of_the_client() {
    // One request a second, answered after 1.5 s: the first refusal arrives while the third caller waits for its slot.
    let outcomes = [too_many("10"), ok("b"), ok("c"), ok("a")];
    let world = HttpWorld::slow(outcomes, SECOND * 3 / 2, SECOND);
    assert_eq!(send_all(&world, 3), 3);
    assert_eq!(world.times(), [0, 1000, 11_500, 12_500]);
    assert_eq!(world.client.pace_counts().short_limits, 1);
}

#[test]
fn requests_keep_their_distance() {
    let world = HttpWorld::slow((0..4).map(|_| ok("page")), Duration::ZERO, SECOND * 2);
    assert_eq!(send_all(&world, 4), 4);
    assert_eq!(world.times(), [0, 2000, 4000, 6000]);
    assert_eq!(world.client.pace_counts(), PaceCounts::default());
}

#[test]
fn waiting_out_ends_and_the_caller_hears_of_it() {
    let world = HttpWorld::new((0..6).map(|_| too_many("10")));
    let client = world.client.clone();
    let error = world.run(async move { client.send(request("/x"), &RetryPolicy::QUERY).await }).expect_err("error");
    let limited = RateLimited { host: HOST.to_owned(), retry_after: Some(SECOND * 10) };
    assert_eq!(error.rate_limited(), Some(&limited));
    assert_eq!(world.times(), [0, 10_000, 20_000, 30_000, 40_000, 50_000]);
}
