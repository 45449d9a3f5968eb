//! Aggregators whose time ends before their work does, and runs that set the wake-up that started them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::{Clock, ManualClock, after};
use stint_core::ports::PortResult;
use stint_core::worker::Event;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::next_worker::{ALL_FRESH, DUE_AGAIN, LAST_IN_FLIGHT, NEXT_DUE, NEXT_RULE, STILL_IN_FLIGHT};
use stint_warcraftlogs::store::{Backlog, Discovered, Discovers, Due, Freshness, MilestoneTimes, Page, Pause};

use crate::world::{FleetWorld, Setup, run_scenario};

/// Time-out of an invocation.
const TIME: Duration = Duration::from_secs(900);

/// A collection that is slow to read, or in which no player is wanted any more.
struct SlowDiscovers {
    inner: Arc<dyn Discovers>,
    clock: ManualClock,
    /// How long reading a page of due players takes.
    page_takes: Duration,
    /// Whether there is always another page.
    endless: bool,
    unwanted: bool,
}

#[async_trait]
impl Discovers for SlowDiscovers {
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()> {
        self.inner.merge(seen).await
    }

    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>> {
        self.inner.page(after, max).await
    }

    async fn due(&self, after: Option<PlayerId>, max: usize, freshness: &Freshness) -> PortResult<Page<Due, PlayerId>> {
        self.clock.sleep(self.page_takes).await;
        let page = self.inner.due(after, max, freshness).await?;
        let next = page.next.or(self.endless.then_some(PlayerId::MAX >> 1));
        Ok(Page { next, ..page })
    }

    async fn get(&self, ids: &[PlayerId]) -> PortResult<Page<Discovered, PlayerId>> {
        self.inner.get(ids).await
    }

    async fn still_wanted(&self, players: &[Discovered]) -> PortResult<Vec<Discovered>> {
        let mut wanted = self.inner.still_wanted(players).await?;
        if self.unwanted {
            wanted.iter_mut().for_each(|player| player.raids_to_scrap = RaidsToScrap::default());
        }
        Ok(wanted)
    }

    async fn mark_sent(&self, sent: &[Discovered], queued_at: Timestamp) -> PortResult<()> {
        self.inner.mark_sent(sent, queued_at).await
    }

    async fn forget_queued(&self) -> PortResult<()> {
        self.inner.forget_queued().await
    }

    async fn count(&self) -> PortResult<u64> {
        self.inner.count().await
    }

    async fn backlog(&self, freshness: &Freshness) -> PortResult<Backlog> {
        self.inner.backlog(freshness).await
    }
}

/// Runs an aggregator on such a collection, and returns its report and the milestones that it stored.
async fn aggregate(world: &FleetWorld, page_takes: Duration, endless: bool, unwanted: bool) -> (Value, MilestoneTimes) {
    let inner = world.stores.discovers.clone();
    let mut stores = world.stores.clone();
    stores.discovers = Arc::new(SlowDiscovers { inner, clock: world.clock.clone(), page_takes, endless, unwanted });
    let fleet = world.start_on(stores);
    let report = fleet.invoke("aggregator", Event::Manual(Value::Null), TIME).await.unwrap().report;
    (report, world.stores.milestones.reached().await.unwrap())
}

/// The names of all wake-ups.
async fn wakeups(world: &FleetWorld) -> Vec<String> {
    world.stores.wakeups.list().await.unwrap().into_iter().map(|wakeup| wakeup.name).collect()
}

async fn discovered(world: &FleetWorld) {
    world.add_rules(0).await;
    world.start().discover_everything().await;
    for wakeup in wakeups(world).await {
        world.stores.wakeups.cancel(stint_warcraftlogs::FLEET, &wakeup).await.unwrap();
    }
}

