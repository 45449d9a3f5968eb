//! Players and their ranks.

use std::time::Duration;

use stint_core::clock::before;
use stint_warcraftlogs::model::{EncounterRank, Player, PlayerId, RaidRanks, RaidsToScrap, Server};
use stint_warcraftlogs::store::{Discovered, DropReason, Dropped, Freshness, ImportCounts, PlayerCounts, Players};

use super::StoreBackend;

/// A player with this region, server slug and id.
pub(super) fn player(world: &impl StoreBackend, region: &str, slug: &str, id: PlayerId) -> Player {
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
    let rank = EncounterRank { best: Some(best), kills: 3, spec: "Fire".into(), ..EncounterRank::default() };
    let (median, encounters) = (Some(0.1 + 0.2), [(2398, rank)].into());
    RaidRanks { metric: "dps".into(), best: Some(best), median, encounters, ..RaidRanks::default() }
}

pub(super) fn dropped(world: &impl StoreBackend, id: PlayerId, reason: DropReason) -> Dropped {
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

pub(crate) async fn a_player_reads_back_as_it_was_stored(world: &impl StoreBackend) {
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

pub(crate) async fn given_raids_replace_the_stored_ones_and_others_stay(world: &impl StoreBackend) {
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

pub(crate) async fn a_player_who_moves_is_found_in_one_place_only(world: &impl StoreBackend) {
    let players = world.players();
    players.upsert(&[player(world, "EU", "tarren-mill", 7), player(world, "EU", "zuluhed", 8)]).await.unwrap();
    players.upsert(&[player(world, "US", "area-52", 7)]).await.unwrap();
    assert_eq!(all(&*players, 1).await, [8, 7]);
}

pub(crate) async fn pages_go_by_region_server_and_id(world: &impl StoreBackend) {
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

pub(crate) async fn a_dropped_player_who_is_ranked_again_is_one_no_more(world: &impl StoreBackend) {
    let players = world.players();
    players.drop_players(&[dropped(world, 7, DropReason::Hidden)]).await.unwrap();
    assert_eq!(players.counts().await.unwrap(), PlayerCounts { ranked: 0, dropped: 1 });
    players.upsert(&[player(world, "EU", "a", 7)]).await.unwrap();
    assert_eq!(players.counts().await.unwrap(), PlayerCounts { ranked: 1, dropped: 0 });
}

pub(crate) async fn dropping_keeps_the_ranks_that_are_stored(world: &impl StoreBackend) {
    let players = world.players();
    let ann = player(world, "EU", "a", 7);
    players.upsert(std::slice::from_ref(&ann)).await.unwrap();
    players.drop_players(&[dropped(world, 7, DropReason::Hidden)]).await.unwrap();
    assert_eq!(players.get(7).await.unwrap(), Some(ann));
    let page = players.dropped_page(None, 10).await.unwrap();
    assert_eq!(page.documents, [dropped(world, 7, DropReason::Hidden)]);
}

pub(crate) async fn of_a_player_from_elsewhere_what_was_updated_last_counts(world: &impl StoreBackend) {
    let players = world.players();
    let mut older = player(world, "EU", "tarren-mill", 7);
    older.raids.entry(26).or_default().extend([(3, ranks(1.0)), (4, ranks(2.0))]);
    world.pass(Duration::from_secs(1));
    let mut newer = player(world, "US", "area-52", 7);
    newer.name = "Anna".into();
    newer.raids.entry(26).or_default().insert(4, ranks(3.0));
    newer.raids.entry(28).or_default().insert(5, ranks(4.0));
    let mut both = newer.clone();
    both.raids.entry(26).or_default().insert(3, ranks(1.0));
    for (id, first, second, taken) in [
        (7, &older, &newer, ImportCounts { updated: 1, ..ImportCounts::default() }),
        (8, &newer, &older, ImportCounts { older: 1, ..ImportCounts::default() }),
    ] {
        let [first, second, both] = [first, second, &both].map(|player| Player { id, ..player.clone() });
        players.upsert(&[first]).await.unwrap();
        for _ in 0..2 {
            assert_eq!(players.import(std::slice::from_ref(&second)).await.unwrap(), taken);
            assert_eq!(players.get(id).await.unwrap().as_ref(), Some(&both));
        }
    }
    assert_eq!(all(&*players, 10).await, [7, 8]);
}

pub(crate) async fn importing_twice_changes_nothing(world: &impl StoreBackend) {
    let players = world.players();
    let mut ann = player(world, "EU", "tarren-mill", 7);
    ann.raids.entry(26).or_default().insert(4, ranks(95.3));
    let all_players = [ann.clone(), player(world, "EU", "zuluhed", 8)];
    assert_eq!(players.import(&[]).await.unwrap(), ImportCounts::default());
    assert_eq!(players.import(&all_players).await.unwrap(), ImportCounts { new: 2, ..ImportCounts::default() });
    assert_eq!(players.import(&all_players).await.unwrap(), ImportCounts { updated: 2, ..ImportCounts::default() });
    assert_eq!(players.get(7).await.unwrap(), Some(ann.clone()));
    assert_eq!(all(&*players, 10).await, [7, 8]);
    // A player who occurs twice in one call, as in two concatenated exports: the newer data count in either order.
    let older = Player { id: 9, ..ann };
    world.pass(Duration::from_secs(1));
    let newer = Player { name: "Anna".into(), updated_at: world.now(), ..older.clone() };
    for (id, twice) in [(9, [&older, &newer]), (10, [&newer, &older])] {
        let twice = twice.map(|player| Player { id, ..player.clone() });
        players.import(&twice).await.unwrap();
        assert_eq!(players.get(id).await.unwrap(), Some(Player { id, ..newer.clone() }));
    }
}

pub(crate) async fn an_older_player_from_elsewhere_changes_no_standing_and_no_drop(world: &impl StoreBackend) {
    let players = world.players();
    let with_ranks = |id| {
        let mut player = player(world, "EU", "tarren-mill", id);
        player.raids.entry(28).or_default().insert(5, ranks(9.0));
        player
    };
    let older = [with_ranks(7), with_ranks(8), with_ranks(9)];
    let discovered = |id| Discovered { id, raids_to_scrap: RaidsToScrap::one(28, 5) };
    world.discovers().merge(&[discovered(7), discovered(8), discovered(9)]).await.unwrap();
    world.pass(Duration::from_secs(3_600));
    players.upsert(&[player(world, "EU", "tarren-mill", 7)]).await.unwrap();
    players.drop_players(&[dropped(world, 8, DropReason::Hidden)]).await.unwrap();
    let taken = players.import(&older).await.unwrap();
    assert_eq!(taken, ImportCounts { new: 2, updated: 0, older: 1 });
    for id in [7, 8, 9] {
        assert_eq!(players.get(id).await.unwrap().unwrap().raids[&28][&5], ranks(9.0), "player {id}");
    }
    // The ranks of 7 in 28:5 are older than its standing says, so it is due; 8 stays dropped; 9 was fetched when its
    // document says.
    assert_eq!(players.dropped_page(None, 10).await.unwrap().documents, [dropped(world, 8, DropReason::Hidden)]);
    for (minutes, expected) in [(90, (1, 2)), (30, (2, 1))] {
        let stale_at = before(world.now(), Duration::from_secs(60 * minutes));
        let backlog = world.discovers().backlog(&Freshness { stale_at, forgotten_at: world.now() }).await.unwrap();
        assert_eq!((backlog.due, backlog.fresh), expected, "fresh for {minutes} minutes");
    }
}

pub(crate) async fn dropped_players_are_listed_by_id(world: &impl StoreBackend) {
    let players = world.players();
    let reasons = [DropReason::Merged, DropReason::NeverClassed, DropReason::Unknown, DropReason::Hidden];
    let listed: Vec<Dropped> = (1..).zip(reasons).map(|(id, reason)| dropped(world, id, reason)).collect();
    players.drop_players(&listed.iter().rev().cloned().collect::<Vec<_>>()).await.unwrap();
    // A second time, for another reason: the last one counts.
    players.drop_players(&[dropped(world, 1, DropReason::Hidden), listed[0].clone()]).await.unwrap();
    players.drop_players(&[]).await.unwrap();
    let first = players.dropped_page(None, 3).await.unwrap();
    let rest = players.dropped_page(first.next, 3).await.unwrap();
    assert_eq!([first.documents, rest.documents].concat(), listed);
    assert_eq!(rest.next, None);
}
