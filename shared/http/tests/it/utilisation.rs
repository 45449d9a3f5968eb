//! How much of the permitted rate is used, without any refusal, on networks of many kinds.

use std::time::Duration;

use stint_http::{Headroom, LimitOptions};

use crate::counting::{Counting, Limit, Network, Upstream, pseudo_random};

/// The number of requests in a run: enough to see a rare refusal, or to learn a network and use it.
const MANY: u64 = 10_000;
const SOME: u64 = 1_500;

const LIMITS: [&[Limit]; 5] =
    [&[(2, 1, 60)], &[(3, 1, 60)], &[(10, 1, 60)], &[(30, 5, 60)], &[(5, 2, 60), (30, 20, 300)]];

fn micros(number: u64) -> Duration {
    Duration::from_micros(number)
}

/// 15 ms to the upstream and 15 ms back, and up to 5 ms more each way.
fn near(number: u64) -> (Duration, Duration) {
    (micros(15_000 + pseudo_random(number, 1, 5_000)), micros(15_000 + pseudo_random(number, 2, 5_000)))
}

/// 50 ms each way, and up to 10 ms more; one request in fifty takes up to a fifth of a second longer.
fn far(number: u64) -> (Duration, Duration) {
    let late = if pseudo_random(number, 3, 50) == 0 { pseudo_random(number, 4, 200_000) } else { 0 };
    (micros(50_000 + pseudo_random(number, 1, 10_000) + late), micros(50_000 + pseudo_random(number, 2, 10_000)))
}

/// 40 to 60 ms, counted at a random moment of the round trip: no network does that, but an upstream might.
fn at_any_moment(number: u64) -> (Duration, Duration) {
    let round_trip = 40_000 + pseudo_random(number, 1, 20_000);
    let out = pseudo_random(number, 2, round_trip);
    (micros(out), micros(round_trip - out))
}

/// Up to 100 ms before a request is counted, and almost none after.
fn counted_late(number: u64) -> (Duration, Duration) {
    (micros(pseudo_random(number, 1, 100_000)), micros(200))
}

struct Outcome {
    refused: u64,
    /// The share of what the strictest window permits.
    of_the_limit: f64,
    /// The share of what it permits with one hit less.
    of_one_less: f64,
}

fn outcome(requests: u64, limits: &[Limit], network: Network, counting: Counting, headroom: Headroom) -> Outcome {
    let upstream = Upstream::new(limits, network, counting);
    let client = upstream.client(LimitOptions { headroom, most_client_errors: u32::MAX, ..LimitOptions::default() });
    let elapsed = upstream.send(&client, requests).as_secs_f64();
    assert_eq!(upstream.most_under_way(), 1);
    let used = |spared: u32| {
        let rate = |(hits, period, _): &Limit| f64::from(hits - spared) / *period as f64;
        requests as f64 / (limits.iter().map(rate).fold(f64::INFINITY, f64::min) * elapsed)
    };
    Outcome { refused: upstream.refused(), of_the_limit: used(0), of_one_less: used(1) }
}

#[test]
fn a_spared_hit_takes_up_whatever_a_network_does() {
    for (name, network) in [("near", near as Network), ("far", far), ("any", at_any_moment), ("late", counted_late)] {
        for counting in [Counting::Sliding, Counting::Fixed] {
            for limits in LIMITS {
                // With one request in flight, ten requests do not fit into a second at round trips of 100 ms.
                if name == "far" && limits[0].0 == 10 {
                    continue;
                }
                let outcome = outcome(SOME, limits, network, counting, Headroom::Always);
                assert_eq!(outcome.refused, 0, "{name} {counting:?} {limits:?}");
                assert!(outcome.of_one_less >= 0.98, "{name} {counting:?} {limits:?}: {}", outcome.of_one_less);
            }
        }
    }
}

#[test]
fn the_whole_limit_is_used_once_the_network_is_known() {
    let networks =
        [("near", near as Network, LIMITS[0], 0.98), ("near", near, LIMITS[2], 0.98), ("far", far, LIMITS[0], 0.98)];
    for (name, network, limits, least) in networks {
        let outcome = outcome(MANY, limits, network, Counting::Sliding, Headroom::WhenUnsure);
        assert_eq!(outcome.refused, 0, "{name} {limits:?}");
        assert!(outcome.of_the_limit >= least, "{name} {limits:?}: {}", outcome.of_the_limit);
    }
}

/// On virtual time a request is sent at the very moment at which a hit leaves its window. With a real clock it is sent
/// later, and the hit left earlier; the proof must still succeed.
#[test]
fn the_whole_limit_is_used_though_the_clock_wakes_late() {
    let late = |millis| Duration::from_millis(millis);
    for (limits, late, least) in
        [(LIMITS[0], late(1), 0.96), (LIMITS[2], late(1), 0.96), (LIMITS[4], late(1), 0.96), (LIMITS[0], late(15), 0.9)]
    {
        let upstream = Upstream::new(limits, near, Counting::Sliding);
        let client =
            upstream.late_client(late, LimitOptions { most_client_errors: u32::MAX, ..LimitOptions::default() });
        let elapsed = upstream.send(&client, SOME).as_secs_f64();
        let rate =
            limits.iter().map(|(hits, period, _)| f64::from(*hits) / *period as f64).fold(f64::INFINITY, f64::min);
        let used = SOME as f64 / (rate * elapsed);
        assert_eq!(upstream.refused(), 0, "{limits:?}");
        assert!(used >= least, "{limits:?} {late:?}: {used}");
    }
}

#[test]
fn nothing_is_refused_while_the_network_is_learned_and_after() {
    for network in [near as Network, far] {
        for counting in [Counting::Sliding, Counting::Fixed] {
            for limits in LIMITS {
                let outcome = outcome(SOME, limits, network, counting, Headroom::WhenUnsure);
                assert_eq!(outcome.refused, 0, "{counting:?} {limits:?}");
                // With one request in flight, a round trip of 100 ms permits ten requests a second, less the time they
                // wait.
                assert!(outcome.of_the_limit >= 0.85, "{counting:?} {limits:?}: {}", outcome.of_the_limit);
            }
        }
    }
}

#[test]
fn an_upstream_that_counts_when_it_likes_is_found_out_before_it_refuses() {
    for (name, network) in [("any", at_any_moment as Network), ("late", counted_late)] {
        for limits in LIMITS {
            let outcome = outcome(SOME, limits, network, Counting::Sliding, Headroom::WhenUnsure);
            assert_eq!(outcome.refused, 0, "{name} {limits:?}");
            assert!(outcome.of_the_limit >= 0.9, "{name} {limits:?}: {}", outcome.of_the_limit);
        }
    }
}
