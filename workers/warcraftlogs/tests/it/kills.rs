//! A killed process costs no more points than its calls in flight: what was stored by then is not paid for again.

use std::time::Duration;

use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::worker::Event;
use stint_standins::warcraftlogs::{Damage, QueryOutcome, SectionFaults, Shares};
use stint_testkit::extent;
use stint_warcraftlogs::model::PlayerId;
use stint_warcraftlogs::store::Discovered;

use crate::world::{FaultPlan, FleetWorld, Request, Setup, run_scenario};

/// How often each worker is killed.
fn kills() -> u64 {
    extent(20, 40)
}

/// Sixty players with all outcomes and two keys that run dry, so that messages are split and parked.
fn world(seed: u64, concurrency: u32) -> FleetWorld {
    let mut setup = Setup::new(seed, 60).keys(&[130, 90], 10);
    setup.options.shares = Shares { hidden: 60, unknown: 60, never_classed: 30, transferred: 60 };
    setup.options.section_faults = SectionFaults {
        failed: 20,
        absent: 20,
        damage: Some(Damage::TextThenJson),
        counts_sections: true,
        ..SectionFaults::default()
    };
    setup.settings.concurrency_limit = concurrency;
    setup.settings.wcl_visibility_seconds = 8;
    setup.build()
}

/// Number of raids and difficulties with ranks in the store.
async fn stored(world: &FleetWorld) -> u64 {
    world.ranked().await.values().map(|player| player.ranked_in().len() as u64).sum()
}

/// Raids and difficulties paid for but not yet stored when a process ended: the calls in flight.
async fn in_flight(world: &FleetWorld) -> u64 {
    let counters = world.counters();
    assert_eq!(counters.sections_again, 0, "nothing was bought twice before anything was killed");
    counters.sections - stored(world).await
}

async fn assert_not_bought_again(world: &FleetWorld, in_flight: u64, when: &str) {
    world.assert_all_served().await;
    let again = world.counters().sections_again;
    assert!(again <= in_flight, "{when}: {again} raids and difficulties were bought again, {in_flight} were in flight");
}

/// Runs a fleet of four fetchers until the kill point of `faults`, then another one to the end. Returns how many kill
/// points the first one took.
fn kill_the_fleet(seed: u64, faults: &FaultPlan) -> u64 {
    let world = world(seed, 4);
    run_scenario(&world, async {
        world.queue_all().await;
        let busy = after(world.clock.now(), Duration::from_secs(25));
        faults.run(world.start_with(faults).run_until(busy)).await;
        let (steps, in_flight) = (faults.kill_points(), in_flight(&world).await);
        let restarted = world.start();
        restarted.set_schedules().await;
        restarted.run_until_idle().await;
        assert_not_bought_again(&world, in_flight, &format!("seed {seed}, step {steps}")).await;
        steps
    })
}

#[test]
fn a_killed_fleet_pays_again_only_for_calls_in_flight() {
    let kills = kills();
    let kill_points = kill_the_fleet(60, &FaultPlan::none());
    assert!(kill_points > kills, "{kill_points} kill points");
    for kill in 0..kills {
        kill_the_fleet(60 + kill, &FaultPlan::kill_at(1 + (kill * 2 + 1) * kill_points / (2 * kills)));
    }
}

async fn discover(world: &FleetWorld, ids: &[PlayerId]) {
    let seen = ids.iter().map(|id| Discovered { id: *id, raids_to_scrap: world.raids_of(*id) });
    world.stores.discovers.merge(&seen.collect::<Vec<_>>()).await.unwrap();
}

/// Runs an aggregator until the kill point of `faults`, a fleet that serves some of what it sent, and another
/// aggregator, which sends again what was not marked as sent. Returns how many kill points the first one took. There is
/// one fetcher: two fetchers that receive a player's two messages at the same moment cannot detect each other.
fn kill_the_aggregator(seed: u64, faults: &FaultPlan) -> u64 {
    let world = world(seed, 1);
    run_scenario(&world, async {
        world.stores.throttle.set(&stint_warcraftlogs::worker("rank-fetcher"), 1).await.unwrap();
        discover(&world, &world.all_players()).await;
        let killed = world.start_with(faults);
        let run = killed.invoke("aggregator", Event::Manual(Value::Null), Duration::from_secs(900));
        faults.run(run).await;
        let steps = faults.kill_points();
        world.start().run_until(after(world.clock.now(), Duration::from_secs(seed % 5))).await;
        world.start().run("aggregator").await;
        world.start().run_until_idle().await;
        assert_not_bought_again(&world, 0, &format!("seed {seed}, step {steps}")).await;
        steps
    })
}

#[test]
fn a_killed_aggregator_costs_no_points() {
    let kills = kills();
    let kill_points = kill_the_aggregator(60, &FaultPlan::none());
    let mut sent_twice = 0;
    for kill in 0..kills {
        let step = 1 + kill % kill_points;
        kill_the_aggregator(60 + kill, &FaultPlan::kill_at(step));
        sent_twice += u64::from(step > 2);
    }
    assert!(sent_twice > kills / 2, "{kill_points} kill points");
}

#[test]
fn a_hidden_or_unknown_player_is_not_asked_for_again_either() {
    let mut setup = Setup::new(60, 300);
    setup.options.shares = Shares { hidden: 100, unknown: 100, never_classed: 100, transferred: 0 };
    setup.options.section_faults.damage = Some(Damage::TextThenJson);
    setup.settings.concurrency_limit = 1;
    let world = setup.build();
    run_scenario(&world, async {
        world.stores.throttle.set(&stint_warcraftlogs::worker("rank-fetcher"), 1).await.unwrap();
        let population = world.population();
        let first = |outcome: &QueryOutcome| population.with_outcome(population.rankings(), *outcome)[0];
        let ids: Vec<PlayerId> =
            [QueryOutcome::Hidden, QueryOutcome::Unknown, QueryOutcome::NeverClassed].iter().map(first).collect();
        for id in ids.iter().chain(&ids) {
            world.queue(*id, world.raids_of(*id)).await;
        }
        world.start().run_until_idle().await;
        assert_eq!(world.dropped().await.len(), ids.len());
        assert_eq!(world.network.sent(Request::Ranks), 1, "six messages in two batches");
    });
}
