//! Results that were paid for reach the store, whatever faults the store has meanwhile, or the loss is reported.

use std::collections::HashSet;
use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use stint_core::clock::{Clock, after};
use stint_core::worker::{Event, Worker};
use stint_standins::warcraftlogs::{QueryOutcome, SectionFaults, Shares};
use stint_warcraftlogs::budget::BATCH;
use stint_warcraftlogs::message::QUEUE;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::store::{DropReason, REFUSALS_IN_A_ROW};

use crate::world::{FaultPlan, FleetWorld, Process, Request, Setup, Stores, run_scenario};

/// The store's reason for rejecting a player.
const REASON: &str = "the store has no place for this player";

/// When the first batch reads the store, and when its response comes: a token, a counter and the ranks take this long.
const ASKED: Duration = Duration::from_millis(250);

fn setup(seed: u64) -> Setup {
    let mut setup = Setup::new(seed, 60).on_disk();
    setup.options.section_faults.counts_sections = true;
    setup.settings.concurrency_limit = 1;
    setup.settings.wcl_visibility_seconds = 30;
    setup
}

/// The first players with ranks, enough for a batch.
fn batch(world: &FleetWorld) -> Vec<PlayerId> {
    let population = world.population();
    let ids = population.with_outcome(population.rankings(), QueryOutcome::Ranked).into_iter();
    ids.map(|id| population.character(id).unwrap().id).take(BATCH).collect()
}

async fn queue(world: &FleetWorld, ids: &[PlayerId]) {
    for id in ids {
        world.queue(*id, world.raids_of(*id)).await;
    }
}

/// Whether messages are queued or parked.
async fn is_busy(world: &FleetWorld) -> bool {
    let parked = world.stores.pool.count_parked(QUEUE).await.unwrap();
    parked + world.stores.queue.counts().await.unwrap().unfinished() > 0
}

/// Makes the store reject these players from now on.
fn reject(world: &FleetWorld, ids: &[PlayerId]) {
    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    world.alter(&format!(
        "CREATE TRIGGER reject BEFORE INSERT ON players WHEN new.id IN ({ids})
         BEGIN SELECT RAISE(ABORT, '{REASON}'); END"
    ));
}

fn reject_nothing_more(world: &FleetWorld) {
    world.alter("DROP TRIGGER reject");
}

/// Starts a process in which only the players' store is subject to `faults`, between `from` and `to`.
fn start_while(
    world: &FleetWorld,
    time: Range<Duration>,
    faults: impl Fn(Box<dyn Fn() -> bool + Send + Sync>) -> FaultPlan,
) -> Process {
    let (clock, began) = (world.clock.clone(), world.clock.now());
    let faults = faults(Box::new(move || (after(began, time.start)..after(began, time.end)).contains(&clock.now())));
    world.start_on(Stores { players: world.stores.with_faults(&faults).players, ..world.stores.clone() })
}

#[test]
fn a_player_whom_the_store_rejects_is_a_dead_letter_and_keeps_nothing_else_from_being_stored() {
    let world = setup(61).build();
    run_scenario(&world, async {
        let ids = batch(&world);
        reject(&world, &ids[2..3]);
        queue(&world, &ids).await;
        world.start().run_until_idle().await;
        let dead = world.dead_letters().await;
        assert!(dead.len() == 1 && dead[0].receive_count == 1 && dead[0].reason.contains(REASON), "{dead:?}");
        assert!(dead[0].body.contains(&ids[2].to_string()), "{dead:?}");
        let stored: Vec<PlayerId> = world.ranked().await.into_keys().collect();
        assert_eq!((stored.len(), world.network.sent(Request::Ranks)), (BATCH - 1, 1));
        // The next batch is fetched as usual.
        let population = world.population();
        let next = population.with_outcome(population.rankings(), QueryOutcome::Ranked)[BATCH];
        queue(&world, &[next]).await;
        world.start().run_until_idle().await;
        assert!(world.ranked().await.contains_key(&next));
        reject_nothing_more(&world);
        assert_eq!(world.stores.queue.redrive().await.unwrap(), 1);
        world.start().run_until_idle().await;
        world.assert_served(&world.asked_of(&[ids.as_slice(), &[next]].concat())).await;
    });
}

#[test]
fn an_answer_that_has_waited_and_is_rejected_blocks_nothing() {
    let world = setup(62).build();
    run_scenario(&world, async {
        let ids = batch(&world);
        reject(&world, &ids[..1]);
        queue(&world, &ids).await;
        let fleet = start_while(&world, ASKED..Duration::from_secs(100), FaultPlan::fail_while);
        fleet.run_until_idle().await;
        assert_eq!(world.dead_letters().await.len(), 1);
        assert_eq!(world.ranked().await.len(), BATCH - 1);
        let rejected = world.raids_of(ids[0]).len() as u64;
        assert_eq!(world.counters().sections_again, rejected, "only what the store has rejected is paid for again");
    });
}

#[test]
fn a_store_that_rejects_every_player_stops_the_calls_and_loses_nothing() {
    let world = setup(63).build();
    run_scenario(&world, async {
        let ids = batch(&world);
        reject(&world, &ids);
        queue(&world, &ids).await;
        let fleet = world.start();
        let mended = async {
            world.pass(600).await;
            assert_eq!((world.network.sent(Request::Ranks), world.dead_letters().await), (1, Vec::new()));
            reject_nothing_more(&world);
            while is_busy(&world).await {
                world.pass(1).await;
            }
        };
        fleet.run_while(mended).await;
        world.assert_served(&world.asked_of(&ids)).await;
        assert_eq!((world.network.sent(Request::Ranks), world.counters().sections_again), (1, 0));
    });
}

