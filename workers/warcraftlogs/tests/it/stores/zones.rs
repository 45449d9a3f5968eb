//! Which raids are frozen, and how that affects which players are due.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::store::{Backlog, Discovered, DropReason, Freshness, Pass, Rule};

use super::StoreBackend;
use super::players::{dropped, player, ranks};
use crate::world::rule;

const DAY: Duration = Duration::from_secs(86_400);

fn tomorrow(world: &impl StoreBackend) -> Timestamp {
    after(world.now(), DAY)
}

pub(crate) async fn a_check_is_claimed_once_and_again_when_it_is_due(world: &impl StoreBackend) {
    let claim = async |raids: &[u32], until| world.zones().claim_check(raids, until).await.unwrap();
    let soon = after(world.now(), Duration::from_secs(600));
    assert_eq!(claim(&[26, 28], soon).await, [26, 28]);
    assert_eq!(claim(&[26, 28, 29], soon).await, [29]);
    world.pass(Duration::from_secs(599));
    assert_eq!(claim(&[26], tomorrow(world)).await, [0; 0]);
    world.pass(Duration::from_secs(1));
    assert_eq!(claim(&[26, 28], tomorrow(world)).await, [26, 28]);
}

pub(crate) async fn a_frozen_raid_stays_frozen_and_is_not_checked_again(world: &impl StoreBackend) {
    let zones = world.zones();
    let since = world.now();
    for _ in 0..2 {
        zones.record_check(&[(26, true), (28, false)], since, tomorrow(world)).await.unwrap();
    }
    assert_eq!(zones.frozen().await.unwrap().0.into_iter().collect::<Vec<_>>(), [(26, since)]);
    assert_eq!(zones.claim_check(&[26, 28], tomorrow(world)).await.unwrap(), [0; 0]);
    world.pass(DAY);
    zones.record_check(&[(26, true)], world.now(), tomorrow(world)).await.unwrap();
    zones.record_check(&[(26, false)], world.now(), tomorrow(world)).await.unwrap();
    assert_eq!(zones.frozen().await.unwrap().0.into_iter().collect::<Vec<_>>(), [(26, since)]);
    assert_eq!(zones.claim_check(&[26, 28], tomorrow(world)).await.unwrap(), [28]);
    zones.clear_frozen().await.unwrap();
    assert!(zones.frozen().await.unwrap().0.is_empty());
    assert_eq!(zones.claim_check(&[26], tomorrow(world)).await.unwrap(), [26]);
}

/// Stores a player fetched now, with ranks in `units`.
async fn fetch(world: &impl StoreBackend, id: PlayerId, units: &[(u32, u32)]) {
    let mut fetched = player(world, "EU", "kazzak", id);
    for (raid, difficulty) in units {
        fetched.raids.entry(*raid).or_default().insert(*difficulty, ranks(50.0));
    }
    world.players().upsert(&[fetched]).await.unwrap();
}

fn discovered(id: PlayerId, units: &[(u32, u32)]) -> Discovered {
    Discovered { id, raids_to_scrap: units.iter().copied().collect() }
}

pub(crate) async fn what_is_frozen_and_fetched_since_is_not_wanted_any_more(world: &impl StoreBackend) {
    // Fetched before the response: 1. Since: 2 all, 3 in part, 4 in another raid too, 5 was dropped. Never: 6.
    let both = [(26, 4), (28, 4)];
    fetch(world, 1, &[(26, 4)]).await;
    world.pass(Duration::from_secs(1));
    world.zones().record_check(&[(26, true)], world.now(), tomorrow(world)).await.unwrap();
    world.pass(Duration::from_secs(1));
    for (id, units) in [(2, &both[..1]), (3, &both[..1]), (4, &both[..])] {
        fetch(world, id, units).await;
    }
    world.players().drop_players(&[dropped(world, 5, DropReason::Hidden)]).await.unwrap();
    let seen = [
        discovered(1, &both[..1]),
        discovered(2, &both[..1]),
        discovered(3, &[(26, 4), (26, 5)]),
        discovered(4, &both),
        discovered(5, &both[..1]),
        discovered(6, &both),
    ];
    world.discovers().merge(&seen).await.unwrap();
    world.pass(DAY);
    let freshness = Freshness::at(world.now(), DAY / 2);
    let due = world.discovers().due(None, 10, &freshness).await.unwrap();
    assert_eq!(due.documents.iter().map(|due| due.id).collect::<Vec<_>>(), [1, 3, 4, 6]);
    let backlog = world.discovers().backlog(&freshness).await.unwrap();
    assert_eq!(backlog, Backlog { due: 4, waiting: 0, fresh: 2 });
    let wanted = world.discovers().still_wanted(&seen).await.unwrap();
    let wanted: Vec<(PlayerId, RaidsToScrap)> =
        wanted.into_iter().map(|player| (player.id, player.raids_to_scrap)).collect();
    let raids = |units: &[(u32, u32)]| units.iter().copied().collect::<RaidsToScrap>();
    let expected = [
        (1, raids(&both[..1])),
        (2, raids(&[])),
        (3, raids(&[(26, 5)])),
        (4, raids(&both[1..])),
        (5, raids(&[])),
        (6, raids(&both)),
    ];
    assert_eq!(wanted, expected);
    world.zones().clear_frozen().await.unwrap();
    assert_eq!(world.discovers().backlog(&freshness).await.unwrap().due, 6);
    assert_eq!(world.discovers().still_wanted(&seen).await.unwrap(), seen);
}

pub(crate) async fn a_claim_says_since_when_the_raid_is_frozen(world: &impl StoreBackend) {
    let since = world.now();
    world.zones().record_check(&[(26, true), (28, false)], since, tomorrow(world)).await.unwrap();
    let claim = async || world.rules().claim_due(world.now(), DAY).await.unwrap().unwrap();
    world.rules().put(&rule(1, (28, 4), (1, 9))).await.unwrap();
    assert_eq!(claim().await.frozen_since, None);
    world.rules().put(&Rule { last_run: Some(since), ..rule(2, (26, 4), (1, 9)) }).await.unwrap();
    let first = claim().await;
    assert!(first.frozen_since == Some(since) && !first.is_settled(), "it was not read since");
    world.pass(Duration::from_secs(1));
    let pass = Pass::begin(&first.rule, 9, world.now());
    assert!(world.rules().finish(&first, &pass, world.now()).await.unwrap());
    assert!(claim().await.is_settled());
}
