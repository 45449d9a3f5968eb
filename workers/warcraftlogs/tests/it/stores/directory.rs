//! Finding players by name.

use std::time::Duration;

use stint_core::clock::after;
use stint_warcraftlogs::model::{Player, PlayerId, Server};
use stint_warcraftlogs::player_ref::PlayerName;

use super::StoreBackend;

fn server(name: &str, slug: &str) -> Server {
    Server { name: name.into(), slug: slug.into(), normalized_name: name.replace(' ', "") }
}

/// Stores a player called `name`, fetched some minutes after the world began.
async fn store(world: &impl StoreBackend, id: PlayerId, (name, region): (&str, &str), server: Server, minutes: u64) {
    let updated_at = after(world.now(), Duration::from_secs(60 * minutes));
    let (name, region) = (name.to_owned(), region.to_owned());
    let player = Player { id, name, class_id: 4, region, server, updated_at, raids: Default::default() };
    world.players().upsert(&[player]).await.unwrap();
}

async fn found(world: &impl StoreBackend, name: &str, slug: &str, region: &str) -> Option<PlayerId> {
    let named = PlayerName::new(name, slug, region).unwrap();
    world.directory().find(&named).await.unwrap().map(|player| player.id)
}

pub(crate) async fn a_player_is_found_by_name_server_and_region(world: &impl StoreBackend) {
    let (mill, other) = (server("Tarren Mill", "tarren-mill"), server("Kazzak", "kazzak"));
    store(world, 7, ("Ånn", "EU"), mill.clone(), 0).await;
    store(world, 8, ("Ånn", "EU"), other, 0).await;
    store(world, 9, ("Ånn", "US"), mill.clone(), 0).await;
    store(world, 10, ("Ann", "EU"), mill, 0).await;
    assert_eq!(found(world, "Ånn", "tarren-mill", "EU").await, Some(7));
    assert_eq!(found(world, "åNN", "Kazzak", "eu").await, Some(8), "whatever the case");
    assert_eq!(found(world, "Ånn", "tarren-mill", "US").await, Some(9));
    for (name, slug, region) in [("Ånna", "kazzak", "EU"), ("Ånn", "draenor", "EU"), ("Ånn", "kazzak", "KR")] {
        assert_eq!(found(world, name, slug, region).await, None, "{name} of {slug} in {region}");
    }
}

pub(crate) async fn of_several_of_one_name_the_last_one_fetched_is_found(world: &impl StoreBackend) {
    for (id, minutes) in [(7, 1), (8, 3), (9, 2)] {
        store(world, id, ("Ånn", "EU"), server("Kazzak", "kazzak"), minutes).await;
    }
    assert_eq!(found(world, "Ånn", "kazzak", "EU").await, Some(8));
}

pub(crate) async fn the_servers_of_a_region_are_listed_once(world: &impl StoreBackend) {
    let (mill, gordunni) = (server("Tarren Mill", "tarren-mill"), server("Гордунни", "gordunni"));
    for (id, region, server) in [(7, "EU", &mill), (8, "EU", &mill), (9, "EU", &gordunni), (10, "US", &mill)] {
        store(world, id, ("Ånn", region), server.clone(), 0).await;
    }
    let mut servers = world.directory().servers("EU").await.unwrap();
    servers.sort();
    assert_eq!(servers, [mill, gordunni]);
    assert_eq!(world.directory().servers("KR").await.unwrap(), []);
}
