//! The suites on SQLite.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};
use stint_embedded::rusqlite::Connection;
use stint_embedded::{Embedded, Mode};
use stint_warcraftlogs::model::RaidsToScrap;
use stint_warcraftlogs::store::{
    Backlog, Directory, Discovered, Discovers, DropReason, Due, Freshness, Milestones, Players, RefreshResults, Rules,
    SqliteStore, Zones,
};

use super::StoreBackend;
use super::players::{dropped, player, ranks};

struct Sqlite {
    store: SqliteStore,
    clock: ManualClock,
}

fn world() -> Sqlite {
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
    let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
    Sqlite { store: SqliteStore::open(&embedded, Arc::new(clock.clone())).unwrap(), clock }
}

impl StoreBackend for Sqlite {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::new(self.store.clone())
    }

    fn discovers(&self) -> Arc<dyn Discovers> {
        Arc::new(self.store.clone())
    }

    fn players(&self) -> Arc<dyn Players> {
        Arc::new(self.store.clone())
    }

    fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.store.clone())
    }

    fn milestones(&self) -> Arc<dyn Milestones> {
        Arc::new(self.store.clone())
    }

    fn zones(&self) -> Arc<dyn Zones> {
        Arc::new(self.store.clone())
    }

    fn refresh_results(&self) -> Arc<dyn RefreshResults> {
        Arc::new(self.store.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

super::store_suite!(futures::executor::block_on, crate::stores::sqlite::world());

/// A store in a file that a test may also open directly.
fn on_disk(folder: &Path, clock: &ManualClock) -> SqliteStore {
    let embedded = Embedded::open(folder, Mode::Inline, Arc::new(clock.clone())).unwrap();
    SqliteStore::open(&embedded, Arc::new(clock.clone())).unwrap()
}

fn execute(folder: &Path, sql: &str) {
    Connection::open(folder.join("warcraftlogs.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_file_of_an_earlier_version_knows_who_was_fetched_when_and_of_what() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new("2026-11-20T10:00:00.48Z".parse().unwrap());
    let fetched_at = clock.now();
    let units: RaidsToScrap = [(26, 3), (26, 10), (100, 5)].into_iter().collect();
    block_on(async {
        let world = Sqlite { store: on_disk(folder.path(), &clock), clock: clock.clone() };
        let mut players = [1, 2, 3, 4].map(|id| player(&world, "EU", "zuluhed", id));
        for (raid, difficulty) in units.units() {
            players[0].raids.entry(raid).or_default().insert(difficulty, ranks(95.3));
        }
        world.players().upsert(&players).await.unwrap();
        world.players().drop_players(&[dropped(&world, 2, DropReason::Hidden)]).await.unwrap();
        let seen = [1, 2, 3, 4, 5].map(|id| Discovered { id, raids_to_scrap: units.clone() });
        world.discovers().merge(&seen).await.unwrap();
    });
    let damage = "UPDATE players SET document = '{' WHERE id = 3;
        UPDATE players SET document = json_set(document, '$.updatedAt', 'yesterday') WHERE id = 4;";
    let earlier = "DROP TABLE standings; ALTER TABLE rules DROP COLUMN listed_until; DROP TABLE upstream_rests;
        DROP TABLE milestones; DROP TABLE refusals; DROP TABLE refresh_answers;
        ALTER TABLE rules DROP COLUMN seen; ALTER TABLE rules DROP COLUMN doubt;
        ALTER TABLE rules DROP COLUMN accepted; DROP TABLE zones; PRAGMA user_version = 1;";
    execute(folder.path(), &format!("{damage} {earlier}"));
    clock.advance(Duration::from_secs(60));
    let store = on_disk(folder.path(), &clock);
    block_on(async {
        let freshness = Freshness::at(clock.now(), Duration::from_secs(3600));
        let due = Discovers::due(&store, None, 10, &freshness).await.unwrap().documents;
        assert_eq!(due, [3, 4, 5].map(|id| Due { id, fetched_at: None }));
        // The texts are identical, which avoids parsing them.
        let later = Freshness::at(clock.now(), Duration::from_secs(60));
        let due = Discovers::due(&store, None, 1, &later).await.unwrap().documents;
        assert_eq!(due, [Due { id: 1, fetched_at: Some(fetched_at) }]);
    });
    let same = "SELECT standings.raids = discovers.raids FROM standings JOIN discovers USING (id) WHERE id = 1";
    let connection = Connection::open(folder.path().join("warcraftlogs.db")).unwrap();
    assert!(connection.query_row(same, [], |row| row.get::<_, bool>(0)).unwrap());
}

#[test]
fn damaged_documents_are_told_and_counted_as_due() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
    let store = on_disk(folder.path(), &clock);
    block_on(async {
        let seen = [1, 2, 3].map(|id| Discovered { id, raids_to_scrap: RaidsToScrap::one(26, 3) });
        store.merge(&seen).await.unwrap();
        execute(folder.path(), r#"UPDATE discovers SET raids = '{"twenty": [3]}' WHERE id = 2"#);
        let freshness = Freshness::at(clock.now(), Duration::from_secs(3600));
        let page = store.due(None, 10, &freshness).await.unwrap();
        assert_eq!(page.documents, [1, 3].map(|id| Due { id, fetched_at: None }));
        assert_eq!((page.damaged[0].id.as_str(), page.damaged.len()), ("2", 1));
        assert_eq!(store.backlog(&freshness).await.unwrap(), Backlog { due: 3, waiting: 0, fresh: 0 });
        let page = Discovers::get(&store, &[1, 2]).await.unwrap();
        assert_eq!((page.documents, page.damaged.len()), (vec![seen[0].clone()], 1));
    });
}
