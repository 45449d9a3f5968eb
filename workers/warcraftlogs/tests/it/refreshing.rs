//! `stint wcl refresh`: fetches a player ahead of the backlog, from the reserve while there is one.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::{Clock, after, before};
use stint_core::ledger::{Ask, CallEnd, KeyStatus, Reservation};
use stint_core::points::Points;
use stint_core::worker::Event;
use stint_standins::warcraftlogs::{QueryOutcome, Shares};
use stint_testkit::extent;
use stint_warcraftlogs::message::{PlayerMessage, REFRESH_QUEUE};
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef};
use stint_warcraftlogs::store::RefreshOutcome;

use crate::world::{FaultPlan, FleetWorld, Request, Setup, Stores, run_scenario};

/// A process is killed at every such kill point, so that a test takes seconds.
const STRIDE: u64 = 11;

/// The window of the worlds below.
const WINDOW: u64 = 600;

/// Players that are refreshed and are not in the backlog.
fn strangers(world: &FleetWorld, count: usize) -> Vec<PlayerId> {
    let population = world.population();
    let mut ids = population.with_outcome(population.rankings(), QueryOutcome::Ranked);
    ids.reverse();
    ids.truncate(count);
    ids
}

/// A world with one key that has run dry except for its reserve: a backlog of thousands waits, and the throttle is at
/// 0.
fn dry(seed: u64, reserve: u64) -> FleetWorld {
    let mut setup = Setup::new(seed, 3_000).rankings(&[(26, 3)]).keys(&[500], WINDOW);
    setup.settings.wcl_reserve = Points::whole(reserve);
    setup.build()
}

