//! From players to databases in a git repository.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::worker::{Event, Invocation, StopSignal, Worker};
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::lua::{Found, database_path, lookup};
use stint_warcraftlogs::publish::{Git, GitSettings, Publisher, create_repository};

use crate::world::{FleetWorld, Setup, run_scenario};

/// A world whose players are all served.
fn served(players: u32) -> FleetWorld {
    let world = Setup::new(31, players).odd_players().build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
    world
}

/// Runs the generator once.
fn generate(world: &FleetWorld, folder: &std::path::Path, repository: Option<&std::path::Path>) -> Value {
    runtime().block_on(generating(world, folder, repository))
}

/// The generator blocks threads, so it needs a runtime. This one has no second thread for other tasks.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

async fn generating(world: &FleetWorld, folder: &std::path::Path, repository: Option<&std::path::Path>) -> Value {
    let publisher = repository.map(|repository| {
        let settings =
            GitSettings::new(repository.to_str().unwrap(), folder.join("state"), Arc::new(world.clock.clone()));
        Arc::new(Git::new(settings)) as Arc<dyn Publisher>
    });
    let generator = DbGenerator::new(world.stores.players.clone(), publisher, folder.join("databases"));
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let deadline = after(clock.now(), Duration::from_secs(900));
    let invocation = Invocation::new(clock.clone(), deadline, StopSignal::default());
    generator.run(Event::Tick { due: clock.now(), wakeup: None }, &invocation).await.unwrap().report
}

/// One task runs all schedules of a host.
#[test]
fn other_tasks_of_the_thread_run_while_databases_are_written() {
    let (world, folder) = (served(60), tempfile::tempdir().unwrap());
    let turns = Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let written = Box::pin(generating(&world, folder.path(), None));
    let Either::Left((report, _)) = runtime().block_on(select(written, Box::pin(others)));
    assert!(report["regions"].as_array().is_some_and(|regions| !regions.is_empty()), "{report}");
    assert!(turns.get() > 10, "{} turns", turns.get());
}

#[test]
fn every_ranked_player_reads_back_from_the_databases() {
    let world = served(200);
    let folder = tempfile::tempdir().unwrap();
    let report = generate(&world, folder.path(), None);
    assert!(report["published"].as_str().unwrap().starts_with("files in "), "{report}");
    let databases = folder.path().join("databases");
    let ranked = futures::executor::block_on(world.ranked());
    assert!(ranked.len() > 150);
    for player in ranked.values() {
        assert!(database_path(&databases, &player.region).is_file());
        let found = lookup(&databases, &player.region, &player.server.name, &player.name).unwrap();
        assert_eq!(found, Found::expected(player), "{} of {}", player.name, player.server.name);
    }
    let counted = report["regions"].as_array().unwrap().iter().map(|region| region["players"].as_u64().unwrap());
    assert_eq!(counted.sum::<u64>(), ranked.len() as u64);
}

#[test]
fn unchanged_players_give_no_new_commit() {
    let world = served(60);
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("databases.git");
    create_repository(&repository).unwrap();
    let published = |world: &FleetWorld| {
        let report = generate(world, folder.path(), Some(&repository));
        report["published"].as_str().unwrap().to_owned()
    };
    assert!(published(&world).ends_with("-1"));
    assert_eq!(published(&world), "nothing changed");
    // The same ranks again on the same day, and no new ones on the next day.
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until_idle().await;
    });
    assert_eq!(published(&world), "nothing changed");
    run_scenario(&world, world.pass(24 * 3600));
    assert_eq!(published(&world), "nothing changed");
    let mut renamed = futures::executor::block_on(world.ranked()).into_values().next().unwrap();
    renamed.name = "Renamed".into();
    futures::executor::block_on(world.stores.players.upsert(&[renamed])).unwrap();
    assert!(published(&world).starts_with("commit "));
}
