//! Players and their ranks.

use stint_warcraftlogs::model::{EncounterRank, Player, PlayerId, RaidRanks, Server};
use stint_warcraftlogs::store::{DropReason, Dropped, PlayerCounts, Players};

use super::StoreWorld;

/// Region, server slug, id.
pub(super) fn player(world: &impl StoreWorld, region: &str, slug: &str, id: PlayerId) -> Player {
    Player {
        id,
        name: format!("Ånn{id}"),
        class_id: 4,
        region: region.into(),
        server: Server { name: slug.to_uppercase(), slug: slug.into(), normalized_name: slug.replace('-', "") },
        updated_at: world.now(),
        raids: Default::default(),
    }
}

pub(super) fn ranks(best: f64) -> RaidRanks {
    let rank = EncounterRank { best: Some(best), median: None, kills: 3, spec: "Fire".into() };
    RaidRanks { metric: "dps".into(), best: Some(best), median: Some(0.1 + 0.2), encounters: [(2398, rank)].into() }
}

pub(super) fn dropped(world: &impl StoreWorld, id: PlayerId, reason: DropReason) -> Dropped {
    Dropped { id, reason, at: world.now() }
}

async fn all(players: &dyn Players, size: usize) -> Vec<PlayerId> {
    let (mut shown, mut after) = (Vec::new(), None);
    loop {
        let page = players.page(after.as_ref(), size).await.unwrap();
        assert!(page.damaged.is_empty() && page.documents.len() <= size);
        shown.extend(page.documents.into_iter().map(|player| player.id));
        after = page.next;
        if after.is_none() {
            return shown;
        }
    }
}

pub(crate) async fn a_player_reads_back_as_it_was_stored(world: &impl StoreWorld) {
    let players = world.players();
    let mut ann = player(world, "EU", "tarren-mill", 7);
    ann.raids.entry(26).or_default().insert(4, ranks(95.3));
    players.upsert(std::slice::from_ref(&ann)).await.unwrap();
    players.upsert(std::slice::from_ref(&ann)).await.unwrap();
    players.upsert(&[]).await.unwrap();
    assert_eq!(players.get(7).await.unwrap(), Some(ann));
    assert_eq!(players.get(8).await.unwrap(), None);
    assert_eq!(players.counts().await.unwrap(), PlayerCounts { ranked: 1, dropped: 0 });
}

pub(crate) async fn given_raids_replace_the_stored_ones_and_others_stay(world: &impl StoreWorld) {
    let players = world.players();
    let mut ann = player(world, "EU", "tarren-mill", 7);
    ann.raids.entry(26).or_default().extend([(3, ranks(1.0)), (4, ranks(2.0))]);
    ann.raids.entry(28).or_default().insert(5, ranks(3.0));
    players.upsert(std::slice::from_ref(&ann)).await.unwrap();
    let mut later = player(world, "EU", "tarren-mill", 7);
    let mut without_encounters = ranks(99.0);
    without_encounters.encounters.clear();
    later.raids.entry(26).or_default().insert(4, without_encounters.clone());
    later.raids.entry(29).or_default().insert(3, ranks(4.0));
    later.name = "Anna".into();
    players.upsert(&[later]).await.unwrap();
    ann.name = "Anna".into();
    ann.raids.entry(26).or_default().insert(4, without_encounters);
    ann.raids.entry(29).or_default().insert(3, ranks(4.0));
    assert_eq!(players.get(7).await.unwrap(), Some(ann));
}

pub(crate) async fn a_player_who_moves_is_found_in_one_place_only(world: &impl StoreWorld) {
    let players = world.players();
    players.upsert(&[player(world, "EU", "tarren-mill", 7), player(world, "EU", "zuluhed", 8)]).await.unwrap();
    players.upsert(&[player(world, "US", "area-52", 7)]).await.unwrap();
    assert_eq!(all(&*players, 1).await, [8, 7]);
}

pub(crate) async fn pages_go_by_region_server_and_id(world: &impl StoreWorld) {
    let players = world.players();
    let sorted = [
        player(world, "CN", "b", 9),
        player(world, "EU", "a", 3),
        player(world, "EU", "a", 20),
        player(world, "EU", "a-b", 1),
        player(world, "EU", "b", 2),
        player(world, "US", "a", 4),
    ];
    for index in [5, 2, 0, 4, 1, 3] {
        players.upsert(&[sorted[index].clone()]).await.unwrap();
    }
    let ids: Vec<PlayerId> = sorted.iter().map(|player| player.id).collect();
    for size in [1, 2, 3, 6, 7] {
        assert_eq!(all(&*players, size).await, ids, "pages of {size}");
    }
}

pub(crate) async fn a_dropped_player_who_is_ranked_again_is_one_no_more(world: &impl StoreWorld) {
    let players = world.players();
    players.drop_players(&[dropped(world, 7, DropReason::Hidden)]).await.unwrap();
    assert_eq!(players.counts().await.unwrap(), PlayerCounts { ranked: 0, dropped: 1 });
    players.upsert(&[player(world, "EU", "a", 7)]).await.unwrap();
    assert_eq!(players.counts().await.unwrap(), PlayerCounts { ranked: 1, dropped: 0 });
}

pub(crate) async fn dropping_keeps_the_ranks_that_are_stored(world: &impl StoreWorld) {
    let players = world.players();
    let ann = player(world, "EU", "a", 7);
    players.upsert(std::slice::from_ref(&ann)).await.unwrap();
    players.drop_players(&[dropped(world, 7, DropReason::Hidden)]).await.unwrap();
    assert_eq!(players.get(7).await.unwrap(), Some(ann));
    let page = players.dropped_page(None, 10).await.unwrap();
    assert_eq!(page.documents, [dropped(world, 7, DropReason::Hidden)]);
}

pub(crate) async fn dropped_players_are_listed_by_id(world: &impl StoreWorld) {
    let players = world.players();
    let reasons = [DropReason::Merged, DropReason::NeverClassed, DropReason::Unknown, DropReason::Hidden];
    let listed: Vec<Dropped> = (1..).zip(reasons).map(|(id, reason)| dropped(world, id, reason)).collect();
    players.drop_players(&listed.iter().rev().cloned().collect::<Vec<_>>()).await.unwrap();
    // A second time, for another reason: the last word counts.
    players.drop_players(&[dropped(world, 1, DropReason::Hidden), listed[0].clone()]).await.unwrap();
    players.drop_players(&[]).await.unwrap();
    let first = players.dropped_page(None, 3).await.unwrap();
    let rest = players.dropped_page(first.next, 3).await.unwrap();
    assert_eq!([first.documents, rest.documents].concat(), listed);
    assert_eq!(rest.next, None);
}
