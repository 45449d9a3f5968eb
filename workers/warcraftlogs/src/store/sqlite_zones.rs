//! Frozen raids in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::{from_millis, to_millis};
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, Result, params};

use super::sqlite::SqliteStore;
use super::zones::{Frozen, Zones};
use crate::model::RaidId;

/// Times are in milliseconds. `ask_at` is when to ask about the raid again, `frozen_since` when it became known to be
/// frozen.
pub(super) const MIGRATION: &str = "
    CREATE TABLE zones (raid INTEGER PRIMARY KEY, ask_at INTEGER NOT NULL, frozen_since INTEGER) STRICT;
";

#[async_trait]
impl Zones for SqliteStore {
    async fn claim_check(&self, raids: &[RaidId], until: Timestamp) -> PortResult<Vec<RaidId>> {
        let (raids, now, until) = (raids.to_vec(), to_millis(self.clock.now()), to_millis(until));
        let claim = move |connection: &Connection| {
            let mut claim = connection.prepare_cached(
                "INSERT INTO zones (raid, ask_at) VALUES (?1, ?3)
                 ON CONFLICT (raid) DO UPDATE SET ask_at = ?3 WHERE frozen_since IS NULL AND ask_at <= ?2",
            )?;
            let mut claimed = Vec::new();
            for raid in raids {
                if claim.execute(params![raid, now, until])? > 0 {
                    claimed.push(raid);
                }
            }
            Ok(claimed)
        };
        self.database.write("claim the check for frozen raids", claim).await
    }

    async fn record_check(&self, raids: &[(RaidId, bool)], now: Timestamp, ask_again_at: Timestamp) -> PortResult<()> {
        let (raids, now, again) = (raids.to_vec(), to_millis(now), to_millis(ask_again_at));
        let keep = move |connection: &Connection| {
            let mut keep = connection.prepare_cached(
                "INSERT INTO zones (raid, ask_at, frozen_since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (raid) DO UPDATE SET ask_at = ?2, frozen_since = ifnull(frozen_since, ?3)",
            )?;
            for (raid, frozen) in raids {
                keep.execute(params![raid, again, frozen.then_some(now)])?;
            }
            Ok(())
        };
        self.database.write("store frozen raids", keep).await
    }

    async fn frozen(&self) -> PortResult<Frozen> {
        self.database.read("read frozen raids", frozen).await
    }

    async fn clear_frozen(&self) -> PortResult<()> {
        let clear_frozen = |connection: &Connection| connection.execute("DELETE FROM zones", []).map(drop);
        self.database.write("delete frozen raids", clear_frozen).await
    }
}

/// Returns the frozen raids.
pub(super) fn frozen(connection: &Connection) -> Result<Frozen> {
    let mut select =
        connection.prepare_cached("SELECT raid, frozen_since FROM zones WHERE frozen_since IS NOT NULL")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, from_millis(row.get(1)?))))?;
    rows.collect::<Result<_>>().map(Frozen)
}
