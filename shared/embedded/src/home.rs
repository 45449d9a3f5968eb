//! The folder of an installation.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::select;
use stint_core::clock::Clock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{PortResult, QueueSettings};

use crate::database::{Database, Mode, RowSize};
use crate::folder::Folder;
use crate::parked_move::{any_parked, move_parked};
use crate::upkeep::FileSpec;
use crate::{
    SqliteAlarms, SqliteBreakers, SqliteHosts, SqliteKeyPool, SqliteLeases, SqliteListeners, SqliteQueue,
    SqliteRateLimits, SqliteThrottle, SqliteWakeups, schema,
};

pub(crate) const QUEUES_FILE: &str = "queues.db";
pub(crate) const KEYS_FILE: &str = "keys.db";
pub(crate) const LIMITS_FILE: &str = "limits.db";

/// The default adapters in one folder: `queues.db` with queues, parked messages, wake-ups, throttles, breakers and
/// running hosts; `keys.db` with the ledger, which is created by the first fleet that spends points; and `limits.db` with
/// rate limits, which is created by the first fleet that limits a route. Fleets put their
/// own files beside them. Clones share the same files.
///
/// Several processes may open the same folder: each file is shared, transaction by transaction. A lock excludes them
/// only while files are replaced, by a repair or a restore.
#[derive(Clone)]
pub struct Embedded {
    folder: Folder,
    queues: Database,
    /// Opened with the first key pool, so that a folder of fleets without a budget has no such file.
    keys: Arc<Mutex<Option<Database>>>,
    /// Opened with the first rate limit.
    limits: Arc<Mutex<Option<Database>>>,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// The files that these adapters use, for every fleet.
    pub const FILES: [FileSpec; 3] = [
        FileSpec { name: KEYS_FILE, migrations: schema::KEYS, rows: schema::KEYS_ROWS },
        FileSpec { name: QUEUES_FILE, migrations: schema::QUEUES, rows: schema::QUEUES_ROWS },
        FileSpec { name: LIMITS_FILE, migrations: schema::LIMITS, rows: &[] },
    ];

    /// Returns whether `home` was ever opened, for callers that only want to look and to create nothing.
    pub fn is_at(home: &Path) -> bool {
        home.join(QUEUES_FILE).is_file()
    }

    /// Opens the folder `home`, creating it if needed.
    pub fn open(home: &Path, mode: Mode, clock: Arc<dyn Clock>) -> PortResult<Embedded> {
        Embedded::within(Folder::open(home, mode)?, clock)
    }

    /// Creates adapters in memory, in [`Mode::Inline`]. Their contents are deleted with the last clone.
    pub fn in_memory(clock: Arc<dyn Clock>) -> PortResult<Embedded> {
        Embedded::within(Folder::in_memory(), clock)
    }

    fn within(folder: Folder, clock: Arc<dyn Clock>) -> PortResult<Embedded> {
        let queues = folder.database(QUEUES_FILE, schema::QUEUES)?;
        Ok(Embedded { folder, queues, keys: Arc::default(), limits: Arc::default(), clock })
    }

    /// Returns the folder, for a fleet's own files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Opens the database `file` in the same folder and mode, for a fleet's own tables. In memory, each call creates a
    /// new one.
    pub fn database(&self, file: &str, migrations: &'static [&'static str]) -> PortResult<Database> {
        self.folder.database(file, migrations)
    }

    /// Like [`Embedded::database`], and lays out a new file for `rows`.
    pub fn database_for(&self, rows: RowSize, file: &str, migrations: &'static [&'static str]) -> PortResult<Database> {
        self.folder.database_for(rows, file, migrations)
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

    /// Returns the alarms' records.
    pub fn alarms(&self) -> Arc<SqliteAlarms> {
        Arc::new(SqliteAlarms::new(&self.queues))
    }

    /// Returns the processes that run fleets in this folder.
    pub fn hosts(&self) -> SqliteHosts {
        SqliteHosts::new(&self.queues)
    }

    /// Returns the states of the listeners that processes run in this folder.
    pub fn listeners(&self) -> SqliteListeners {
        SqliteListeners::new(&self.queues)
    }

    /// Returns the leases.
    pub fn leases(&self) -> Arc<SqliteLeases> {
        Arc::new(SqliteLeases::new(&self.queues, self.clock.clone()))
    }

    /// Returns the rate limits. The first call opens their file, which is created if necessary.
    pub fn rate_limits(&self) -> PortResult<Arc<SqliteRateLimits>> {
        let mut opened = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = match &*opened {
            Some(limits) => limits.clone(),
            None => opened.insert(self.folder.database(LIMITS_FILE, schema::LIMITS)?).clone(),
        };
        Ok(Arc::new(SqliteRateLimits::new(&limits, self.clock.clone())))
    }

    /// Returns the key pool. The first call opens the file of the ledger, which is created if necessary. A host makes that
    /// call before its loops start: [`changed`](Self::changed) waits while the file is opened.
    pub fn key_pool(&self, settings: LedgerSettings) -> PortResult<Arc<SqliteKeyPool>> {
        Ok(Arc::new(SqliteKeyPool::new(&self.keys()?, &self.queues, settings, self.clock.clone())))
    }

    /// Returns the key pool for a command that only looks. If there is no file of the ledger, the pool has no keys and no
    /// file is created.
    pub fn key_pool_to_look_at(&self, settings: LedgerSettings) -> PortResult<Arc<SqliteKeyPool>> {
        match self.folder.path(KEYS_FILE) {
            Some(file) if !file.is_file() => {
                let keys = Database::in_memory(schema::KEYS)?;
                Ok(Arc::new(SqliteKeyPool::new(&keys, &self.queues, settings, self.clock.clone())))
            }
            _ => self.key_pool(settings),
        }
    }

    /// Completes when this process next commits a change to `queues.db`, or to the ledger if it has that open. A host then
    /// looks again.
    pub fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let queues = self.queues.changed();
        match &*self.keys.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(keys) => select(queues, keys.changed()).map(drop).boxed(),
            None => queues.boxed(),
        }
    }

    /// Returns the file of the ledger, which the first call opens.
    fn keys(&self) -> PortResult<Database> {
        let mut opened = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*opened {
            return Ok(keys.clone());
        }
        let keys = match self.folder.path(KEYS_FILE) {
            Some(file) => self.open_keys(&file)?,
            None => Database::in_memory(schema::KEYS)?,
        };
        Ok(opened.insert(keys).clone())
    }

    fn open_keys(&self, file: &Path) -> PortResult<Database> {
        let mode = self.folder.mode();
        let (keys, parked) = Database::open_with(file, schema::KEYS, mode, any_parked)?;
        if parked {
            move_parked(keys.path(), self.queues.path(), mode)?;
        }
        Ok(keys)
    }
}
