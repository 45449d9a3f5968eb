//! An outcome for each raid and difficulty: ranks are stored, refusals are recorded, and only what is missing is
//! requested again.

use std::time::Duration;

use serde_json::json;
use stint_core::ports::NewMessage;
use stint_core::worker::{Event, Worker};
use stint_standins::warcraftlogs::{Damage, QueryOutcome, SectionFaults, Shares};
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::store::{DropReason, REFUSALS_IN_A_ROW};

use crate::world::{FaultPlan, FleetWorld, Request, Setup, Stores, run_scenario};

/// Queues players with their raids, and a raid that does not exist.
async fn queue_with_a_wrong_raid(world: &FleetWorld, ids: &[PlayerId]) {
    for id in ids {
        let mut raids = world.raids_of(*id);
        raids.insert(99, 1);
        world.queue(*id, raids).await;
    }
}

fn counting(setup: Setup, faults: SectionFaults) -> Setup {
    let mut setup = setup;
    setup.options.section_faults = SectionFaults { counts_sections: true, ..faults };
    setup
}

/// One batch at a time.
fn one_at_a_time(mut setup: Setup) -> FleetWorld {
    setup.settings.concurrency_limit = 1;
    let world = setup.build();
    futures::executor::block_on(world.stores.throttle.set(&stint_warcraftlogs::worker("rank-fetcher"), 1)).unwrap();
    world
}

fn ranked(world: &FleetWorld, count: usize) -> Vec<PlayerId> {
    let population = world.population();
    population.with_outcome(population.rankings(), QueryOutcome::Ranked).into_iter().take(count).collect()
}

#[test]
fn results_are_stored_and_refused_units_are_not_requested_again() {
    let world = one_at_a_time(Setup::new(41, 200).rankings(&[(26, 4)]));
    run_scenario(&world, async {
        let ids = ranked(&world, 100);
        queue_with_a_wrong_raid(&world, &ids).await;
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!((world.dead_letters().await, fleet.totals().released), (Vec::new(), 0));
        world.assert_served(&world.asked_of(&ids)).await;
        let charged = world.counters().charged.to_float();
        // A section costs at most 4.5 points; only the first five players pay for the wrong one.
        assert!(charged < 105.0 * 4.5, "{charged} points for 100 sections");
        // The same messages again cause no request.
        let calls = world.network.sent(Request::Ranks);
        world.pass(60).await;
        world.queue(ids[0], RaidsToScrap::one(99, 1)).await;
        world.start().run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), calls, "nothing is left to request");
    });
}

#[test]
fn a_rule_refused_to_all_players_is_paused_until_it_is_changed_and_nothing_waits_for_it() {
    let mut setup = Setup::new(42, 150).rankings(&[(26, 4), (28, 4)]);
    setup.options.section_faults.refused = vec![(28, 4)];
    let world = one_at_a_time(setup);
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        fleet.discover_everything().await;
        fleet.run("aggregator").await;
        world.start().run_until_idle().await;
        assert_eq!(world.dead_letters().await, []);
        let rules = world.stores.rules.list().await.unwrap().documents;
        let paused: Vec<_> = rules.iter().map(|status| (status.rule.raid, status.pause.as_ref())).collect();
        assert_eq!((paused[0], paused[1].0), ((26, None), 28));
        let pause = paused[1].1.unwrap();
        let words = "the upstream refuses Sanctum of Domination (28) in heroic for every player: Invalid difficulty/size specified.";
        assert!(pause.is_until_changed() && pause.reason.starts_with(words), "{pause:?}");
        for player in world.ranked().await.values() {
            assert!(!player.raids.contains_key(&28), "nothing is stored of what is refused");
        }
        let dropped = world.dropped().await;
        let only_there = world.all_players().into_iter().filter(|id| world.raids_of(*id) == RaidsToScrap::one(28, 4));
        let refused = only_there.filter(|id| dropped.get(id) == Some(&DropReason::Refused)).count();
        assert!(refused > 0, "a player that was not requested has an outcome too");

        // A day later the other rule is read again, and its players are fetched.
        world.pass(25 * 3_600).await;
        let fleet = world.start();
        fleet.discover_everything().await;
        let report = fleet.run("aggregator").await;
        assert_eq!(report["waits_for"], json!(null), "nothing waits for a rule that rests for good");
        assert!(report["queued"].as_u64() > Some(0), "{report}");
        world.start().run_until_idle().await;

        // After the rule is put again, it is read, and its players are requested again.
        world.stores.rules.put(&rules[1].rule).await.unwrap();
        let again = world.stores.rules.list().await.unwrap().documents;
        assert_eq!(again[1].pause, None);
        let before = world.network.sent(Request::Ranks);
        world.queue(ranked(&world, 1)[0], RaidsToScrap::one(28, 4)).await;
        world.start().run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), before + 1);
    });
}

