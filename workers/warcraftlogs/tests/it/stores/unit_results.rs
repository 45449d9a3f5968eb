//! The stored results of each raid and difficulty of a player, and the refusals.

use std::time::Duration;

use stint_core::clock::before;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap, Unit};
use stint_warcraftlogs::store::{
    DropReason, FetchedPlayer, Freshness, PlayerResults, REFUSALS_IN_A_ROW, RefusedPlayer, UnitResult,
};

use super::StoreBackend;
use super::discovers::seen;
use super::players::{dropped, player, ranks};
use crate::world::rule;

const SECOND: Duration = Duration::from_secs(1);

/// A response with ranks in `served` and a refusal in each of `refused`.
fn fetched(world: &impl StoreBackend, id: PlayerId, served: &[Unit], refused: &[Unit]) -> FetchedPlayer {
    let mut player = player(world, "EU", "tarren-mill", id);
    for (raid, difficulty) in served {
        player.raids.entry(*raid).or_default().insert(*difficulty, ranks(95.3));
    }
    let refused = refused.iter().map(|unit| (*unit, "no such raid".to_owned())).collect();
    FetchedPlayer { player, refused, complete: true }
}

async fn store(world: &impl StoreBackend, fetched: FetchedPlayer) {
    world.players().store(&[fetched]).await.unwrap();
}

async fn stored_results(world: &impl StoreBackend, id: PlayerId) -> PlayerResults {
    world.players().known(&[id, 99]).await.unwrap().players.remove(&id).unwrap_or_default()
}

/// The numbers of players due, waiting and fresh.
async fn backlog(world: &impl StoreBackend) -> (u64, u64, u64) {
    let freshness = Freshness::at(world.now(), Duration::from_secs(20 * 3_600));
    let backlog = world.discovers().backlog(&freshness).await.unwrap();
    (backlog.due, backlog.waiting, backlog.fresh)
}

pub(crate) async fn what_came_of_each_raid_and_difficulty_is_known(world: &impl StoreBackend) {
    assert_eq!(stored_results(world, 7).await, PlayerResults::default());
    let first = world.now();
    store(world, fetched(world, 7, &[(26, 4), (28, 5)], &[])).await;
    world.pass(SECOND);
    store(world, fetched(world, 7, &[(26, 4)], &[(99, 1)])).await;
    let known = stored_results(world, 7).await;
    assert_eq!(known.unit_results.get((26, 4)), Some(&UnitResult::Served(world.now())));
    assert_eq!(known.unit_results.get((28, 5)), Some(&UnitResult::Served(first)));
    assert_eq!(known.unit_results.get((99, 1)), Some(&UnitResult::Refused("no such raid".into())));
    assert_eq!((known.unit_results.get((26, 5)), known.dropped_at), (None, None));
    world.pass(SECOND);
    world.players().drop_players(&[dropped(world, 7, DropReason::Hidden)]).await.unwrap();
    assert_eq!(stored_results(world, 7).await.dropped_at, Some(world.now()));
    store(world, fetched(world, 7, &[(26, 4)], &[])).await;
    assert_eq!(stored_results(world, 7).await.dropped_at, None);
}

pub(crate) async fn a_player_who_lacks_something_still_waits_for_its_message(world: &impl StoreBackend) {
    let discovered = [seen(7, &[(26, 4), (26, 5)])];
    world.discovers().merge(&discovered).await.unwrap();
    world.discovers().mark_sent(&discovered, world.now()).await.unwrap();
    world.discovers().merge(&discovered).await.unwrap();
    world.pass(SECOND);
    store(world, FetchedPlayer { complete: false, ..fetched(world, 7, &[(26, 4)], &[]) }).await;
    assert_eq!(backlog(world).await, (0, 1, 0));
    store(world, fetched(world, 7, &[(26, 5)], &[])).await;
    assert_eq!(backlog(world).await, (0, 0, 1));
}

pub(crate) async fn what_is_refused_is_not_due_until_the_rule_changes(world: &impl StoreBackend) {
    let discovered = [seen(7, &[(26, 4), (99, 1)]), seen(8, &[(99, 1)])];
    world.discovers().merge(&discovered).await.unwrap();
    store(world, fetched(world, 7, &[(26, 4)], &[(99, 1)])).await;
    let refused = vec![((99, 1), "no such raid".to_owned())];
    let refused_players = RefusedPlayer { id: 8, refused, is_unknown: false };
    world.players().refuse(&[refused_players], world.now()).await.unwrap();
    assert_eq!(backlog(world).await, (0, 0, 2));
    assert!(stored_results(world, 8).await.unit_results.is_refused((99, 1)));
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    assert_eq!(backlog(world).await, (0, 0, 2), "another rule");
    world.rules().put(&rule(2, (99, 1), (1, 9))).await.unwrap();
    assert_eq!(backlog(world).await, (2, 0, 0));
    let known = stored_results(world, 7).await;
    assert_eq!(known.unit_results.refused(), RaidsToScrap::default());
    assert!(known.unit_results.get((26, 4)).is_some(), "what was served stays");
}

