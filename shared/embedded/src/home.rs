//! The folder of an installation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stint_core::clock::Clock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{PortError, PortResult, QueueSettings};

use crate::database::{Database, Mode, Rows};
use crate::lock::FolderLock;
use crate::parked_move::{any_parked, move_parked};
use crate::upkeep::FileSpec;
use crate::{SqliteBreakers, SqliteHosts, SqliteKeyPool, SqliteQueue, SqliteThrottle, SqliteWakeups, schema};

pub(crate) const QUEUES_FILE: &str = "queues.db";
pub(crate) const KEYS_FILE: &str = "keys.db";

/// The default adapters in one folder: `queues.db` with queues, parked messages, wake-ups, throttles, breakers and
/// running hosts, and `keys.db` with the ledger. Fleets put their own files beside them. Clones share the same files.
///
/// Several processes may open the same folder: each file is shared, transaction by transaction. A lock excludes them
/// only while files are replaced, by a repair or a restore.
#[derive(Clone)]
pub struct Embedded {
    home: Option<PathBuf>,
    mode: Mode,
    queues: Database,
    keys: Database,
    clock: Arc<dyn Clock>,
    _lock: Option<Arc<FolderLock>>,
}

impl Embedded {
    /// The files that these adapters use, for every fleet.
    pub const FILES: [FileSpec; 2] = [
        FileSpec { name: KEYS_FILE, migrations: schema::KEYS, rows: schema::KEYS_ROWS },
        FileSpec { name: QUEUES_FILE, migrations: schema::QUEUES, rows: schema::QUEUES_ROWS },
    ];

    /// Returns whether `home` was ever opened, for callers that only want to look and to create nothing.
    pub fn is_at(home: &Path) -> bool {
        home.join(QUEUES_FILE).is_file()
    }

    /// Opens the folder `home`, creating it if needed.
    pub fn open(home: &Path, mode: Mode, clock: Arc<dyn Clock>) -> PortResult<Embedded> {
        std::fs::create_dir_all(home)
            .map_err(|error| PortError::backend(format!("could not create the folder {}", home.display()), error))?;
        let lock = FolderLock::shared(home)?;
        let queues = Database::open(&home.join(QUEUES_FILE), schema::QUEUES, mode)?;
        let (keys, parked) = Database::open_and(&home.join(KEYS_FILE), schema::KEYS, mode, any_parked)?;
        if parked {
            move_parked(keys.path(), queues.path(), mode)?;
        }
        Ok(Embedded { home: Some(home.to_owned()), mode, queues, keys, clock, _lock: Some(Arc::new(lock)) })
    }

    /// Creates adapters in memory, in [`Mode::Inline`]. Their contents are deleted with the last clone.
    pub fn in_memory(clock: Arc<dyn Clock>) -> PortResult<Embedded> {
        let (queues, keys) = (Database::in_memory(schema::QUEUES)?, Database::in_memory(schema::KEYS)?);
        Ok(Embedded { home: None, mode: Mode::Inline, queues, keys, clock, _lock: None })
    }

    /// Opens the database `file` in the same folder and mode, for a fleet's own tables. In memory, each call creates a
    /// new one.
    pub fn database(&self, file: &str, migrations: &'static [&'static str]) -> PortResult<Database> {
        self.database_for(Rows::Small, file, migrations)
    }

    /// Like [`Embedded::database`], and lays out a new file for `rows`.
    pub fn database_for(&self, rows: Rows, file: &str, migrations: &'static [&'static str]) -> PortResult<Database> {
        match &self.home {
            Some(home) => Database::open_for(rows, &home.join(file), migrations, self.mode),
            None => Database::in_memory(migrations),
        }
    }

    /// Returns the queue `name`.
    pub fn queue(&self, name: &str, settings: QueueSettings) -> Arc<SqliteQueue> {
        Arc::new(SqliteQueue::new(&self.queues, name, settings, self.clock.clone()))
    }

    /// Returns the wake-ups, both for setting them and for the host that fires them.
    pub fn wakeups(&self) -> Arc<SqliteWakeups> {
        Arc::new(SqliteWakeups::new(&self.queues, self.clock.clone()))
    }

    /// Returns the throttles.
    pub fn throttle(&self) -> Arc<SqliteThrottle> {
        Arc::new(SqliteThrottle::new(&self.queues))
    }

    /// Returns the breaker records.
    pub fn breakers(&self) -> Arc<SqliteBreakers> {
        Arc::new(SqliteBreakers::new(&self.queues))
    }

    /// Returns the processes that run fleets in this folder.
    pub fn hosts(&self) -> SqliteHosts {
        SqliteHosts::new(&self.queues)
    }

    /// Returns the key pool.
    pub fn key_pool(&self, settings: LedgerSettings) -> Arc<SqliteKeyPool> {
        Arc::new(SqliteKeyPool::new(&self.keys, &self.queues, settings, self.clock.clone()))
    }

    /// Returns the file of queues, parked messages, wake-ups, throttles and breakers. Its [`Database::changed`] tells a
    /// host to look again.
    pub fn queues(&self) -> &Database {
        &self.queues
    }

    /// Returns the file of the ledger.
    pub fn keys(&self) -> &Database {
        &self.keys
    }
}
