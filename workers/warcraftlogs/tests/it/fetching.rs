//! Fetching ranks: one request per batch, and an outcome for every message.

use std::collections::BTreeSet;

use stint_core::ledger::KeyId;
use stint_core::points::Points;
use stint_core::worker::{Disposition, Event};
use stint_standins::warcraftlogs::{QueryOutcome, Shares};
use stint_warcraftlogs::message::QUEUE;
use stint_warcraftlogs::model::PlayerId;
use stint_warcraftlogs::store::DropReason;

use crate::world::{FleetWorld, Request, Setup, run_scenario};

/// The first players with this outcome.
fn players(world: &FleetWorld, outcome: QueryOutcome, count: usize) -> Vec<PlayerId> {
    let population = world.population();
    let players = population.with_outcome(population.rankings(), outcome);
    assert!(players.len() >= count, "{} players are {outcome:?}", players.len());
    players.into_iter().take(count).collect()
}

async fn queue(world: &FleetWorld, ids: &[PlayerId]) {
    for id in ids {
        world.queue(*id, world.raids_of(*id)).await;
    }
}

#[test]
fn a_batch_is_one_request() {
    let world = Setup::new(1, 47).build();
    run_scenario(&world, async {
        world.queue_all().await;
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), 10, "47 messages in batches of 5");
        assert_eq!(world.network.sent(Request::Token), 1);
        let points = world.network.sent(Request::Points);
        assert!(points <= 2, "{points} requests for the counter alone");
        assert_eq!(world.counters().api_requests as usize, 10 + points);
        assert_eq!((fleet.totals().received, fleet.totals().succeeded), (47, 47));
        world.assert_all_served().await;
    });
}