#[test]
fn what_only_some_players_are_refused_is_no_fault_of_the_rule() {
    let world = one_at_a_time(Setup::new(43, 200).rankings(&[(26, 4)]));
    run_scenario(&world, async {
        let ids = ranked(&world, 30);
        world.queue(ids[0], RaidsToScrap::one(26, 7)).await;
        for id in &ids[..REFUSALS_IN_A_ROW as usize - 1] {
            world.queue(*id, RaidsToScrap::one(26, 7)).await;
        }
        world.start().run_until_idle().await;
        let calls = world.network.sent(Request::Ranks);
        world.queue(ids[20], RaidsToScrap::one(26, 7)).await;
        world.start().run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), calls + 1, "another player is requested nevertheless");
        assert_eq!(world.dead_letters().await, []);
    });
}

#[test]
fn partial_errors_lose_no_player_and_pay_for_nothing_twice() {
    for faults in [
        SectionFaults { failed: 20, ..SectionFaults::default() },
        SectionFaults { absent: 20, ..SectionFaults::default() },
        SectionFaults { failed: 40, absent: 40, ..SectionFaults::default() },
    ] {
        let setup = Setup::new(44, 600).keys(&[900, 700], 60);
        let world = counting(setup, faults.clone()).build();
        run_scenario(&world, async {
            world.queue_all().await;
            let fleet = world.start();
            fleet.run_until_idle().await;
            world.assert_all_served().await;
            let counters = world.counters();
            let wanted: usize = world.all_players().iter().map(|id| world.raids_of(*id).len()).sum();
            assert_eq!((counters.sections, counters.sections_again), (wanted as u64, 0), "{faults:?}");
            assert!(fleet.totals().released > 0, "some messages came back");
        });
    }
}

#[test]
fn a_section_that_never_comes_is_dead_lettered_and_all_others_are_paid_for_once() {
    let setup = Setup::new(45, 30).rankings(&[(26, 4), (26, 5)]);
    let world = counting(setup, SectionFaults::default()).build();
    run_scenario(&world, async {
        let population = world.population();
        let both = ranked(&world, 30).into_iter().find(|id| population.pairs_of(*id).len() == 2).unwrap();
        world.queue(both, world.raids_of(both)).await;
        world.upstream().set_section_faults(SectionFaults {
            absent: 1000,
            counts_sections: true,
            ..SectionFaults::default()
        });
        world.start().run_until_idle().await;
        let dead = world.dead_letters().await;
        assert_eq!(dead.len(), 1);
        let reason =
            "raid 26 in difficulty 4: the response has no ranks; raid 26 in difficulty 5: the response has no ranks";
        assert!(dead[0].receive_count == 5 && dead[0].reason.ends_with(reason), "{dead:?}");
        world.upstream().set_section_faults(SectionFaults { counts_sections: true, ..SectionFaults::default() });
        world.stores.queue.redrive().await.unwrap();
        world.start().run_until_idle().await;
        world.assert_served(&world.asked_of(&[both])).await;
        assert_eq!(world.counters().sections_again, 0);
    });
}

#[test]
fn a_player_by_name_of_whom_something_is_missing_goes_on_by_id() {
    for transferred in [0, 1000] {
        let mut setup = counting(Setup::new(46, 60), SectionFaults { failed: 300, ..SectionFaults::default() });
        setup.options.shares = Shares { transferred, ..Shares::NONE };
        let world = setup.build();
        run_scenario(&world, async {
            let ids = ranked(&world, 12);
            let mut asked = 0;
            for id in &ids {
                let character = world.population().character(*id).unwrap();
                let named = PlayerName::new(&character.name, character.realm.slug, character.realm.region).unwrap();
                let player_ref = if transferred == 0 { PlayerRef::Named(named) } else { PlayerRef::Id(*id) };
                asked += world.raids_of(*id).len() as u64;
                world.refresh(player_ref, world.raids_of(*id)).await;
            }
            world.start().run_until_idle().await;
            world.assert_served(&world.asked_of(&ids)).await;
            assert_eq!((world.counters().sections, world.counters().sections_again), (asked, 0));
        });
    }
}