#[test]
fn an_aggregator_that_had_no_time_to_look_at_all_or_to_send_is_woken_again() {
    for (page_takes, endless, queued) in [(700, true, 40), (890, false, 0)] {
        let world = Setup::new(5, 40).rankings(&[(26, 4)]).build();
        run_scenario(&world, async {
            discovered(&world).await;
            let (report, reached) = aggregate(&world, Duration::from_secs(page_takes), endless, false).await;
            assert_eq!((report["due"].as_u64(), report["queued"].as_u64()), (Some(40), Some(queued)));
            assert_eq!(reached.aggregated, None, "it has not read all players, or not sent all");
            assert_eq!(reached.queued.is_some(), queued > 0);
            world.start().run("discover").await;
            assert!(wakeups(&world).await.contains(&ALL_FRESH.to_owned()));
            assert_eq!(world.start().run("aggregator").await["queued"], 40 - queued);
            assert!(world.stores.milestones.reached().await.unwrap().aggregated.is_some());
        });
    }
}

#[test]
fn nothing_is_queued_where_nothing_was_sent() {
    let world = Setup::new(5, 40).rankings(&[(26, 4)]).build();
    run_scenario(&world, async {
        discovered(&world).await;
        let (report, reached) = aggregate(&world, Duration::ZERO, false, true).await;
        assert_eq!((report["due"].as_u64(), report["queued"].as_u64()), (Some(40), Some(0)));
        assert!(reached.aggregated.is_some() && reached.queued.is_none(), "{reached:?}");
    });
}

/// EventBridge Scheduler deletes it after it fired, even if it was rewritten meanwhile.
#[test]
fn a_discovery_never_sets_the_wake_up_that_has_started_it() {
    let world = Setup::new(5, 40).rankings(&[(26, 4)]).build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        let rule = world.stores.rules.list().await.unwrap().documents.remove(0).rule.id;
        let run = async |wakeup: &str| {
            for known in wakeups(&world).await {
                world.stores.wakeups.cancel(stint_warcraftlogs::FLEET, &known).await.unwrap();
            }
            let event = Event::Tick { due: world.clock.now(), wakeup: Some(wakeup.to_owned()) };
            fleet.invoke("discover", event, TIME).await.unwrap();
            let mut set = wakeups(&world).await;
            set.retain(|wakeup| wakeup != ALL_FRESH);
            set
        };
        // The only rule is read, and again a day later.
        let after_rule = format!("{NEXT_RULE}{rule}");
        assert_eq!(run(&after_rule).await, [NEXT_DUE]);
        world.pass(24 * 3600).await;
        assert_eq!(run(NEXT_DUE).await, [after_rule]);
        // Nothing is due.
        assert_eq!(run(NEXT_DUE).await, [DUE_AGAIN]);
        assert_eq!(run(DUE_AGAIN).await, [NEXT_DUE]);
        world.pass(24 * 3600).await;
        let claim = world.stores.rules.claim_due(Timestamp::MAX, TIME).await.unwrap().unwrap();
        let pause = Pause { until: after(world.clock.now(), TIME), reason: "the site refused the request".into() };
        world.stores.rules.give_back(&claim, Some(pause)).await.unwrap();
        assert_eq!(run(NEXT_DUE).await, [DUE_AGAIN]);
    });
}

#[test]
fn an_aggregator_never_sets_the_wake_up_that_has_started_it() {
    let world = Setup::new(5, 1).build();
    run_scenario(&world, async {
        world.queue_all().await;
        let in_flight = world.stores.queue.receive(10).await.unwrap();
        assert_eq!(in_flight.len(), 1);
        let fleet = world.start();
        for (fired, set) in [(LAST_IN_FLIGHT, STILL_IN_FLIGHT), (STILL_IN_FLIGHT, LAST_IN_FLIGHT)] {
            let event = Event::Tick { due: world.clock.now(), wakeup: Some(fired.to_owned()) };
            fleet.invoke("aggregator", event, TIME).await.unwrap();
            assert_eq!(wakeups(&world).await, [set]);
            world.stores.wakeups.cancel(stint_warcraftlogs::FLEET, set).await.unwrap();
        }
    });
}
