//! From rules to databases without an idle hour: each worker starts the next, and a schedule makes up for a lost
//! wake-up.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, after, between};
use stint_standins::warcraftlogs::Rate;
use stint_warcraftlogs::model::RaidsToScrap;
use stint_warcraftlogs::next_worker::start_fleet;
use stint_warcraftlogs::store::{Discovered, Milestone, Pause};

use crate::world::{Fault, FaultPlan, FleetWorld, Process, Request, Setup, rule, run_scenario};

const HOUR: Duration = Duration::from_secs(3600);

/// A fleet is done within this time, whatever step its process was killed at: the longest schedules in sequence.
const BY_SCHEDULE: Duration = Duration::from_secs(5 * 3600);

async fn start(world: &FleetWorld, fleet: &Process) {
    fleet.set_schedules().await;
    start_fleet(&*world.stores.wakeups, world.clock.now()).await.unwrap();
}

/// Completes when the databases were generated `times` times, or at `limit`.
async fn generated(world: &FleetWorld, fleet: &Process, times: usize, limit: Timestamp) {
    while fleet.reports("db-generator").len() < times {
        assert!(
            world.clock.now() < limit,
            "the databases were generated {} times",
            fleet.reports("db-generator").len()
        );
        world.pass(1).await;
    }
}

/// The rules that were read, in order.
fn rules_read(fleet: &Process) -> Vec<String> {
    let rules =
        fleet.reports("discover").into_iter().filter_map(|entry| Some(entry.report["rule"].as_str()?.to_owned()));
    rules.collect()
}

/// The numbers of players queued by those runs of the aggregator that queued any.
fn queued(fleet: &Process) -> Vec<u64> {
    let reports = fleet.reports("aggregator").into_iter().filter_map(|entry| entry.report["queued"].as_u64());
    reports.filter(|queued| *queued > 0).collect()
}

#[test]
fn a_new_fleet_goes_from_its_rules_to_databases_within_a_minute() {
    let world = Setup::new(41, 600).odd_players().keys(&[3_000, 2_000], 3_600).build();
    run_scenario(&world, async {
        world.add_rules(2).await;
        let (fleet, began) = (world.start(), world.clock.now());
        start(&world, &fleet).await;
        fleet.run_while(generated(&world, &fleet, 1, after(began, 3 * HOUR))).await;
        assert_eq!(rules_read(&fleet).len(), world.population().rankings().len());
        assert_eq!(rules_read(&fleet).iter().collect::<BTreeSet<_>>().len(), world.population().rankings().len());
        assert_eq!(queued(&fleet), [600]);
        let queued_at = world.stores.milestones.reached().await.unwrap().queued.unwrap();
        assert!(between(began, queued_at) < Duration::from_secs(60), "queued at {queued_at}");
        // The keys run dry meanwhile: 600 players cost more than one window.
        world.assert_all_served().await;
    });
}

/// Not before its wake-up, and without polling.
#[test]
fn the_end_of_the_queue_starts_the_aggregator_once() {
    for players in [100, 103, 250] {
        let world = Setup::new(7, players).build();
        run_scenario(&world, async {
            world.add_rules(0).await;
            let (fleet, began) = (world.start(), world.clock.now());
            start(&world, &fleet).await;
            fleet.run_until(after(began, HOUR)).await;
            assert_eq!(fleet.reports("db-generator").len(), 1, "{players} players");
            // At the start, when all rules are fresh, and when the queue is empty.
            assert!(fleet.reports("aggregator").len() <= 4, "{:?}", fleet.reports("aggregator"));
            world.assert_all_served().await;
        });
    }
}

