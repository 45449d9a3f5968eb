//! Which discovered players are due, wait, or are fresh.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::before;
use stint_warcraftlogs::model::{Difficulty, PlayerId, RaidId};
use stint_warcraftlogs::store::{Backlog, Discovered, DropReason, Due, Freshness};

use super::StoreBackend;
use super::discovers::{all, seen};
use super::players::{dropped, player, ranks};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Ranks are stale after twenty hours.
fn freshness(world: &impl StoreBackend) -> Freshness {
    Freshness::at(world.now(), 20 * HOUR)
}

/// Every player who is due, in pages of two.
async fn due(world: &impl StoreBackend) -> Vec<(PlayerId, Option<Timestamp>)> {
    let (mut shown, mut after) = (Vec::new(), None);
    loop {
        let page = world.discovers().due(after, 2, &freshness(world)).await.unwrap();
        assert!(page.damaged.is_empty() && page.documents.len() <= 2);
        shown.extend(page.documents.into_iter().map(|Due { id, fetched_at }| (id, fetched_at)));
        after = page.next;
        if after.is_none() {
            return shown;
        }
    }
}

/// The numbers of players due, waiting and fresh.
async fn backlog(world: &impl StoreBackend) -> (u64, u64, u64) {
    let Backlog { due, waiting, fresh } = world.discovers().backlog(&freshness(world)).await.unwrap();
    (due, waiting, fresh)
}

async fn discover(world: &impl StoreBackend, players: &[Discovered]) {
    world.discovers().merge(players).await.unwrap();
}

/// Hands over the documents of these players.
async fn queue(world: &impl StoreBackend, ids: &[PlayerId]) {
    let sent = world.discovers().get(ids).await.unwrap().documents;
    assert_eq!(sent.len(), ids.len());
    world.discovers().mark_sent(&sent, world.now()).await.unwrap();
}

/// Stores ranks fetched now.
async fn rank(world: &impl StoreBackend, id: PlayerId, units: &[(RaidId, Difficulty)]) {
    let mut player = player(world, "EU", "tarren-mill", id);
    for (raid, difficulty) in units {
        player.raids.entry(*raid).or_default().insert(*difficulty, ranks(95.3));
    }
    world.players().upsert(&[player]).await.unwrap();
}

pub(crate) async fn a_player_who_was_never_fetched_is_due(world: &impl StoreBackend) {
    assert_eq!((due(world).await, backlog(world).await), (Vec::new(), (0, 0, 0)));
    discover(world, &[seen(7, &[(26, 3)]), seen(5, &[(26, 3)])]).await;
    // A player who was never discovered does not count.
    rank(world, 6, &[(26, 3)]).await;
    assert_eq!(due(world).await, [(5, None), (7, None)]);
    assert_eq!(backlog(world).await, (2, 0, 0));
}

