//! Restarts after a follower was killed, and how long the fleet waits for its lease.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use stint_core::clock::{Clock, between};
use stint_core::ports::{PortError, PortResult};
use stint_poe_stashes::follower::resume;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::{PageKey, PageStream, Pages, Progress, Stopped, Upload};
use stint_standins::poe_stashes::{Faults, Options};
use stint_testkit::FaultPlan;

use crate::world::{World, busy_river, run_scenario};

const LEASE: Duration = Duration::from_secs(30);

#[test]
fn the_chain_continues_when_the_crashed_followers_lease_ends() {
    // After the kill: at once, after a while, and when its lease has already ended.
    for (passed, waits) in [(0, 30), (20, 10), (40, 0)] {
        let world = World::new(busy_river(1), &[]);
        run_scenario(&world, async {
            world.stores.chain.claim(LEASE).await.unwrap().unwrap();
            world.pass(Duration::from_secs(passed)).await;
            let begun = world.clock.now();
            let waited = between(begun, world.start().run_until_fetched(1).await);
            let expected = Duration::from_secs(waits);
            assert!(waited >= expected && waited < expected + Duration::from_secs(1), "{waited:?}, not {expected:?}");
        });
    }
}

/// Completes with `work`, and checks that the chain is claimed all the while.
async fn assert_always_claimed<T>(world: &World, work: impl Future<Output = T>) -> T {
    let looks = Cell::new(0);
    let watched = Box::pin(async {
        loop {
            world.pass(Duration::from_millis(100)).await;
            let status = world.stores.chain.read().await.unwrap().unwrap();
            assert!(status.leased_until.unwrap() > world.clock.now(), "the lease ran out at {}", world.clock.now());
            looks.set(looks.get() + 1);
        }
    });
    // The other future never ends.
    let Either::Left((done, _)) = select(Box::pin(work), watched).await;
    assert!(looks.get() > 20, "{} looks", looks.get());
    done
}

#[test]
fn a_short_lease_is_renewed_in_time() {
    // At the end of the river, where it waits for up to half a minute.
    let river = Options { edits_per_second: 0, history: Duration::from_secs(400), ..busy_river(2) };
    let world = World::new(river, &["--poe-lease-seconds=1"]);
    run_scenario(&world, async {
        let process = world.start();
        assert_always_claimed(&world, process.run("follower", serde_json::Value::Null)).await;
    });
}

#[test]
fn a_search_that_waits_keeps_its_lease() {
    let faults = Faults { unavailable: 400, ..Faults::default() };
    let world = World::new(Options { faults, ..busy_river(3) }, &["--poe-start=tail"]);
    run_scenario(&world, async {
        assert_always_claimed(&world, world.start().fetch(1)).await;
        assert!(world.counters().failed > 0);
    });
}

#[test]
fn a_crash_while_resuming_a_stopped_chain_delays_no_follower() {
    let world = World::new(busy_river(4), &[]);
    run_scenario(&world, async {
        let chain = &world.stores.chain;
        for step in 1..=4 {
            let claim = chain.claim(LEASE).await.unwrap().unwrap();
            let stopped = Some(Stopped { at: world.clock.now(), reason: "a ban".to_owned() });
            assert!(chain.release(&claim, &Progress { stopped, ..claim.progress.clone() }).await.unwrap());
            let faults = FaultPlan::kill_at(step);
            faults.run(resume(&*world.faulty_chain(&faults))).await;
            let reason = resume(&**chain).await.unwrap().map(|stopped| stopped.reason);
            // At its last step it had already done its work.
            assert_eq!(reason.as_deref(), (step < 4).then_some("a ban"), "killed at step {step}");
            assert_eq!(chain.read().await.unwrap().unwrap().progress.stopped, None);
        }
    });
}

/// A store that was down for twenty minutes: by then a failed message has a delay of an hour.
#[test]
fn the_chain_continues_within_two_minutes_when_a_store_is_back() {
    let mut world = World::new(busy_river(9), &[]);
    let pages =
        Arc::new(UnavailablePages { pages: world.stores.pages.clone(), is_unavailable: AtomicBool::new(false) });
    world.stores.pages = pages.clone();
    run_scenario(&world, async {
        world
            .start()
            .run_while(async {
                world.pass(Duration::from_secs(30)).await;
                pages.is_unavailable.store(true, Ordering::Relaxed);
                world.pass(Duration::from_secs(20 * 60)).await;
                pages.is_unavailable.store(false, Ordering::Relaxed);
                let before = world.progress().await.totals.stored;
                world.pass(Duration::from_secs(125)).await;
                assert!(world.progress().await.totals.stored > before, "no follower has the chain");
            })
            .await;
        world.assert_whole(ChangeId::BEGINNING).await;
    });
}

/// A store of pages that may be down.
struct UnavailablePages {
    pages: Arc<dyn Pages>,
    is_unavailable: AtomicBool,
}

#[async_trait]
impl Pages for UnavailablePages {
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>> {
        if self.is_unavailable.load(Ordering::Relaxed) {
            return Err(PortError::backend("could not store a page", "the disk is full"));
        }
        self.pages.begin(key).await
    }

    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>> {
        self.pages.read(key).await
    }
}
