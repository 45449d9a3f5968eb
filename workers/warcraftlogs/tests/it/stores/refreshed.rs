//! The results of refreshes.

use std::time::Duration;

use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef};
use stint_warcraftlogs::store::{DropReason, RESULTS_KEPT, RefreshOutcome, RefreshResult};

use super::StoreBackend;

fn named(name: &str, server: &str) -> PlayerRef {
    PlayerRef::Named(PlayerName::new(name, server, "EU").unwrap())
}

fn latest_result(world: &impl StoreBackend, player_ref: PlayerRef, result: RefreshOutcome) -> RefreshResult {
    RefreshResult { player_ref, at: world.now(), result }
}

pub(crate) async fn a_result_is_found_by_how_the_player_was_requested(world: &impl StoreBackend) {
    let refresh_results = [
        latest_result(world, PlayerRef::Id(7), RefreshOutcome::Ranked(8)),
        latest_result(world, named("Ånn", "kazzak"), RefreshOutcome::Ranked(9)),
        latest_result(world, named("Ånn", "kazak"), RefreshOutcome::Dropped(DropReason::Unknown)),
        latest_result(world, PlayerRef::Id(10), RefreshOutcome::Refused("no such raid".into())),
    ];
    world.refresh_results().store_results(&[]).await.unwrap();
    world.refresh_results().store_results(&refresh_results).await.unwrap();
    world.refresh_results().store_results(&refresh_results).await.unwrap();
    for latest_result in refresh_results {
        assert_eq!(
            world.refresh_results().latest_result(&latest_result.player_ref).await.unwrap(),
            Some(latest_result)
        );
    }
    assert_eq!(world.refresh_results().latest_result(&PlayerRef::Id(9)).await.unwrap(), None);
    assert_eq!(world.refresh_results().latest_result(&named("Ann", "kazzak")).await.unwrap(), None);
}

pub(crate) async fn the_latest_result_counts_and_old_ones_are_deleted(world: &impl StoreBackend) {
    let first = latest_result(world, PlayerRef::Id(7), RefreshOutcome::Dropped(DropReason::Hidden));
    let old = latest_result(world, PlayerRef::Id(8), RefreshOutcome::Ranked(8));
    world.refresh_results().store_results(&[first, old.clone()]).await.unwrap();
    world.pass(RESULTS_KEPT);
    let second = latest_result(world, PlayerRef::Id(7), RefreshOutcome::Ranked(7));
    world.refresh_results().store_results(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(world.refresh_results().latest_result(&PlayerRef::Id(7)).await.unwrap(), Some(second));
    assert_eq!(world.refresh_results().latest_result(&PlayerRef::Id(8)).await.unwrap(), Some(old));
    world.pass(Duration::from_secs(1));
    world
        .refresh_results()
        .store_results(&[latest_result(world, PlayerRef::Id(9), RefreshOutcome::Ranked(9))])
        .await
        .unwrap();
    assert_eq!(world.refresh_results().latest_result(&PlayerRef::Id(8)).await.unwrap(), None);
}
