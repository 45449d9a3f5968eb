//! The suites on SQLite.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};
use stint_embedded::Embedded;
use stint_warcraftlogs::store::{Discovers, Players, Rules, SqliteStore};

use super::StoreWorld;

struct Sqlite {
    store: SqliteStore,
    clock: ManualClock,
}

fn world() -> Sqlite {
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
    let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
    Sqlite { store: SqliteStore::open(&embedded, Arc::new(clock.clone())).unwrap(), clock }
}

impl StoreWorld for Sqlite {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::new(self.store.clone())
    }

    fn discovers(&self) -> Arc<dyn Discovers> {
        Arc::new(self.store.clone())
    }

    fn players(&self) -> Arc<dyn Players> {
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