#[test]
fn databases_are_generated_once_for_each_generation_and_once_an_interval_at_the_most() {
    let mut setup = Setup::new(8, 100).rankings(&[(26, 4), (28, 5)]);
    setup.settings.lua_min_interval_minutes = 90;
    let world = setup.build();
    run_scenario(&world, async {
        let (fleet, began) = (world.start(), world.clock.now());
        world.stores.rules.put(&rule(0, (26, 4), (1, 2))).await.unwrap();
        start(&world, &fleet).await;
        let scenario = async {
            generated(&world, &fleet, 1, after(began, HOUR)).await;
            world.stores.rules.put(&rule(1, (28, 5), (1, 2))).await.unwrap();
            start_fleet(&*world.stores.wakeups, world.clock.now()).await.unwrap();
            world.pass(1_200).await;
            assert_eq!(queued(&fleet).len(), 2, "the second rule's players are fetched at once");
            generated(&world, &fleet, 2, after(began, 2 * HOUR)).await;
        };
        fleet.run_while(scenario).await;
        let [first, second] = &fleet.reports("db-generator")[..] else { panic!("two") };
        assert!(between(first.at, second.at) >= Duration::from_secs(90 * 60), "{first:?}, {second:?}");
    });
}

#[test]
fn dead_letters_that_are_sent_back_make_new_databases() {
    let world = Setup::new(9, 40).build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let (fleet, began) = (world.start(), world.clock.now());
        start(&world, &fleet).await;
        let scenario = async {
            generated(&world, &fleet, 1, after(began, HOUR)).await;
            world.pass(1_800).await;
            world.queue_all().await;
            generated(&world, &fleet, 2, after(began, 2 * HOUR)).await;
        };
        fleet.run_while(scenario).await;
    });
}

/// While no key's counter was read, the queue gets 10,000 players and no more; with large keys those are done long
/// before the aggregator's schedule.
#[test]
fn players_for_whom_there_was_no_room_are_queued_when_the_queue_is_empty() {
    let world = Setup::new(5, 40).build();
    run_scenario(&world, async {
        let unknown = |number: u64| Discovered { id: 1_000_000_000 + number, raids_to_scrap: RaidsToScrap::one(26, 4) };
        let discovered: Vec<Discovered> = (0..10_040).map(unknown).collect();
        world.stores.discovers.merge(&discovered).await.unwrap();
        let (fleet, began) = (world.start(), world.clock.now());
        assert_eq!(fleet.run("aggregator").await["queued"], 10_000);
        // All but one of them are done at once.
        world.stores.queue.purge(true).await.unwrap();
        let last = world.all_players()[0];
        world.queue(last, world.raids_of(last)).await;
        fleet.run_until(after(began, Duration::from_secs(60))).await;
        assert_eq!(queued(&fleet), [40]);
        assert_eq!(world.dropped().await.len(), 40, "they are fetched, and not known yet");
    });
}

/// Whatever step it was killed at, including between the end of a rule and the wake-up of the next worker.
#[test]
fn a_fleet_that_is_killed_at_any_step_is_done_by_its_schedules() {
    let small = || {
        let mut setup = Setup::new(3, 12).rankings(&[(26, 4), (28, 5)]).keys(&[100], 60);
        setup.settings.concurrency_limit = 2;
        setup.settings.wcl_visibility_seconds = 30;
        setup.build()
    };
    let kill_and_restart = |faults: &FaultPlan| {
        let world = small();
        run_scenario(&world, async {
            world.add_rules(0).await;
            let began = world.clock.now();
            let first = world.start_with(faults);
            let scenario = async {
                start(&world, &first).await;
                first.run_while(generated(&world, &first, 1, after(began, BY_SCHEDULE))).await;
            };
            faults.run(scenario).await;
            // The claimed rule is available again when its lease has expired, and no `up` wakes a worker.
            let second = world.start();
            second.set_schedules().await;
            let limit = after(world.clock.now(), BY_SCHEDULE);
            let done = async {
                while world.stores.milestones.reached().await.unwrap().databases_out_of_date()
                    || pause_of(&world).await > 0
                {
                    assert!(world.clock.now() < limit, "step {}", faults.kill_points());
                    world.pass(60).await;
                }
            };
            second.run_while(done).await;
            world.assert_all_served().await;
            faults.kill_points()
        })
    };
    let kill_points = kill_and_restart(&FaultPlan::none());
    assert!(kill_points > 100, "{kill_points} kill points");
    for step in (1..=kill_points).step_by(7) {
        kill_and_restart(&FaultPlan::kill_at(step));
    }
}

