//! Discovered players, which stay until they are queued.

use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::store::{Discovered, Discovers};

use super::StoreBackend;

pub(super) fn seen(id: PlayerId, units: &[(u32, u32)]) -> Discovered {
    Discovered { id, raids_to_scrap: units.iter().copied().collect() }
}

pub(super) async fn all(discovers: &dyn Discovers) -> Vec<Discovered> {
    let page = discovers.page(None, 1_000).await.unwrap();
    assert!(page.damaged.is_empty() && page.next.is_none());
    page.documents
}

pub(crate) async fn what_was_seen_is_merged(world: &impl StoreBackend) {
    let discovers = world.discovers();
    discovers.merge(&[seen(7, &[(26, 3)]), seen(5, &[(28, 5)]), seen(7, &[(28, 4)])]).await.unwrap();
    discovers.merge(&[seen(7, &[(26, 5)])]).await.unwrap();
    assert_eq!(all(&*discovers).await, [seen(5, &[(28, 5)]), seen(7, &[(26, 3), (26, 5), (28, 4)])]);
    assert_eq!(discovers.count().await.unwrap(), 2);
}

pub(crate) async fn merging_is_idempotent(world: &impl StoreBackend) {
    let discovers = world.discovers();
    let players = [seen(5, &[(28, 5)]), seen(7, &[(26, 3), (26, 5)])];
    discovers.merge(&players).await.unwrap();
    discovers.merge(&players).await.unwrap();
    assert_eq!(all(&*discovers).await, players);
    // Also for a process that compares: what was read before is unchanged.
    discovers.mark_sent(&players, world.now()).await.unwrap();
    assert_eq!(discovers.count().await.unwrap(), 0);
}

pub(crate) async fn pages_list_every_player_once_in_order(world: &impl StoreBackend) {
    let discovers = world.discovers();
    let ids: Vec<PlayerId> = (1..=10).map(|number| number * 211_111_111).collect();
    let players: Vec<Discovered> = ids.iter().rev().map(|id| seen(*id, &[(26, 3)])).collect();
    discovers.merge(&players).await.unwrap();
    for size in [1, 3, 5, 10, 11] {
        let (mut shown, mut after) = (Vec::new(), None);
        loop {
            let page = discovers.page(after, size).await.unwrap();
            assert!(page.documents.len() <= size);
            shown.extend(page.documents.into_iter().map(|player| player.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(shown, ids, "pages of {size}");
    }
}

pub(crate) async fn documents_are_found_by_id(world: &impl StoreBackend) {
    let discovers = world.discovers();
    let players = [seen(5, &[(28, 5)]), seen(7, &[(26, 3), (26, 5)]), seen(9, &[(26, 3)])];
    discovers.merge(&players).await.unwrap();
    let mut found = discovers.get(&[9, 6, 5]).await.unwrap();
    assert!(found.damaged.is_empty() && found.next.is_none());
    found.documents.sort_by_key(|player| player.id);
    assert_eq!(found.documents, [players[0].clone(), players[2].clone()]);
    assert_eq!(discovers.get(&[]).await.unwrap().documents, []);
}

pub(crate) async fn only_unchanged_documents_are_deleted(world: &impl StoreBackend) {
    let discovers = world.discovers();
    discovers.merge(&[seen(1, &[(26, 3)]), seen(2, &[(26, 3)]), seen(3, &[(26, 3)])]).await.unwrap();
    let sent = all(&*discovers).await;
    discovers.merge(&[seen(2, &[(26, 4)]), seen(4, &[(26, 3)])]).await.unwrap();
    discovers.mark_sent(&sent, world.now()).await.unwrap();
    assert_eq!(all(&*discovers).await, [seen(2, &[(26, 3), (26, 4)]), seen(4, &[(26, 3)])]);
    discovers.mark_sent(&sent, world.now()).await.unwrap();
    assert_eq!(discovers.count().await.unwrap(), 2);
}

pub(crate) async fn nothing_to_merge_or_mark_as_sent_is_no_error(world: &impl StoreBackend) {
    let discovers = world.discovers();
    discovers.merge(&[]).await.unwrap();
    discovers.mark_sent(&[], world.now()).await.unwrap();
    let unknown = Discovered { id: 9, raids_to_scrap: RaidsToScrap::one(26, 3) };
    discovers.mark_sent(&[unknown], world.now()).await.unwrap();
    assert_eq!(all(&*discovers).await, []);
}

/// A store has signed numbers: the id would be read back as another one, or never.
pub(crate) async fn an_id_beyond_all_ids_is_refused_by_name(world: &impl StoreBackend) {
    let discovers = world.discovers();
    let beyond: PlayerId = 9_223_372_036_854_775_808;
    let refused = discovers.merge(&[seen(beyond, &[(26, 3)])]).await.unwrap_err().to_string();
    assert!(refused.contains("9223372036854775808 is not a player's id"), "{refused}");
    assert_eq!(discovers.count().await.unwrap(), 0);
    discovers.merge(&[seen(beyond - 1, &[(26, 3)])]).await.unwrap();
    assert_eq!(discovers.page(Some(beyond), 10).await.unwrap().documents, []);
}