pub(crate) async fn those_who_are_due_are_shown_once_in_order(world: &impl StoreBackend) {
    let ids: Vec<PlayerId> = (1..=20).map(|number| number * 101_111_111).collect();
    discover(world, &ids.iter().rev().map(|id| seen(*id, &[(26, 3)])).collect::<Vec<_>>()).await;
    // In between, some are fresh and some wait.
    for id in ids.iter().skip(3).step_by(4) {
        rank(world, *id, &[(26, 3)]).await;
    }
    queue(world, &[ids[5], ids[6]]).await;
    let fresh = |id: &PlayerId| ids.iter().skip(3).step_by(4).any(|fresh| fresh == id);
    let expected: Vec<PlayerId> =
        ids.iter().copied().filter(|id| !fresh(id) && *id != ids[5] && *id != ids[6]).collect();
    for size in [1, 2, 3, 13, 14, 1_000] {
        let (mut shown, mut after) = (Vec::new(), None);
        loop {
            let page = world.discovers().due(after, size, &freshness(world)).await.unwrap();
            assert!(page.documents.len() <= size);
            shown.extend(page.documents.into_iter().map(|due| due.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(shown, expected, "pages of {size}");
    }
}

pub(crate) async fn a_queued_player_waits_until_it_is_fetched(world: &impl StoreBackend) {
    let players = [seen(7, &[(26, 3)])];
    discover(world, &players).await;
    queue(world, &[7]).await;
    assert_eq!((all(&*world.discovers()).await, backlog(world).await), (Vec::new(), (0, 0, 0)));
    for _ in 0..3 {
        world.pass(DAY);
        discover(world, &players).await;
        assert_eq!((due(world).await, backlog(world).await), (Vec::new(), (0, 1, 0)));
    }
    let fetched_at = world.now();
    rank(world, 7, &[(26, 3)]).await;
    assert_eq!((due(world).await, backlog(world).await), (Vec::new(), (0, 0, 1)));
    world.pass(20 * HOUR);
    assert_eq!(due(world).await, [(7, Some(fetched_at))]);
    queue(world, &[7]).await;
    discover(world, &players).await;
    assert_eq!(backlog(world).await, (0, 1, 0), "an earlier fetch does not complete a later message");
}

pub(crate) async fn a_message_is_forgotten_when_no_queue_can_have_it_any_more(world: &impl StoreBackend) {
    let players = [seen(7, &[(26, 3)]), seen(8, &[(26, 3)])];
    discover(world, &players).await;
    let fetched_at = world.now();
    rank(world, 8, &[(26, 3)]).await;
    world.pass(DAY);
    queue(world, &[7, 8]).await;
    discover(world, &players).await;
    world.pass(14 * DAY - Duration::from_secs(1));
    assert_eq!(backlog(world).await, (0, 2, 0));
    world.pass(Duration::from_secs(1));
    assert_eq!(due(world).await, [(7, None), (8, Some(fetched_at))]);
    // It is sent again, and waits again.
    queue(world, &[7]).await;
    discover(world, &players).await;
    assert_eq!(backlog(world).await, (1, 1, 0));
}

pub(crate) async fn ranks_are_fresh_until_they_have_reached_the_age(world: &impl StoreBackend) {
    discover(world, &[seen(7, &[(26, 3), (28, 5)])]).await;
    let fetched_at = world.now();
    rank(world, 7, &[(26, 3), (28, 5)]).await;
    world.pass(20 * HOUR - Duration::from_secs(1));
    assert_eq!((due(world).await, backlog(world).await), (Vec::new(), (0, 0, 1)));
    world.pass(Duration::from_secs(1));
    assert_eq!((due(world).await, backlog(world).await), (vec![(7, Some(fetched_at))], (1, 0, 0)));
}

pub(crate) async fn ranks_that_do_not_cover_everything_are_due_at_once(world: &impl StoreBackend) {
    discover(world, &[seen(7, &[(26, 3)]), seen(8, &[(26, 3)]), seen(9, &[(26, 3)])]).await;
    rank(world, 7, &[(26, 3), (26, 4), (28, 5)]).await;
    rank(world, 8, &[(26, 4)]).await;
    rank(world, 9, &[]).await;
    assert_eq!(due(world).await, [(8, Some(world.now())), (9, Some(world.now()))]);
    assert_eq!(backlog(world).await, (2, 0, 1));
    // Results fetched at different times add up.
    rank(world, 8, &[(26, 3)]).await;
    discover(world, &[seen(7, &[(28, 3)])]).await;
    assert_eq!(due(world).await, [(7, Some(world.now())), (9, Some(world.now()))]);
}

pub(crate) async fn a_dropped_player_is_fresh_whatever_it_was_discovered_in(world: &impl StoreBackend) {
    discover(world, &[seen(7, &[(26, 3)]), seen(8, &[(26, 3)])]).await;
    rank(world, 8, &[(26, 3)]).await;
    queue(world, &[7]).await;
    world.pass(HOUR);
    let dropped_at = world.now();
    let hidden = [dropped(world, 7, DropReason::Hidden), dropped(world, 8, DropReason::Merged)];
    world.players().drop_players(&hidden).await.unwrap();
    discover(world, &[seen(7, &[(26, 3), (28, 5)]), seen(8, &[(28, 5)])]).await;
    assert_eq!((due(world).await, backlog(world).await), (Vec::new(), (0, 0, 2)));
    world.pass(20 * HOUR);
    assert_eq!(due(world).await, [(7, Some(dropped_at)), (8, Some(dropped_at))], "it may have come back");
}

pub(crate) async fn a_player_who_was_ranked_after_it_was_dropped_is_covered_by_its_ranks_alone(
    world: &impl StoreBackend,
) {
    discover(world, &[seen(7, &[(26, 3), (28, 5)])]).await;
    world.players().drop_players(&[dropped(world, 7, DropReason::Hidden)]).await.unwrap();
    rank(world, 7, &[(26, 3)]).await;
    assert_eq!(due(world).await, [(7, Some(world.now()))]);
}

pub(crate) async fn a_player_fetched_before_it_is_marked_as_sent_does_not_wait(world: &impl StoreBackend) {
    let players = [seen(7, &[(26, 3)])];
    discover(world, &players).await;
    let queued_at = world.now();
    world.pass(Duration::from_secs(1));
    rank(world, 7, &[(26, 3)]).await;
    world.discovers().mark_sent(&players, queued_at).await.unwrap();
    discover(world, &[seen(7, &[(26, 3), (28, 5)])]).await;
    assert_eq!(backlog(world).await, (1, 0, 0));
}

pub(crate) async fn older_ranks_that_are_imported_count_with_their_age(world: &impl StoreBackend) {
    let imported = async |days: u32| {
        let mut player = player(world, "EU", "tarren-mill", 7);
        player.updated_at = before(world.now(), DAY * days);
        player.raids.entry(26).or_default().insert(3, ranks(95.3));
        world.players().upsert(&[player]).await.unwrap();
        before(world.now(), DAY * days)
    };
    discover(world, &[seen(7, &[(26, 3)])]).await;
    let fetched_at = imported(2).await;
    assert_eq!(due(world).await, [(7, Some(fetched_at))]);
    queue(world, &[7]).await;
    discover(world, &[seen(7, &[(26, 3)])]).await;
    imported(1).await;
    assert_eq!(backlog(world).await, (0, 1, 0), "an import does not complete a message");
    imported(0).await;
    assert_eq!(backlog(world).await, (0, 0, 1));
    let fetched_at = imported(3).await;
    assert_eq!(due(world).await, [(7, Some(fetched_at))], "the message is answered, and the ranks are old");
}

pub(crate) async fn a_player_discovered_again_while_it_waits_is_due_if_the_ranks_do_not_cover_it(
    world: &impl StoreBackend,
) {
    discover(world, &[seen(7, &[(26, 3)])]).await;
    queue(world, &[7]).await;
    discover(world, &[seen(7, &[(28, 5)])]).await;
    assert_eq!(backlog(world).await, (0, 1, 0));
    world.pass(HOUR);
    rank(world, 7, &[(26, 3)]).await;
    assert_eq!(due(world).await, [(7, Some(world.now()))]);
}

pub(crate) async fn no_player_waits_after_the_queue_was_purged(world: &impl StoreBackend) {
    let players = [seen(7, &[(26, 3)]), seen(8, &[(26, 3)])];
    discover(world, &players).await;
    rank(world, 8, &[(26, 3)]).await;
    world.pass(HOUR);
    world.discovers().mark_sent(&players, world.now()).await.unwrap();
    discover(world, &players).await;
    assert_eq!(backlog(world).await, (0, 2, 0));
    world.discovers().forget_queued().await.unwrap();
    assert_eq!(backlog(world).await, (1, 0, 1));
}
