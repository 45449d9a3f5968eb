//! How often the rules and the upstreams' pauses are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{PortError, PortResult};
use stint_warcraftlogs::discovery::upstream;
use stint_warcraftlogs::rank_queries::{LiveRankQueries, RankOptions};
use stint_warcraftlogs::store::{Claim, Page, Pass, Pause, Rule, RuleDoubt, RuleStatus, Rules, UpstreamPause};

use crate::world::{FleetWorld, Setup, run_scenario};

/// Rules that count how often they are read, and that may be unavailable.
struct CountingRules {
    inner: Arc<dyn Rules>,
    lists: AtomicU64,
    upstreams: AtomicU64,
    is_away: AtomicBool,
}

impl CountingRules {
    fn new(world: &FleetWorld) -> Arc<CountingRules> {
        let (lists, upstreams, is_away) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(CountingRules { inner: world.stores.rules.clone(), lists, upstreams, is_away })
    }

    fn lists(&self) -> u64 {
        self.lists.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Rules for CountingRules {
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err(PortError::backend("list the rules", "no connection"));
        }
        self.inner.list().await
    }

    async fn put(&self, rule: &Rule) -> PortResult<()> {
        self.inner.put(rule).await
    }

    async fn remove(&self, id: &str) -> PortResult<bool> {
        self.inner.remove(id).await
    }

    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>> {
        self.inner.claim_due(due_before, lease).await
    }

    async fn store_progress(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool> {
        self.inner.store_progress(claim, pass, lease).await
    }

    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool> {
        self.inner.finish(claim, pass, ran_at).await
    }

    async fn give_back(&self, claim: &Claim, pause: Option<Pause>) -> PortResult<()> {
        self.inner.give_back(claim, pause).await
    }

    async fn doubt(&self, claim: &Claim, pass: Option<&Pass>, doubt: &RuleDoubt, until: Timestamp) -> PortResult<bool> {
        self.inner.doubt(claim, pass, doubt, until).await
    }

    async fn accept(&self, id: &str) -> PortResult<bool> {
        self.inner.accept(id).await
    }

    async fn upstreams(&self) -> PortResult<Vec<UpstreamPause>> {
        self.upstreams.fetch_add(1, Ordering::SeqCst);
        self.inner.upstreams().await
    }

    async fn pause_upstream(&self, pause: &UpstreamPause) -> PortResult<()> {
        self.inner.pause_upstream(pause).await
    }

    async fn resume_upstream(&self, upstream: &str) -> PortResult<bool> {
        self.inner.resume_upstream(upstream).await
    }
}

/// A rule with 40 pages, read one after the other within 40 seconds, and rules that count reads.
fn forty_pages() -> (FleetWorld, Arc<CountingRules>) {
    let mut setup = Setup::new(5, 4_000).rankings(&[(26, 4)]);
    setup.options.latency = (Duration::from_secs(5), Duration::from_secs(5));
    setup.settings.pages_per_thread = 8;
    let world = setup.build();
    let counting_rules = CountingRules::new(&world);
    (world, counting_rules)
}

#[test]
fn the_pauses_are_not_read_before_every_page() {
    let (world, counting_rules) = forty_pages();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let mut stores = world.stores.clone();
        stores.rules = counting_rules.clone();
        let began = world.clock.now();
        let report = world.start_on(stores).run("discover").await;
        let pages = report["pages"].as_u64().unwrap();
        assert!(pages > 20 && report["finished"] == true, "{report}");
        let tens = between(began, world.clock.now()).as_secs() / 10;
        let read = counting_rules.upstreams.load(Ordering::SeqCst);
        // Before the claim, for the next one, and every ten seconds in between.
        assert!(read <= tens + 2 && read < pages, "{read} times in {tens}0 s for {pages} pages");
    });
}

#[test]
fn a_discovery_stops_within_ten_seconds_of_another_one_that_is_refused() {
    let (world, _) = forty_pages();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        let turned_away = async {
            world.pass(12).await;
            let until = after(world.clock.now(), Duration::from_secs(3_600));
            let pause = Pause { until, reason: "the site refused the request".into() };
            world
                .stores
                .rules
                .pause_upstream(&UpstreamPause { upstream: upstream(&world.settings), pause })
                .await
                .unwrap();
            world.clock.now()
        };
        let (report, turned_away) = futures::future::join(fleet.run("discover"), turned_away).await;
        assert!(report["stopped"].as_str().unwrap().contains("refused the request"), "{report}");
        // The pages under way are still read.
        assert!(between(turned_away, world.clock.now()) <= Duration::from_secs(10 + 5), "{report}");
    });
}

#[test]
fn rules_that_cannot_be_read_are_not_asked_for_again_and_again() {
    let world = Setup::new(5, 1).build();
    run_scenario(&world, async {
        let counting_rules = CountingRules::new(&world);
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let rank_queries = LiveRankQueries::new(counting_rules.clone(), RankOptions::default(), clock);
        counting_rules.is_away.store(true, Ordering::SeqCst);
        assert!(rank_queries.refresh().await.is_err(), "while none were ever read there is nothing to go by");
        counting_rules.is_away.store(false, Ordering::SeqCst);
        rank_queries.refresh().await.unwrap();
        assert_eq!(counting_rules.lists(), 2);
        counting_rules.is_away.store(true, Ordering::SeqCst);
        world.pass(60).await;
        for expected in [3, 4, 5] {
            for _ in 0..5 {
                rank_queries.refresh().await.unwrap();
            }
            assert_eq!(counting_rules.lists(), expected);
            world.pass(10).await;
        }
        counting_rules.is_away.store(false, Ordering::SeqCst);
        for _ in 0..5 {
            rank_queries.refresh().await.unwrap();
            world.pass(10).await;
        }
        assert_eq!(counting_rules.lists(), 6, "and once read they are good for a minute");
    });
}
