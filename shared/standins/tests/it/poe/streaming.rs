//! Slow and truncated bodies: the same over both transports, and paced by the rate limit.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use stint_core::clock::{Clock, between};
use stint_http::{RequestLimits, TransportError};
use stint_standins::poe_stashes::{Faults, Options, digest};
use stint_testkit::drive;

use super::client::short;
use super::network::Network;

const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(30), max_body: 16 * 1024 * 1024 };

/// Pages of about 240 kB, or 50 kB compressed.
fn large() -> Options {
    Options { stashes_per_page: 100, items_per_stash: (3, 3), edits_per_second: 100, unlisted: 0, ..short().instant() }
}

fn slow(bytes_per_second: u64) -> Options {
    Options { bytes_per_second: Some(bytes_per_second), ..large() }
}

fn cut(options: Options) -> Options {
    Options { faults: Faults { cut: 1000, ..Faults::default() }, ..options }
}

/// For each scenario, defines one test in process and one over sockets.
macro_rules! over_both_transports {
    ($($scenario:ident($options:expr);)*) => {
        mod in_process {
            $(#[test]
            fn $scenario() {
                let (network, clock) = super::Network::in_process($options);
                stint_testkit::drive(&clock, super::$scenario(&network));
            })*
        }

        mod over_sockets {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(&super::Network::over_sockets($options).await).await;
            })*
        }
    };
}

over_both_transports! {
    a_body_is_what_was_served(super::large());
    a_slow_body_comes_behind_its_head(super::slow(200_000));
    a_cut_body_ends_with_an_error(super::cut(super::large()));
    a_slow_body_can_be_cut(super::cut(super::slow(200_000)));
    a_body_above_the_cap_ends_with_an_error(super::large());
    a_body_that_takes_too_long_ends_with_an_error(super::slow(10_000));
    a_body_that_is_not_read_is_closed(super::slow(10_000));
}

async fn a_body_is_what_was_served(network: &Network) {
    let (next, body) = network.open("0", LIMITS).await.expect("a head");
    let body = body.collect().await.expect("a body");
    let served = &network.upstream.lock().expect("unpoisoned").counters().pages[0];
    assert_eq!((digest(&body), body.len() as u64, &next), (served.digest, served.bytes, &served.next_change_id));
}

async fn a_slow_body_comes_behind_its_head(network: &Network) {
    let (_, mut body) = network.open("0", LIMITS).await.expect("a head");
    let head = network.clock.now();
    let first = body.next().await.expect("a chunk").expect("a chunk");
    let whole = first.len() + body.try_fold(0, async |read, chunk| Ok(read + chunk.len())).await.expect("the rest");
    assert!(between(head, network.clock.now()) >= Duration::from_millis(150));
    assert!(first.len() * 2 < whole, "{} of {whole}", first.len());
}

async fn a_cut_body_ends_with_an_error(network: &Network) {
    let (_, body) = network.open("0", LIMITS).await.expect("a head");
    let error = body.try_for_each(async |_| Ok(())).await.expect_err("cut");
    assert!(matches!(error, TransportError::Broken { .. }), "{error}");
}

async fn a_slow_body_can_be_cut(network: &Network) {
    a_cut_body_ends_with_an_error(network).await;
}

async fn a_body_above_the_cap_ends_with_an_error(network: &Network) {
    let (_, body) = network.open("0", RequestLimits { max_body: 10_000, ..LIMITS }).await.expect("a head");
    let error = body.try_for_each(async |_| Ok(())).await.expect_err("too large");
    assert!(matches!(error, TransportError::TooLarge { max_body: 10_000, .. }), "{error}");
}

async fn a_body_that_takes_too_long_ends_with_an_error(network: &Network) {
    let timeout = Duration::from_millis(300);
    let (_, body) = network.open("0", RequestLimits { timeout, ..LIMITS }).await.expect("a head");
    let error = body.try_for_each(async |_| Ok(())).await.expect_err("too slow");
    assert!(matches!(error, TransportError::TimedOut { timeout: passed, .. } if passed == timeout), "{error}");
}

async fn a_body_that_is_not_read_is_closed(network: &Network) {
    let (next, mut body) = network.open("0", LIMITS).await.expect("a head");
    assert!(matches!(body.next().await, Some(Ok(_))));
    drop(body);
    // The next page can still be read.
    network.open(&next, LIMITS).await.expect("a head");
}

#[test]
fn the_next_page_is_requested_while_the_last_one_streams() {
    // 240 kB at 100 kB a second: each page takes longer than five requests take under the limit.
    let (network, clock) = Network::in_process(Options { history: Duration::from_secs(330), ..slow(100_000) });
    drive(&clock, async {
        let mut id = "0".to_owned();
        let mut bodies = Vec::new();
        let began = clock.now();
        for _ in 0..20 {
            let (next, body) = network.open(&id, LIMITS).await.expect("a head");
            bodies.push(body.collect());
            id = next;
        }
        // Eight at one per second, until the client knows that it stays within the limit, and the others at two per
        // second.
        assert!(between(began, clock.now()) <= Duration::from_secs(15), "{:?}", between(began, clock.now()));
        let bodies = futures::future::try_join_all(bodies).await.expect("bodies");
        let served = network.upstream.lock().expect("unpoisoned").counters().pages;
        assert!(bodies.iter().zip(&served).all(|(body, page)| digest(body) == page.digest));
        assert_eq!(served.len(), 20);
    });
}

#[test]
fn ten_thousand_pages_at_the_limit_without_a_gap_or_an_error() {
    let options = Options {
        edits_per_second: 4,
        stashes_per_page: 3,
        history: Duration::from_secs(5_000),
        items_per_stash: (0, 1),
        ..Options::default()
    };
    let (network, clock) = Network::in_process(options);
    let began = clock.now();
    drive(&clock, async {
        let mut id = "0".to_owned();
        for _ in 0..10_000 {
            id = network.open(&id, LIMITS).await.expect("a page").0;
        }
    });
    let counters = network.upstream.lock().expect("unpoisoned").counters();
    assert_eq!((counters.client_errors, counters.failed, counters.pages.len()), (0, 0, 10_000));
    assert!(counters.pages.windows(2).all(|two| two[1].change_id == two[0].next_change_id));
    let utilisation = 10_000.0 / (2.0 * between(began, clock.now()).as_secs_f64());
    assert!(utilisation >= 0.98, "{utilisation}");
}