/// Players who are neither ranked nor dropped.
async fn pause_of(world: &FleetWorld) -> usize {
    let done = world.ranked().await.len() + world.dropped().await.len();
    world.all_players().len().saturating_sub(done)
}

#[test]
fn a_schedule_makes_up_for_a_wake_up_that_discovery_did_not_set() {
    let world = Setup::new(3, 60).rankings(&[(26, 4)]).build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let (fleet, began) = (world.start(), world.clock.now());
        // As if the process had exited between the two steps: the rule is finished, and no wake-up is set.
        fleet.run("discover").await;
        for wakeup in world.stores.wakeups.list().await.unwrap() {
            world.stores.wakeups.cancel(stint_warcraftlogs::FLEET, &wakeup.name).await.unwrap();
        }
        fleet.set_schedules().await;
        fleet.run_while(generated(&world, &fleet, 1, after(began, 31 * Duration::from_secs(60)))).await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_paused_rule_does_not_block_the_others_and_is_read_when_its_pause_is_over() {
    let world = Setup::new(3, 300).rankings(&[(26, 4), (28, 5), (28, 4)]).build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let claim = world.stores.rules.claim_due(Timestamp::MAX, HOUR).await.unwrap().unwrap();
        let until = after(world.clock.now(), Duration::from_secs(1_000));
        let pause = Pause { until, reason: "the site refused the request".into() };
        world.stores.rules.give_back(&claim, Some(pause)).await.unwrap();
        let (fleet, began) = (world.start(), world.clock.now());
        start(&world, &fleet).await;
        let scenario = async {
            world.pass(60).await;
            assert_eq!(rules_read(&fleet).len(), 2, "{:?}", fleet.reports("discover"));
            assert_eq!(queued(&fleet), [] as [u64; 0], "the aggregator waits for the third");
            generated(&world, &fleet, 1, after(began, Duration::from_secs(1_100))).await;
        };
        fleet.run_while(scenario).await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_site_that_fails_is_not_asked_again_and_again() {
    let world = Setup::new(3, 300).rankings(&[(26, 4), (28, 5)]).build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.network.fail_all(Request::Page, Fault::Before(500));
        let (fleet, began) = (world.start(), world.clock.now());
        start(&world, &fleet).await;
        let scenario = async {
            world.clock.sleep_until(after(began, 2 * HOUR)).await;
            let runs = fleet.reports("discover").len();
            assert!((20..=32).contains(&runs), "{runs} discoveries in two hours");
            world.network.clear_faults();
            // The breaker probes a site that responds again at least once an hour.
            generated(&world, &fleet, 1, after(began, 3 * HOUR + Duration::from_secs(600))).await;
        };
        fleet.run_while(scenario).await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_site_that_refused_discovery_is_requested_again_after_the_pause_and_not_before() {
    let mut setup = Setup::new(3, 300).rankings(&[(26, 4)]);
    setup.options.site_rate = Some(Rate { burst: 0, refill: Duration::from_secs(1) });
    setup.options.ban.duration = Duration::from_secs(30 * 24 * 3600);
    let world = setup.build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let (fleet, began) = (world.start(), world.clock.now());
        start(&world, &fleet).await;
        fleet.run_until(after(began, 24 * HOUR)).await;
        let counters = world.counters();
        let requests = counters.requests - counters.api_requests;
        // At the start and after each pause of six hours: five pages at once. The other requests are for tokens.
        assert!(requests <= 5 * 5 + 5, "{requests} requests in a day");
    });
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_databases_from_being_generated() {
    let world = Setup::new(9, 40).build();
    run_scenario(&world, async {
        let ahead = after(world.clock.now(), 72 * HOUR);
        for milestone in Milestone::ALL {
            world.stores.milestones.pass(milestone, ahead).await.unwrap();
        }
        world.add_rules(0).await;
        let (fleet, began) = (world.start(), world.clock.now());
        start(&world, &fleet).await;
        fleet.run_while(generated(&world, &fleet, 1, after(began, HOUR))).await;
        world.assert_all_served().await;
    });
}