#[test]
fn what_is_left_of_a_player_is_sent_once_though_its_answer_waits() {
    let mut setup = setup(64);
    setup.options.shares = Shares { transferred: 1000, ..Shares::NONE };
    setup.options.section_faults = SectionFaults { failed: 500, counts_sections: true, ..SectionFaults::default() };
    let world = setup.build();
    run_scenario(&world, async {
        let ids = batch(&world);
        queue(&world, &ids).await;
        let fleet = start_while(&world, ASKED..Duration::from_secs(600), FaultPlan::fail_while);
        let scenario = async {
            world.pass(1).await;
            let sent = world.stores.queue.counts().await.unwrap().unfinished();
            assert!(sent > 2 + BATCH as u64, "of several players something is left: {sent}");
            world.pass(500).await;
            assert_eq!(world.stores.queue.counts().await.unwrap().unfinished(), sent, "nothing was sent again");
            while is_busy(&world).await {
                world.pass(1).await;
            }
        };
        fleet.run_while(scenario).await;
        world.assert_served(&world.asked_of(&ids)).await;
    });
}

#[test]
fn an_invocation_that_ends_while_the_store_is_silent_leaves_its_answer_to_the_next() {
    let world = setup(65).build();
    run_scenario(&world, async {
        let ids = batch(&world);
        queue(&world, &ids).await;
        let fleet = start_while(&world, ASKED..Duration::from_secs(20), FaultPlan::hang_while);
        let event = Event::Batch(world.stores.queue.receive(BATCH).await.unwrap());
        let invocation = fleet.invoke("rank-fetcher", event, RankFetcher::SPEC.timeout);
        match select(pin!(invocation), world.clock.sleep(Duration::from_secs(10))).await {
            Either::Left((outcome, _)) => panic!("it has come to an end: {outcome:?}"),
            Either::Right(_) => assert_eq!(world.network.sent(Request::Ranks), 1),
        }
        assert!(world.ranked().await.is_empty());
        world.pass(20).await;
        fleet.run_until_idle().await;
        world.assert_served(&world.asked_of(&ids)).await;
        assert_eq!((world.network.sent(Request::Ranks), world.counters().sections_again), (1, 0));
    });
}

#[test]
fn a_batch_by_hand_may_leave_more_than_a_queue_takes_at_once() {
    let mut setup = setup(66);
    setup.options.shares = Shares { transferred: 1000, ..Shares::NONE };
    setup.options.section_faults = SectionFaults { failed: 500, counts_sections: true, ..SectionFaults::default() };
    let world = setup.build();
    run_scenario(&world, async {
        let ids: Vec<PlayerId> = world.all_players().into_iter().take(30).collect();
        let bodies = ids.iter().map(|id| serde_json::json!({ "id": id, "raids": world.raids_of(*id) }));
        let event = Event::Manual(bodies.collect());
        let fleet = world.start();
        let outcome = fleet.invoke("rank-fetcher", event, RankFetcher::SPEC.timeout).await.unwrap();
        let ranked = outcome.report["ranked"].as_u64().unwrap();
        assert!(ranked > 20 && ranked + outcome.exceptions.len() as u64 == ids.len() as u64, "{outcome:?}");
        assert!(world.stores.queue.counts().await.unwrap().unfinished() > 10, "what is left of them is queued");
        world.upstream().set_section_faults(SectionFaults { counts_sections: true, ..SectionFaults::default() });
        let again: HashSet<String> = outcome.exceptions.into_iter().map(|exception| exception.message_id).collect();
        let came = ids.into_iter().filter(|id| !again.iter().any(|message| message.contains(&id.to_string())));
        fleet.run_until_idle().await;
        world.assert_served(&world.asked_of(&came.collect::<Vec<PlayerId>>())).await;
    });
}

/// A player of whom everything is refused, since its rule is at fault. The process that finds this exits at the kill
/// point of `faults`.
fn refuse(faults: &FaultPlan) -> u64 {
    let mut setup = Setup::new(67, 60).rankings(&[(26, 4)]);
    setup.settings.wcl_visibility_seconds = 8;
    let world = setup.build();
    let wrong = || RaidsToScrap::one(99, 1);
    run_scenario(&world, async {
        let ids = world.all_players();
        for id in &ids[..REFUSALS_IN_A_ROW as usize] {
            world.queue(*id, wrong()).await;
        }
        world.start().run_until_idle().await;
        let (calls, id) = (world.network.sent(Request::Ranks), ids[20]);
        world.queue(id, wrong()).await;
        faults.run(world.start_with(faults).run_until(after(world.clock.now(), Duration::from_secs(1)))).await;
        let steps = faults.kill_points();
        world.start().run_until_idle().await;
        let known = world.stores.players.known(&[id]).await.unwrap();
        assert_eq!(world.dropped().await.get(&id), Some(&DropReason::Refused), "step {steps}");
        assert!(known.players[&id].unit_results.is_refused((99, 1)), "step {steps}");
        assert_eq!(world.network.sent(Request::Ranks), calls, "it was never requested");
        steps
    })
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_neither_a_refusal_nor_its_drop() {
    for step in 1..=refuse(&FaultPlan::none()) {
        refuse(&FaultPlan::kill_at(step));
    }
}
