//! The whole fleet at its limit: thousands of pages, and the requests that the limits allow.

use std::time::Duration;

use stint_core::clock::{Clock, between};
use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::{Faults, Options, Window};
use stint_testkit::{FaultPlan, extent};

use crate::world::{World, busy_river, run_scenario};

/// How many pages are followed: ten thousand in the long run.
fn pages() -> u64 {
    extent(2_500, 10_000)
}

/// Follows this many pages under these limits. Returns the share of the allowed requests that was used.
fn utilisation(options: Options, flags: &[&str], pages: u64) -> f64 {
    let world = World::new(options, flags);
    run_scenario(&world, async {
        let process = world.start();
        let begun = world.clock.now();
        let fetched_at = process.run_until_fetched(pages).await;
        let took = between(begun, fetched_at);
        let requests = world.counters().pages.iter().filter(|page| page.at <= fetched_at).count();
        let permitted = process.api.limits().unwrap().permitted(took);
        let audit = world.assert_whole(ChangeId::BEGINNING).await;
        assert!(audit.pages >= pages);
        let progress = world.progress().await;
        assert_eq!((progress.totals.lost, progress.totals.client_errors), (0, 0));
        assert_eq!(progress.totals.header, progress.totals.fetched);
        requests as f64 / permitted
    })
}

#[test]
fn thousands_of_pages_at_two_a_second() {
    // More than elsewhere, because what is lost while the limit is learned must be less than 2 %.
    let used = utilisation(busy_river(1), &[], extent(4_000, 10_000));
    assert!(used >= 0.98, "{used}");
}

#[test]
fn thousands_of_pages_at_a_faster_limit_of_two_windows() {
    let windows = vec![Window::of(6, 1, 60), Window::of(300, 60, 600)];
    let latency = (Duration::from_millis(20), Duration::from_millis(25));
    let used = utilisation(Options { windows, latency, edits_per_second: 100, ..busy_river(2) }, &[], pages());
    assert!(used >= 0.98, "{used}");
}

#[test]
fn thousands_of_pages_while_everything_goes_wrong() {
    let pages = pages();
    let faults = Faults { bad_gateway: 5, unavailable: 1, cut: 20 };
    let river = Options { faults, edits_per_second: 30, ..busy_river(3) };
    let world = World::new(river, &[]);
    run_scenario(&world, async {
        let (mut step, mut lives) = (500, 0);
        while world.progress().await.totals.fetched < pages {
            let faults = FaultPlan::kill_at(step);
            let process = world.start_with(&faults);
            faults.run(process.run_until_fetched(pages)).await;
            // The same message twice, as queues may deliver it.
            let twice = stint_core::ports::NewMessage::new("{}");
            world.stores.chain_queue.send(&[twice.clone(), twice]).await.unwrap();
            (step, lives) = (step * 3 / 2 + 7, lives + 1);
        }
        world.start().run_until_fetched(pages + 20).await;
        let audit = world.assert_whole(ChangeId::BEGINNING).await;
        assert!(audit.pages >= pages && lives >= 5, "{lives} lives");
        let progress = world.progress().await;
        assert!(progress.totals.cut > pages / 100, "{:?}", progress.totals);
        assert_eq!(progress.totals.lost, 0);
    });
}

/// A window of ten minutes that is full after fifteen seconds: waiting for it is not work in progress.
#[test]
fn a_host_that_stops_need_not_wait_for_a_limit() {
    let windows = vec![Window::of(6, 1, 60), Window::of(30, 600, 600)];
    let world = World::new(Options { windows, ..busy_river(5) }, &[]);
    run_scenario(&world, async {
        let begun = world.clock.now();
        world.start().run_while(world.pass(Duration::from_secs(60))).await;
        let took = between(begun, world.clock.now());
        assert!(took < Duration::from_secs(63), "{took:?}");
        let status = world.stores.chain.read().await.unwrap().unwrap();
        assert_eq!((status.leased_until, world.counters().page_requests), (None, 30));
        assert_eq!(world.counters().client_errors, 0);
    });
}

/// Five megabytes at two megabytes a second take two and a half seconds: five times as long as the limit requires.
#[test]
fn the_chain_keeps_the_pace_of_the_limit_and_not_of_the_download() {
    const PAGES: u64 = 24;
    let took = |bytes_per_second| {
        let river = Options {
            stashes_per_page: 100,
            items_per_stash: (60, 75),
            edits_per_second: 300,
            stashes: 500,
            unlisted: 0,
            bytes_per_second,
            ..busy_river(4)
        };
        let world = World::new(river, &[]);
        run_scenario(&world, async {
            let begun = world.clock.now();
            let fetched_at = world.start().run_until_fetched(PAGES).await;
            let mean =
                world.counters().pages.iter().map(|page| page.bytes).sum::<u64>() / world.counters().page_requests;
            assert!((4_000_000..6_500_000).contains(&mean), "{mean} bytes");
            world.assert_whole(ChangeId::BEGINNING).await;
            between(begun, fetched_at)
        })
    };
    let (at_once, streamed) = (took(None), took(Some(2_000_000)));
    assert!(streamed <= at_once + Duration::from_millis(100), "{streamed:?} against {at_once:?}");
    assert!(at_once < Duration::from_secs(PAGES), "{at_once:?}");
}