/// Queues every player except `but`, and runs a process until no more of the backlog can be served.
async fn run_dry(world: &FleetWorld, but: &[PlayerId]) {
    for id in world.all_players().into_iter().filter(|id| !but.contains(id)) {
        world.queue(id, world.raids_of(id)).await;
    }
    world.start().run_until(after(world.clock.now(), Duration::from_secs(120))).await;
    assert_eq!(world.stores.throttle.read(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap().limit, Some(0));
}

async fn key(world: &FleetWorld) -> KeyStatus {
    world.stores.pool.keys().await.unwrap().remove(0)
}

async fn parked(world: &FleetWorld) -> u64 {
    world.stores.pool.count_parked(REFRESH_QUEUE).await.unwrap()
}

/// The player by name.
fn by_name(world: &FleetWorld, id: PlayerId) -> PlayerRef {
    let character = world.population().character(id).unwrap();
    let named = PlayerName::new(&character.name, character.realm.slug, character.realm.region);
    PlayerRef::Named(named.unwrap())
}

async fn refresh(world: &FleetWorld, id: PlayerId) {
    world.refresh(PlayerRef::Id(id), world.raids_of(id)).await;
}

#[test]
fn a_refresh_is_served_within_one_batch_from_the_reserve() {
    let world = dry(1, 50);
    run_scenario(&world, async {
        let wanted = strangers(&world, 3);
        run_dry(&world, &wanted).await;
        let backlog = world.stores.queue.counts().await.unwrap();
        let before = key(&world).await;
        assert!(backlog.unfinished() > 1_000, "{backlog:?}");
        assert!(before.free < Points::whole(5) && before.reserved >= Points::whole(45), "{before:?}");
        for id in &wanted {
            refresh(&world, *id).await;
        }
        let (calls, began) = (world.network.sent(Request::Ranks), world.clock.now());
        let ranked = world.ranked().await.len();
        let fleet = world.start();
        fleet.run_until(after(began, Duration::from_secs(2))).await;
        let stored = world.ranked().await;
        assert!(wanted.iter().all(|id| stored.contains_key(id)), "the requested player is served at once");
        assert_eq!((stored.len() - ranked, world.network.sent(Request::Ranks) - calls), (3, 1), "and no other player");
        assert_eq!(parked(&world).await, 0);
        assert_eq!(world.stores.queue.counts().await.unwrap().unfinished(), backlog.unfinished());
        assert!(key(&world).await.spent > before.spent);
    });
}

#[test]
fn an_unused_reserve_is_spent_by_the_backlog_before_the_reset() {
    let world = dry(2, 50);
    run_scenario(&world, async {
        run_dry(&world, &[]).await;
        let reset = key(&world).await.reset_at;
        world.start().run_until(before(reset, Duration::from_secs(65))).await;
        let kept = key(&world).await;
        assert!(kept.limit.saturating_sub(kept.spent) >= Points::whole(45), "kept until the last tenth: {kept:?}");
        world.start().run_until(after(reset, Duration::from_secs(30))).await;
        let window = world.counters().keys.remove(0).windows.remove(0);
        let share = window.charged.to_float() / window.limit.to_float();
        assert!(share >= 0.99, "{} of {} were used", window.charged, window.limit);
        world.assert_accounts_agree().await;
    });
}

#[test]
fn what_even_the_reserve_cannot_pay_for_is_parked_and_served_first_after_the_reset() {
    let world = dry(3, 0);
    run_scenario(&world, async {
        let wanted = strangers(&world, 2);
        run_dry(&world, &wanted).await;
        for id in &wanted {
            refresh(&world, *id).await;
        }
        let fleet = world.start();
        fleet.run_until(after(world.clock.now(), Duration::from_secs(30))).await;
        assert_eq!(parked(&world).await, 2);
        assert_eq!(fleet.totals().released, 0, "a refusal is no failure");
        let reset = key(&world).await.reset_at;
        world.start().run_until(after(reset, Duration::from_secs(3))).await;
        let stored = world.ranked().await;
        let since: BTreeMap<PlayerId, Timestamp> = stored
            .values()
            .filter(|player| player.updated_at > reset)
            .map(|player| (player.id, player.updated_at))
            .collect();
        let first = since.values().min().unwrap();
        assert!(wanted.iter().all(|id| since.get(id) == Some(first)), "{wanted:?} are among the first: {since:?}");
        assert_eq!(parked(&world).await, 0);
    });
}

#[test]
fn points_that_come_back_serve_a_parked_refresh_without_a_wake_up() {
    let mut setup = Setup::new(4, 20).rankings(&[(26, 3)]).keys(&[100], WINDOW);
    setup.settings.wcl_reserve = Points::whole(10);
    let world = setup.build();
    run_scenario(&world, async {
        // Another process holds all points, and gives them back while the refresh is parked.
        let fleet = world.start();
        fleet.budget.read_counters(Points::MAX).await.unwrap();
        let call_timeout = Duration::from_secs(2);
        let ask = Ask { messages: vec![vec![Points::whole(100)]], call_timeout, priority: true };
        let Reservation::Granted(grant) = world.stores.pool.reserve(&ask).await.unwrap() else { panic!("refused") };
        let wanted = strangers(&world, 1)[0];
        let message = PlayerMessage { player_ref: PlayerRef::Id(wanted), raids_to_scrap: world.raids_of(wanted) };
        let body = serde_json::from_str(&message.to_body()).unwrap();
        let report = fleet.invoke("refresher", Event::Manual(body), Duration::from_secs(3)).await.unwrap().report;
        assert_eq!((&report["parked"], parked(&world).await), (&1.into(), 1));
        world.stores.pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
        // The next worker that runs sends it back; here it is a reviver.
        assert_eq!(fleet.run("reviver").await["unparked"], 1);
        world.start().run_until_idle().await;
        world.assert_served(&world.asked_of(&[wanted])).await;
    });
}

#[test]
fn players_are_fetched_by_name_and_stored_under_their_canonical_id() {
    let mut setup = Setup::new(5, 200).keys(&[5_000], WINDOW);
    setup.options.shares = Shares { transferred: 300, ..Shares::NONE };
    let world = setup.build();
    run_scenario(&world, async {
        let wanted = strangers(&world, 40);
        for id in &wanted {
            world.refresh(by_name(&world, *id), world.raids_of(*id)).await;
        }
        world.start().run_until_idle().await;
        let (stored, population) = (world.ranked().await, world.population());
        assert_eq!(stored.len(), wanted.len());
        for id in wanted {
            let canonical = population.character(id).unwrap().canonical_id;
            assert_eq!(stored[&canonical].ranked_in(), world.raids_of(id), "player {id}, {canonical}");
        }
        assert!(world.dropped().await.is_empty(), "no player was requested under an older id");
        assert_eq!(world.network.sent(Request::Ranks), 8);
        world.assert_accounts_agree().await;
    });
}

#[test]
fn an_unknown_name_is_done_and_counted() {
    let mut setup = Setup::new(6, 200);
    setup.options.shares = Shares { hidden: 100, never_classed: 100, ..Shares::NONE };
    let world = setup.build();
    run_scenario(&world, async {
        let population = world.population();
        let odd = |outcome| by_name(&world, population.with_outcome(population.rankings(), outcome)[0]);
        let raids = RaidsToScrap::one(26, 3);
        let named = |name| PlayerRef::Named(PlayerName::new(name, "tarren-mill", "EU").unwrap());
        let no_player = [r#"Missing") { id } #"#, r"No\body", "Missing"].map(named);
        let known_player = PlayerRef::Id(strangers(&world, 1)[0]);
        let asked = no_player.into_iter().chain([
            odd(QueryOutcome::Hidden),
            odd(QueryOutcome::NeverClassed),
            known_player.clone(),
        ]);
        let messages = asked.map(|player_ref| PlayerMessage { player_ref, raids_to_scrap: raids.clone() });
        let bodies = messages.map(|message| serde_json::from_str(&message.to_body()).unwrap()).collect();
        let event = Event::Manual(serde_json::Value::Array(bodies));
        let outcome = world.start().invoke("refresher", event, Duration::from_secs(120)).await.unwrap();
        assert_eq!(outcome.exceptions, []);
        assert_eq!((&outcome.report["ranked"], &outcome.report["unrecorded"]), (&1.into(), &5.into()));
        assert_eq!((world.ranked().await.len(), world.dropped().await.len()), (1, 0));
        world.assert_accounts_agree().await;
    });
}

/// The stored result of a refresh.
async fn stored_outcome(world: &FleetWorld, player_ref: &PlayerRef) -> Option<RefreshOutcome> {
    world.stores.refresh_results.latest_result(player_ref).await.unwrap().map(|found| found.result)
}

#[test]
fn a_person_is_told_once_nothing_is_left_of_the_player() {
    let mut setup = Setup::new(8, 200).keys(&[100], WINDOW);
    setup.options.shares = Shares { transferred: 300, ..Shares::NONE };
    let population = setup.build().population();
    let canonical = |id: PlayerId| population.character(id).unwrap().canonical_id;
    let with_several = population.discoverable(population.rankings()).into_iter();
    let with_several: Vec<PlayerId> = with_several.filter(|id| population.pairs_of(*id).len() > 1).collect();
    let same = *with_several.iter().find(|id| canonical(**id) == **id).unwrap();
    let former = *with_several.iter().find(|id| canonical(**id) != **id).unwrap();
    for (id, is_named) in [(same, false), (same, true), (former, false), (former, true)] {
        let mut setup = Setup::new(8, 200).keys(&[100], WINDOW);
        setup.options.shares = Shares { transferred: 300, ..Shares::NONE };
        let world = setup.build();
        run_scenario(&world, async {
            let fleet = world.start();
            fleet.budget.read_counters(Points::MAX).await.unwrap();
            // Another process holds all but what one raid and difficulty may cost.
            let status = key(&world).await;
            let left = fleet.budget.unit.saturating_add(Points::whole(1));
            let held = status.free.saturating_add(status.reserved).saturating_sub(left);
            let ask = Ask { messages: vec![vec![held]], call_timeout: Duration::from_secs(120), priority: true };
            let Reservation::Granted(grant) = world.stores.pool.reserve(&ask).await.unwrap() else { panic!("refused") };
            let player_ref = if is_named { by_name(&world, id) } else { PlayerRef::Id(id) };
            let message = PlayerMessage { player_ref: player_ref.clone(), raids_to_scrap: world.raids_of(id) };
            let body = serde_json::from_str(&message.to_body()).unwrap();
            let report = fleet.invoke("refresher", Event::Manual(body), Duration::from_secs(12)).await.unwrap().report;
            assert_eq!((&report["ranked"], &report["calls"]), (&1.into(), &1.into()), "{player_ref}: {report}");
            assert_eq!(stored_outcome(&world, &player_ref).await, None, "something is left of {player_ref}");
            world.stores.pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
            world.start().run("reviver").await;
            world.start().run_until_idle().await;
            assert_eq!(world.ranked().await[&canonical(id)].ranked_in(), world.raids_of(id), "{player_ref}");
            assert_eq!(
                stored_outcome(&world, &player_ref).await,
                Some(RefreshOutcome::Ranked(canonical(id))),
                "{player_ref}"
            );
        });
    }
}

#[test]
fn a_person_is_told_before_what_follows_the_batch() {
    let world = Setup::new(9, 40).build();
    run_scenario(&world, async {
        let id = strangers(&world, 1)[0];
        let message = PlayerMessage { player_ref: PlayerRef::Id(id), raids_to_scrap: world.raids_of(id) };
        // A throttle that does not respond delays what follows.
        let throttle = world.stores.with_faults(&FaultPlan::hang_while(|| true)).throttle;
        let fleet = world.start_on(Stores { throttle, ..world.stores.clone() });
        let event = Event::Manual(serde_json::from_str(&message.to_body()).unwrap());
        let invocation = fleet.invoke("refresher", event, Duration::from_secs(120));
        let soon = world.clock.sleep(Duration::from_secs(2));
        assert!(matches!(select(pin!(invocation), soon).await, Either::Right(_)), "it goes on");
        assert_eq!(stored_outcome(&world, &message.player_ref).await, Some(RefreshOutcome::Ranked(id)));
    });
}

/// A backlog and two refreshes, one by name, on a key that runs dry with and without them; the first process exits at
/// the kill point of `faults`.
fn kill_and_restart(seed: u64, faults: &FaultPlan) -> u64 {
    let mut setup = Setup::new(seed, 10).keys(&[90], 20);
    setup.settings.wcl_reserve = Points::whole(if seed.is_multiple_of(2) { 9 } else { 0 });
    setup.settings.wcl_visibility_seconds = 8;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let wanted = strangers(&world, 2);
        refresh(&world, wanted[0]).await;
        world.refresh(by_name(&world, wanted[1]), world.raids_of(wanted[1])).await;
        faults.run(world.start_with(faults).run_until(after(world.clock.now(), Duration::from_secs(3)))).await;
        let steps = faults.kill_points();
        let restarted = world.start();
        restarted.set_schedules().await;
        restarted.run_until_idle().await;
        world.assert_all_served().await;
        steps
    })
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_no_refresh_and_overspends_nothing() {
    let seeds = extent(2, 4);
    for seed in 0..seeds {
        let kill_points = kill_and_restart(seed, &FaultPlan::none());
        assert!(kill_points > STRIDE, "{kill_points} kill points");
        for step in (1 + STRIDE * seed / seeds..=kill_points).step_by(STRIDE as usize) {
            kill_and_restart(seed, &FaultPlan::kill_at(step));
        }
    }
}

#[test]
fn a_store_that_fails_at_any_step_loses_no_refresh_and_overspends_nothing() {
    let seeds = extent(2, 4);
    for seed in 0..seeds {
        let kill_points = kill_and_restart(10 + seed, &FaultPlan::none());
        assert!(kill_points > STRIDE, "{kill_points} kill points");
        for step in (1 + STRIDE * seed / seeds..=kill_points).step_by(STRIDE as usize) {
            kill_and_restart(10 + seed, &FaultPlan::fail_at(step));
        }
    }
}
