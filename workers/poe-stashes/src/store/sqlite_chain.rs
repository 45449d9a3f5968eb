//! The chain and the heads in SQLite: a row each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stint_core::clock::{Clock, after, from_millis, to_millis};
use stint_core::ports::{PortError, PortResult};
use stint_embedded::rusqlite::{Connection, OptionalExtension, params};
use stint_embedded::upkeep::{FileSpec, RowRule};
use stint_embedded::{Database, Embedded};

use super::chain::active_lease_until;
use super::{Chain, ChainStatus, Claim, HeadSamples, HeadStore, Progress, Realm};

/// Append to these, never change one. Times are milliseconds since the epoch.
const MIGRATIONS: &[&str] = &["
    -- `progress` is one JSON document: position and open pages change in one write.
    CREATE TABLE chains (
        realm TEXT PRIMARY KEY,
        lease INTEGER NOT NULL,
        leased_until INTEGER,
        progress TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- `samples` is one JSON document too: what is known of the head.
    CREATE TABLE heads (realm TEXT PRIMARY KEY, samples TEXT NOT NULL) STRICT, WITHOUT ROWID;
"];

/// The file's name in `STINT_HOME`.
const FILE: &str = "poe-chain.db";

/// The rules for the rows. Without its progress a chain would start again from its first position, and skip the pages between.
const ROWS: &[RowRule] = &[
    RowRule::Decodes { table: "chains", key: "realm", column: "progress", read: reads::<Progress>, removable: false },
    RowRule::Decodes { table: "heads", key: "realm", column: "samples", read: reads::<HeadSamples>, removable: true },
];

fn reads<T: DeserializeOwned>(text: &str) -> Result<(), String> {
    serde_json::from_str::<T>(text).map(drop).map_err(|error| error.to_string())
}

/// The chain of one realm, in the installation's folder.
pub struct SqliteChain {
    database: Database,
    realm: Realm,
    clock: Arc<dyn Clock>,
}

impl SqliteChain {
    /// The specification of the file, for checks, repairs and backups.
    pub const SPEC: FileSpec = FileSpec { name: FILE, migrations: MIGRATIONS, rows: ROWS };

    /// Opens `poe-chain.db`.
    pub fn open(embedded: &Embedded, realm: Realm, clock: Arc<dyn Clock>) -> PortResult<SqliteChain> {
        Ok(SqliteChain { database: embedded.database(FILE, MIGRATIONS)?, realm, clock })
    }

    async fn store(&self, claim: &Claim, progress: &Progress, lease: Option<Duration>) -> PortResult<bool> {
        let (realm, number, progress) = (self.realm.name(), claim.lease.cast_signed(), write(progress)?);
        let until = lease.map(|lease| to_millis(after(self.clock.now(), lease)));
        let updated = self.database.write("write the chain's progress", move |connection| {
            let mut update = connection
                .prepare_cached("UPDATE chains SET progress = ?3, leased_until = ?4 WHERE realm = ?1 AND lease = ?2")?;
            update.execute(params![realm, number, progress, until])
        });
        Ok(updated.await? == 1)
    }
}

/// A row, with its document not parsed.
struct Row {
    lease: i64,
    leased_until: Option<i64>,
    progress: String,
}

fn find(connection: &Connection, realm: &str) -> stint_embedded::rusqlite::Result<Option<Row>> {
    let mut select = connection.prepare_cached("SELECT lease, leased_until, progress FROM chains WHERE realm = ?1")?;
    let row = select
        .query_row([realm], |row| Ok(Row { lease: row.get(0)?, leased_until: row.get(1)?, progress: row.get(2)? }));
    row.optional()
}

fn write(document: &(impl Serialize + ?Sized)) -> PortResult<String> {
    serde_json::to_string(document).map_err(|error| PortError::backend("could not write a document", error))
}

fn read<T: DeserializeOwned>(what: &str, text: &str) -> PortResult<T> {
    serde_json::from_str(text).map_err(|error| PortError::backend(format!("could not read {what} in {FILE}"), error))
}

#[async_trait]
impl Chain for SqliteChain {
    async fn read(&self) -> PortResult<Option<ChainStatus>> {
        let realm = self.realm.name();
        let row = self.database.read("read the chain", move |connection| find(connection, realm)).await?;
        let status = |row: Row| {
            let progress = read("the chain", &row.progress)?;
            Ok(ChainStatus { progress, leased_until: row.leased_until.map(from_millis) })
        };
        row.map(status).transpose()
    }

    async fn claim(&self, lease: Duration) -> PortResult<Option<Claim>> {
        let (realm, clock, fresh) = (self.realm.name(), self.clock.clone(), write(&Progress::default())?);
        let claimed = self.database.write("claim the chain", move |connection| {
            let row = find(connection, realm)?;
            let until = row.as_ref().and_then(|row| row.leased_until).map(from_millis);
            if active_lease_until(until, clock.now(), lease).is_some() {
                return Ok(None);
            }
            let (number, progress) = row.map_or((0, fresh), |row| (row.lease, row.progress));
            let mut upsert = connection.prepare_cached(
                "INSERT INTO chains (realm, lease, leased_until, progress) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (realm) DO UPDATE SET lease = excluded.lease, leased_until = excluded.leased_until",
            )?;
            upsert.execute(params![realm, number + 1, to_millis(after(clock.now(), lease)), progress])?;
            Ok(Some((number + 1, progress)))
        });
        let claimed: Option<(i64, String)> = claimed.await?;
        let claim = |(lease, progress): (i64, String)| {
            Ok(Claim { lease: lease.cast_unsigned(), progress: read("the chain", &progress)? })
        };
        claimed.map(claim).transpose()
    }

    async fn write(&self, claim: &Claim, progress: &Progress, lease: Duration) -> PortResult<bool> {
        self.store(claim, progress, Some(lease)).await
    }

    async fn release(&self, claim: &Claim, progress: &Progress) -> PortResult<bool> {
        self.store(claim, progress, None).await
    }
}

#[async_trait]
impl HeadStore for SqliteChain {
    async fn write(&self, head: &HeadSamples) -> PortResult<()> {
        let (realm, head) = (self.realm.name(), write(head)?);
        let write = self.database.write("write the head", move |connection| {
            let mut upsert =
                connection.prepare_cached("INSERT OR REPLACE INTO heads (realm, samples) VALUES (?1, ?2)")?;
            upsert.execute(params![realm, head]).map(|_| ())
        });
        write.await
    }

    async fn read(&self) -> PortResult<HeadSamples> {
        let realm = self.realm.name();
        let found: Option<String> = self
            .database
            .read("read the head", move |connection| {
                let mut select = connection.prepare_cached("SELECT samples FROM heads WHERE realm = ?1")?;
                select.query_row([realm], |row| row.get(0)).optional()
            })
            .await?;
        found.map_or_else(|| Ok(HeadSamples::default()), |head| read("the head", &head))
    }
}
