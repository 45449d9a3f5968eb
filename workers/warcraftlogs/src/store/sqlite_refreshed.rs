//! Results of refreshes in SQLite.

use async_trait::async_trait;
use stint_core::clock::{before, from_millis, to_millis};
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, OptionalExtension, params};

use super::refreshed::key;
use super::sqlite::{SqliteStore, to_json};
use super::{RESULTS_KEPT, RefreshResult, RefreshResults};
use crate::player_ref::PlayerRef;

/// `at` is in milliseconds, `result` the JSON of the upstream's response.
pub(super) const MIGRATION: &str = "
    CREATE TABLE refresh_answers (
        whom TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        result TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

#[async_trait]
impl RefreshResults for SqliteStore {
    async fn store_results(&self, results: &[RefreshResult]) -> PortResult<()> {
        if results.is_empty() {
            return Ok(());
        }
        let (results, old) = (results.to_vec(), to_millis(before(self.clock.now(), RESULTS_KEPT)));
        let keep = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM refresh_answers WHERE at < ?1")?.execute([old])?;
            let mut keep = connection.prepare_cached(
                "INSERT INTO refresh_answers (whom, at, result) VALUES (?1, ?2, ?3)
                 ON CONFLICT (whom) DO UPDATE SET at = excluded.at, result = excluded.result",
            )?;
            for RefreshResult { player_ref, at, result } in &results {
                keep.execute(params![key(player_ref), to_millis(*at), to_json(result)?])?;
            }
            Ok(())
        };
        self.database.write("store the result of a refresh", keep).await
    }

    async fn latest_result(&self, player_ref: &PlayerRef) -> PortResult<Option<RefreshResult>> {
        let key = key(player_ref);
        let read = move |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT at, result FROM refresh_answers WHERE whom = ?1")?;
            select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        let row: Option<(i64, String)> = self.database.read("read the result of a refresh", read).await?;
        // An undecodable result counts as missing: the person waits a little longer, or reads the stored ranks.
        let read = |(at, result): (i64, String)| {
            let result = serde_json::from_str(&result).ok()?;
            Some(RefreshResult { player_ref: player_ref.clone(), at: from_millis(at), result })
        };
        Ok(row.and_then(read))
    }
}