pub(crate) async fn a_rule_refused_to_all_players_is_paused_until_it_is_put_again(world: &impl StoreBackend) {
    let (rules, players) = (world.rules(), world.players());
    let (good, bad) = (rule(1, (26, 4), (1, 9)), rule(2, (99, 1), (1, 9)));
    rules.put(&good).await.unwrap();
    rules.put(&bad).await.unwrap();
    for id in 1..=u64::from(REFUSALS_IN_A_ROW) {
        assert_eq!(rules.list().await.unwrap().documents[1].pause, None, "{id}");
        store(world, fetched(world, id, &[(26, 4)], &[(99, 1)])).await;
    }
    let listed = rules.list().await.unwrap().documents;
    assert_eq!(listed[0].pause, None);
    let pause = listed[1].pause.clone().unwrap();
    assert!(pause.is_until_changed() && pause.reason.contains("raid 99") && pause.reason.contains("no such raid"));
    let known = players.known(&[100]).await.unwrap();
    assert_eq!(known.refusal(Some(100), (99, 1)), Some("no such raid"), "no player is requested in it");
    assert_eq!(known.refusal(Some(100), (26, 4)), None);
    let due_before = before(world.now(), SECOND);
    assert_eq!(rules.claim_due(due_before, SECOND).await.unwrap().map(|claim| claim.rule), Some(good));
    assert_eq!(rules.claim_due(due_before, SECOND).await.unwrap(), None);
    rules.put(&bad).await.unwrap();
    assert_eq!(rules.list().await.unwrap().documents[1].pause, None);
    assert_eq!(players.known(&[1]).await.unwrap().refusal(Some(1), (99, 1)), None);
    assert_eq!(rules.claim_due(due_before, SECOND).await.unwrap().map(|claim| claim.rule), Some(bad));
}

pub(crate) async fn a_player_who_is_served_clears_the_rule(world: &impl StoreBackend) {
    let refuse = async |from: u64, count: u64| {
        for id in from..from + count {
            store(world, fetched(world, id, &[], &[(28, 4)])).await;
        }
    };
    let is_refused = async || world.players().known(&[]).await.unwrap().refusal(None, (28, 4)).is_some();
    store(world, fetched(world, 1_000, &[(28, 4)], &[])).await;
    refuse(1, 9).await;
    assert!(!is_refused().await, "one was served before");
    world.rules().put(&rule(2, (28, 5), (1, 9))).await.unwrap();
    for id in 20..24 {
        store(world, fetched(world, id, &[], &[(28, 5)])).await;
    }
    store(world, fetched(world, 30, &[(28, 5)], &[])).await;
    for id in 40..44 {
        store(world, fetched(world, id, &[], &[(28, 5)])).await;
    }
    let known = world.players().known(&[]).await.unwrap();
    assert_eq!(known.refusal(None, (28, 5)), None, "one was served in between");
    // A rule that is already at fault: other processes' responses may still arrive.
    for id in 50..50 + u64::from(REFUSALS_IN_A_ROW) {
        store(world, fetched(world, id, &[], &[(28, 3)])).await;
    }
    let is_blamed = async || world.players().known(&[]).await.unwrap().refusal(None, (28, 3)).is_some();
    assert!(is_blamed().await);
    store(world, fetched(world, 60, &[(28, 3)], &[])).await;
    assert!(!is_blamed().await, "one was served at last");
}

pub(crate) async fn a_player_who_was_ranked_before_clears_the_rule(world: &impl StoreBackend) {
    for id in 1..=4 {
        store(world, fetched(world, id, &[], &[(26, 4)])).await;
    }
    let older = fetched(world, 7, &[(26, 4)], &[]).player;
    world.players().import(&[older]).await.unwrap();
    world.pass(SECOND);
    store(world, fetched(world, 7, &[], &[(26, 4)])).await;
    let known = world.players().known(&[]).await.unwrap();
    assert_eq!(known.refusal(None, (26, 4)), None, "its ranks are there");
}

pub(crate) async fn a_player_who_is_refused_again_and_again_counts_once(world: &impl StoreBackend) {
    for _ in 0..=REFUSALS_IN_A_ROW {
        store(world, fetched(world, 7, &[(26, 4)], &[(99, 1)])).await;
        world.pass(SECOND);
    }
    let twice = [fetched(world, 8, &[], &[(99, 1)]), fetched(world, 8, &[], &[(99, 1)])];
    world.players().store(&twice).await.unwrap();
    let known = world.players().known(&[]).await.unwrap();
    assert_eq!(known.refusals[&(99, 1)].in_a_row, 2);
}

pub(crate) async fn an_unknown_player_who_is_refused_is_dropped_and_not_asked_again(world: &impl StoreBackend) {
    let refused = vec![((99, 1), "no such raid".to_owned())];
    let refused_players = [8, 9].map(|id| RefusedPlayer { id, refused: refused.clone(), is_unknown: id == 8 });
    for _ in 0..2 {
        world.players().refuse(&refused_players, world.now()).await.unwrap();
    }
    let page = world.players().dropped_page(None, 9).await.unwrap();
    assert_eq!(page.documents, [dropped(world, 8, DropReason::Refused)]);
    for id in [8, 9] {
        let known = stored_results(world, id).await;
        assert_eq!((known.unit_results.is_refused((99, 1)), known.dropped_at), (true, None), "player {id}");
    }
}