#[test]
fn the_answer_behind_a_text_is_used_and_costs_no_second_call() {
    for seed in 0..3 {
        let mut setup = counting(
            Setup::new(seed, 120),
            SectionFaults { damage: Some(Damage::TextThenJson), ..SectionFaults::default() },
        );
        setup.options.shares = Shares { never_classed: 100, ..Shares::NONE };
        let world = setup.build();
        run_scenario(&world, async {
            world.queue_all().await;
            world.start().run_until_idle().await;
            world.assert_all_served().await;
            assert_eq!(world.network.sent(Request::Ranks), world.all_players().len().div_ceil(5));
            assert_eq!(world.counters().sections_again, 0);
        });
    }
}

#[test]
fn a_message_whose_player_was_fetched_meanwhile_costs_no_call() {
    let world = one_at_a_time(Setup::new(47, 60));
    run_scenario(&world, async {
        let ids = ranked(&world, 6);
        for id in ids.iter().chain(&ids) {
            world.queue(*id, world.raids_of(*id)).await;
        }
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), 2, "six players, though there are twelve messages");
        assert_eq!(fleet.totals().succeeded, 12);
        // A message sent later is fetched again: the ranks may have changed.
        world.pass(5).await;
        world.queue(ids[0], world.raids_of(ids[0])).await;
        world.start().run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), 3);
        world.refresh(PlayerRef::Id(ids[0]), world.raids_of(ids[0])).await;
        world.start().run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), 4, "a person's wish is always fetched");
    });
}

#[test]
fn a_player_who_was_fetched_of_something_else_is_asked_for_what_is_missing() {
    let world = counting(Setup::new(48, 200), SectionFaults::default()).build();
    run_scenario(&world, async {
        let many = ranked(&world, 100);
        let id = many.into_iter().find(|id| world.raids_of(*id).len() >= 3).unwrap();
        let units: Vec<(u32, u32)> = world.raids_of(id).units().collect();
        let body = |units: &[(u32, u32)]| {
            let raids_to_scrap = units.iter().copied().collect();
            NewMessage::new(PlayerMessage { player_ref: PlayerRef::Id(id), raids_to_scrap }.to_body())
        };
        world.stores.queue.send(&[NewMessage { delay: Duration::from_secs(60), ..body(&units) }]).await.unwrap();
        world.pass(1).await;
        world.stores.queue.send(&[body(&units[..1])]).await.unwrap();
        world.start().run_until_idle().await;
        world.assert_served(&world.asked_of(&[id])).await;
        assert_eq!((world.counters().sections, world.counters().sections_again), (units.len() as u64, 0));
    });
}

#[test]
fn a_store_that_takes_nothing_stops_the_calls_and_nothing_that_was_paid_for_is_lost() {
    let mut setup = counting(Setup::new(49, 400), SectionFaults::default());
    setup.settings.concurrency_limit = 8;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let clock = world.clock.clone();
        let (gone, back) = (world.at(1), world.at(201));
        let faults = FaultPlan::fail_while(move || {
            use stint_core::clock::Clock;
            (gone..back).contains(&clock.now())
        });
        let players = world.stores.with_faults(&faults).players;
        let fleet = world.start_on(Stores { players, ..world.stores.clone() });
        let mut calls = (0, 0);
        fleet
            .run_while(async {
                world.pass(1).await;
                calls.0 = world.network.sent(Request::Ranks);
                world.pass(200).await;
                calls.1 = world.network.sent(Request::Ranks);
                while world.stores.queue.counts().await.unwrap().unfinished() > 0 {
                    world.pass(1).await;
                }
            })
            .await;
        assert!(calls.0 > 8 && calls.1 <= calls.0 + 8, "{calls:?}: no more than were in flight");
        world.start().run_until_idle().await;
        world.assert_all_served().await;
        assert_eq!(world.counters().sections_again, 0, "what was paid for is stored when the store is back");
    });
}

#[test]
fn an_invocation_by_hand_is_told_what_is_refused() {
    let world = Setup::new(50, 60).build();
    run_scenario(&world, async {
        let id = ranked(&world, 1)[0];
        let mut raids = world.raids_of(id);
        raids.insert(99, 1);
        let message = json!({ "id": id, "raids": raids });
        let fleet = world.start();
        let outcome = fleet.invoke("rank-fetcher", Event::Manual(message), RankFetcher::SPEC.timeout).await.unwrap();
        assert_eq!((&outcome.report["ranked"], &outcome.report["refused"]), (&json!(1), &json!(1)));
        assert_eq!(outcome.exceptions, []);
    });
}