#[test]
fn a_malformed_message_is_dead_lettered_with_the_reason_and_the_others_are_served() {
    let world = Setup::new(2, 30).build();
    run_scenario(&world, async {
        let ids = players(&world, QueryOutcome::Ranked, 3);
        queue(&world, &ids[..1]).await;
        world.queue_body(r#"{"id": 57147396, "raids": {"26": 3}}"#).await;
        queue(&world, &ids[1..]).await;
        world.queue_body("not even JSON").await;
        world.start().run_until_idle().await;
        let dead = world.dead_letters().await;
        let reasons: Vec<&str> = dead.iter().map(|letter| letter.reason.as_str()).collect();
        assert!(reasons[0].starts_with("field raids.26: invalid type: integer"), "{reasons:?}");
        assert!(reasons[1].starts_with("the message: "), "{reasons:?}");
        assert_eq!(world.network.sent(Request::Ranks), 1);
        world.stores.queue.purge(false).await.unwrap();
        world.assert_served(&world.asked_of(&ids)).await;
    });
}

#[test]
fn permanent_answers_drop_the_player_with_the_reason_and_are_never_asked_again() {
    let mut setup = Setup::new(3, 120);
    setup.options.shares = Shares { hidden: 200, unknown: 200, never_classed: 0, transferred: 0 };
    let world = setup.build();
    run_scenario(&world, async {
        let mut ids = players(&world, QueryOutcome::Hidden, 2);
        ids.extend(players(&world, QueryOutcome::Unknown, 2));
        ids.extend(players(&world, QueryOutcome::Ranked, 1));
        queue(&world, &ids).await;
        world.start().run_until_idle().await;
        let dropped: Vec<(PlayerId, DropReason)> = world.dropped().await.into_iter().collect();
        let mut expected: Vec<(PlayerId, DropReason)> = ids[..2].iter().map(|id| (*id, DropReason::Hidden)).collect();
        expected.extend(ids[2..4].iter().map(|id| (*id, DropReason::Unknown)));
        expected.sort_unstable();
        assert_eq!(dropped, expected);
        assert_eq!(world.network.sent(Request::Ranks), 1);
        world.assert_served(&world.asked_of(&ids)).await;
    });
}

#[test]
fn a_never_classed_player_does_not_spoil_the_others() {
    // Each of the three forms of the upstream's response occurs with one of the seeds.
    let mut forms = BTreeSet::new();
    for seed in 0..9 {
        let mut setup = Setup::new(seed, 60);
        setup.options.shares = Shares { never_classed: 200, ..Shares::NONE };
        let world = setup.build();
        run_scenario(&world, async {
            let mut ids = players(&world, QueryOutcome::Ranked, 4);
            ids.insert(2, players(&world, QueryOutcome::NeverClassed, 1)[0]);
            queue(&world, &ids).await;
            let fleet = world.start();
            fleet.run_until_idle().await;
            let calls = world.network.sent(Request::Ranks);
            assert!(calls == 1 || calls == 6, "{calls}: once together, and each alone if no response follows the text");
            forms.insert(calls);
            assert_eq!((fleet.totals().received, fleet.totals().released), (5, 0));
            world.assert_served(&world.asked_of(&ids)).await;
        });
    }
    assert_eq!(forms, [1, 6].into(), "the response after the text is used");
}

#[test]
fn two_messages_of_one_player_are_one_request() {
    let world = Setup::new(4, 200).build();
    run_scenario(&world, async {
        let all_players = players(&world, QueryOutcome::Ranked, 100);
        let id = all_players.into_iter().find(|id| world.raids_of(*id).len() >= 4).unwrap();
        let units: Vec<(u32, u32)> = world.raids_of(id).units().collect();
        world.queue(id, units[..2].iter().copied().collect()).await;
        world.queue(id, units[1..].iter().copied().collect()).await;
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!(world.network.sent(Request::Ranks), 1);
        assert_eq!(fleet.totals().succeeded, 2);
        world.assert_served(&world.asked_of(&[id])).await;
    });
}

#[test]
fn a_message_is_split_by_raid_and_difficulty_in_the_tail() {
    let world = Setup::new(5, 200).keys(&[12], 20).build();
    run_scenario(&world, async {
        let all_players = players(&world, QueryOutcome::Ranked, 100);
        let id = all_players.into_iter().find(|id| world.raids_of(*id).len() == 5).unwrap();
        queue(&world, &[id]).await;
        world.start().run_until_idle().await;
        // Twelve points hold two units of five: five units take three windows.
        assert_eq!(world.network.sent(Request::Ranks), 3);
        world.assert_served(&world.asked_of(&[id])).await;
    });
}

#[test]
fn an_unpriceable_message_is_dead_lettered_naming_the_setting() {
    let mut setup = Setup::new(6, 20).keys(&[12, 10], 60);
    setup.settings.wcl_call_budget = Points::whole(13);
    let world = setup.build();
    run_scenario(&world, async {
        let ids = players(&world, QueryOutcome::Ranked, 2);
        queue(&world, &ids).await;
        world.start().run_until_idle().await;
        let dead = world.dead_letters().await;
        assert_eq!(dead.len(), 2);
        assert!(dead[0].reason.starts_with("WCL_CALL_BUDGET: one raid and difficulty may cost 13 points"), "{dead:?}");
        assert!(dead[0].reason.contains("the largest key has 12"), "{dead:?}");
        assert_eq!(world.network.sent(Request::Ranks), 0);
        world.assert_accounts_agree().await;
    });
}

#[test]
fn a_paused_key_grants_nothing_and_the_others_continue() {
    let world = Setup::new(7, 20).keys(&[500, 500], 60).build();
    run_scenario(&world, async {
        let fleet = world.start();
        world.stores.pool.pause(&KeyId("key-1".into()), Some(jiff::Timestamp::MAX)).await.unwrap();
        world.queue_all().await;
        fleet.run_until_idle().await;
        let counters = world.counters();
        assert!(counters.keys[0].windows.iter().all(|window| window.calls == 0), "{:?}", counters.keys[0]);
        world.assert_all_served().await;
    });
}

#[test]
fn messages_by_hand_are_parked_side_by_side() {
    let world = Setup::new(8, 20).build();
    run_scenario(&world, async {
        let fleet = world.start();
        world.stores.pool.pause(&KeyId("key-1".into()), Some(jiff::Timestamp::MAX)).await.unwrap();
        for id in [11, 12, 11] {
            let message = serde_json::json!({ "id": id, "raids": { "26": [3] } });
            let time = std::time::Duration::from_secs(120);
            let outcome = fleet.invoke("rank-fetcher", Event::Manual(message), time).await.unwrap();
            assert_eq!(outcome.report["parked"], 1);
        }
        let parked = world.stores.pool.claim_parked(QUEUE, 10, std::time::Duration::ZERO).await.unwrap();
        let bodies: Vec<&str> = parked.iter().map(|parked| parked.body.as_str()).collect();
        assert_eq!(bodies, [11, 12].map(|id| format!(r#"{{"id":{id},"raidsToScrap":{{"26":[3]}}}}"#)));
    });
}

#[test]
fn a_message_by_hand_is_fetched_and_a_wrong_event_is_an_error() {
    let world = Setup::new(8, 20).build();
    run_scenario(&world, async {
        let fleet = world.start();
        let id = players(&world, QueryOutcome::Ranked, 1)[0];
        let time = std::time::Duration::from_secs(120);
        let message = serde_json::json!({ "id": id, "raids": world.raids_of(id) });
        let outcome = fleet.invoke("rank-fetcher", Event::Manual(message), time).await.unwrap();
        assert_eq!(outcome.report["ranked"], 1);
        world.assert_served(&world.asked_of(&[id])).await;
        let error = fleet.invoke("rank-fetcher", Event::Manual("all of them".into()), time).await.unwrap_err();
        assert!(error.to_string().contains(r#"{"id": 57147396, "raidsToScrap": {"26": [3, 5]}}"#), "{error}");
        let malformed = fleet.invoke("rank-fetcher", Event::Manual(serde_json::json!({})), time).await.unwrap();
        assert!(matches!(malformed.exceptions[0].disposition, Disposition::Reject { .. }));
    });
}
