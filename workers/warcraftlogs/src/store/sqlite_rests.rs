//! Doubts about rules, and paused upstreams, in SQLite.

use jiff::Timestamp;
use stint_core::clock::{from_millis, to_millis};
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, params};

use super::sqlite::{SqliteStore, to_json};
use super::{Claim, Pass, Pause, RuleDoubt, UpstreamPause};

pub(super) const MIGRATION: &str = "
    ALTER TABLE rules ADD COLUMN seen TEXT;
    ALTER TABLE rules ADD COLUMN doubt TEXT;
    ALTER TABLE rules ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE upstream_rests (upstream TEXT PRIMARY KEY, until INTEGER NOT NULL, reason TEXT NOT NULL)
        STRICT, WITHOUT ROWID;
";

impl SqliteStore {
    pub(super) async fn store_doubt(
        &self,
        claim: &Claim,
        pass: Option<&Pass>,
        doubt: &RuleDoubt,
        until: Timestamp,
    ) -> PortResult<bool> {
        let (id, lease, pass, doubt) = (claim.rule.id.clone(), claim.lease.cast_signed(), pass.cloned(), doubt.clone());
        let keep = move |connection: &Connection| {
            let pass = pass.as_ref().map(to_json).transpose()?;
            let pause = to_json(&Pause { until, reason: doubt.reason.clone() })?;
            let mut update = connection.prepare_cached(
                "UPDATE rules SET leased_until = NULL, pass = ?3, doubt = ?4, accepted = 0, rest = ?5, resting_until = ?6
                 WHERE id = ?1 AND lease = ?2",
            )?;
            update.execute(params![id, lease, pass, to_json(&doubt)?, pause, to_millis(until)])
        };
        Ok(self.database.write("store the doubt about a discovery rule", keep).await? > 0)
    }

    pub(super) async fn accept_doubt(&self, id: &str) -> PortResult<bool> {
        let id = id.to_owned();
        let accept = move |connection: &Connection| {
            let mut update = connection.prepare_cached(
                "UPDATE rules SET accepted = 1, rest = NULL, resting_until = NULL WHERE id = ?1 AND doubt IS NOT NULL",
            )?;
            update.execute(params![id])
        };
        Ok(self.database.write("accept the doubt about a discovery rule", accept).await? > 0)
    }

    pub(super) async fn list_upstreams(&self) -> PortResult<Vec<UpstreamPause>> {
        let list = |connection: &Connection| {
            let mut select =
                connection.prepare_cached("SELECT upstream, until, reason FROM upstream_rests ORDER BY upstream")?;
            let rows = select.query_map([], |row| {
                let pause = Pause { until: from_millis(row.get(1)?), reason: row.get(2)? };
                Ok(UpstreamPause { upstream: row.get(0)?, pause })
            })?;
            rows.collect()
        };
        self.database.read("list the paused upstreams", list).await
    }

    pub(super) async fn begin_pause(&self, pause: &UpstreamPause) -> PortResult<()> {
        let UpstreamPause { upstream, pause } = pause.clone();
        let begin = move |connection: &Connection| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO upstream_rests (upstream, until, reason) VALUES (?1, ?2, ?3)
                 ON CONFLICT (upstream) DO UPDATE SET until = excluded.until, reason = excluded.reason
                 WHERE excluded.until > until",
            )?;
            upsert.execute(params![upstream, to_millis(pause.until), pause.reason])
        };
        self.database.write("pause an upstream", begin).await.map(drop)
    }

    pub(super) async fn end_pause(&self, upstream: &str) -> PortResult<bool> {
        let upstream = upstream.to_owned();
        let end = move |connection: &Connection| {
            connection.execute("DELETE FROM upstream_rests WHERE upstream = ?1", params![upstream])
        };
        Ok(self.database.write("resume an upstream", end).await? > 0)
    }
}
