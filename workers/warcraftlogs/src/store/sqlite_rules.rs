//! Discovery rules in SQLite.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::{after, from_millis, to_millis};
use stint_core::ports::{PortError, PortResult};
use stint_embedded::rusqlite::{Connection, OptionalExtension, Result, params};

use super::sqlite::{SqliteStore, to_json};
use super::sqlite_refusals::{forget, refusals};
use super::{
    Claim, Damaged, Page, Pass, Pause, REFUSALS_IN_A_ROW, Refusals, Rule, RuleDoubt, RuleStatus, Rules, UpstreamPause,
};
use crate::model::Unit;

struct Row {
    id: String,
    document: String,
    leased_until: Option<i64>,
    pause: Option<String>,
    pass: Option<String>,
    doubt: Option<String>,
    accepted: bool,
}

/// A leased rule, as stored.
struct LeasedRule {
    id: String,
    document: String,
    pass: Option<String>,
    listed_until: Option<i64>,
    lease: i64,
    seen: Option<String>,
    accepted: bool,
    frozen_since: Option<i64>,
}

impl LeasedRule {
    fn read(&self) -> PortResult<Claim> {
        let what = format!("the discovery rule {}", self.id);
        let rule: Rule = read(&self.document, &what)?;
        rule.check().map_err(|reason| PortError::backend(format!("cannot read {what}"), reason))?;
        let pass = self.pass.as_deref().map(|pass| read(pass, &format!("the progress of {what}"))).transpose()?;
        let listed_until = self.listed_until.map(from_millis);
        let last = self.seen.as_deref().map(|seen| read(seen, &format!("the result of {what}"))).transpose()?;
        let (accepted, frozen_since) = (self.accepted, self.frozen_since.map(from_millis));
        Ok(Claim { rule, pass, listed_until, last, accepted, frozen_since, lease: self.lease.cast_unsigned() })
    }
}

impl SqliteStore {
    /// Leases the due rule that has waited longest, whatever its document contains.
    async fn lease_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<LeasedRule>> {
        let now = self.clock.now();
        let (now, until, due_before) = (to_millis(now), to_millis(after(now, lease)), to_millis(due_before));
        let lease_rule = move |connection: &Connection| {
            // A last run in the future, and a lease longer than any, were written by a clock that was ahead.
            let mut due = connection.prepare_cached(
                "UPDATE rules SET lease = lease + 1, leased_until = ?2, rest = NULL, resting_until = NULL
                 WHERE id = (SELECT id FROM rules WHERE (last_run IS NULL OR last_run <= ?3 OR last_run > ?1)
                     AND (leased_until IS NULL OR leased_until <= ?1 OR leased_until > ?2)
                     AND (resting_until IS NULL OR resting_until <= ?1)
                     AND NOT EXISTS (SELECT 1 FROM refusals WHERE served = 0 AND in_a_row >= ?4 AND json_valid(document)
                         AND raid = document ->> '$.raid' AND difficulty = document ->> '$.difficulty')
                     ORDER BY last_run, id LIMIT 1)
                 RETURNING id, document, pass, listed_until, lease, seen, accepted, CASE WHEN json_valid(document) THEN
                     (SELECT frozen_since FROM zones WHERE zones.raid = rules.document ->> '$.raid') END",
            )?;
            let leased = |row: &stint_embedded::rusqlite::Row<'_>| {
                Ok(LeasedRule {
                    id: row.get(0)?,
                    document: row.get(1)?,
                    pass: row.get(2)?,
                    listed_until: row.get(3)?,
                    lease: row.get(4)?,
                    seen: row.get(5)?,
                    accepted: row.get(6)?,
                    frozen_since: row.get(7)?,
                })
            };
            due.query_row(params![now, until, due_before, REFUSALS_IN_A_ROW], leased).optional()
        };
        self.database.write("claim a discovery rule", lease_rule).await
    }
}

#[async_trait]
impl Rules for SqliteStore {
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>> {
        let mut page = Page { documents: Vec::new(), damaged: Vec::new(), next: None };
        let list = |connection: &Connection| Ok((rows(connection)?, refusals(connection)?));
        let (rows, refusals) = self.database.read("list the discovery rules", list).await?;
        for row in rows {
            let id = row.id.clone();
            match status(row, &refusals) {
                Ok(status) => page.documents.push(status),
                Err(error) => page.damaged.push(Damaged { id, reason: error.to_string() }),
            }
        }
        page.documents.sort_by_key(|status| (status.rule.raid, status.rule.difficulty, status.rule.start_page));
        Ok(page)
    }

    async fn put(&self, rule: &Rule) -> PortResult<()> {
        rule.check().map_err(PortError::Invalid)?;
        let rule = rule.clone();
        let put = move |connection: &Connection| {
            forget(connection, (rule.raid, rule.difficulty))?;
            let mut upsert = connection.prepare_cached(
                "INSERT INTO rules (id, document, last_run) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET document = ?2, last_run = ?3, pass = NULL, rest = NULL,
                 resting_until = NULL, listed_until = NULL, leased_until = NULL, lease = lease + 1, seen = NULL, doubt = NULL,
                 accepted = 0",
            )?;
            upsert.execute(params![rule.id, to_json(&rule)?, rule.last_run.map(to_millis)])
        };
        self.database.write("store a discovery rule", put).await.map(drop)
    }

    async fn remove(&self, id: &str) -> PortResult<bool> {
        let id = id.to_owned();
        let remove = move |connection: &Connection| connection.execute("DELETE FROM rules WHERE id = ?1", params![id]);
        Ok(self.database.write("remove a discovery rule", remove).await? > 0)
    }

    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>> {
        let mut damaged = None;
        // An undecodable rule is leased now, so the next query finds another.
        while let Some(leased) = self.lease_due(due_before, lease).await? {
            match leased.read() {
                Ok(claim) => return Ok(Some(claim)),
                Err(error) => {
                    tracing::warn!(rule = leased.id, %error, "discovery rule {} is skipped: {error}", leased.id);
                    damaged.get_or_insert(error);
                }
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    async fn store_progress(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool> {
        let (claim, pass) = (claim.clone(), pass.clone());
        let until = to_millis(after(self.clock.now(), lease));
        let store_progress = move |connection: &Connection| {
            let mut update = connection
                .prepare_cached("UPDATE rules SET pass = ?3, leased_until = ?4 WHERE id = ?1 AND lease = ?2")?;
            update.execute(params![claim.rule.id, claim.lease.cast_signed(), to_json(&pass)?, until])
        };
        Ok(self.database.write("store the progress of a discovery rule", store_progress).await? > 0)
    }

    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool> {
        let mut rule = claim.rule.clone();
        rule.last_run = Some(ran_at);
        let (lease, listed_until, seen) = (claim.lease.cast_signed(), to_millis(pass.started_at), pass.seen);
        let finish = move |connection: &Connection| {
            let mut update = connection.prepare_cached(
                "UPDATE rules SET document = ?3, last_run = ?4, listed_until = ?5, seen = ?6, pass = NULL,
                 leased_until = NULL, doubt = NULL, accepted = 0 WHERE id = ?1 AND lease = ?2",
            )?;
            update.execute(params![rule.id, lease, to_json(&rule)?, to_millis(ran_at), listed_until, to_json(&seen)?])
        };
        Ok(self.database.write("finish a discovery rule", finish).await? > 0)
    }

    async fn give_back(&self, claim: &Claim, pause: Option<Pause>) -> PortResult<()> {
        let claim = claim.clone();
        let give_back = move |connection: &Connection| {
            let text = pause.as_ref().map(to_json).transpose()?;
            let until = pause.as_ref().map(|pause| to_millis(pause.until));
            let mut update = connection.prepare_cached(
                "UPDATE rules SET leased_until = NULL, rest = ?3, resting_until = ?4 WHERE id = ?1 AND lease = ?2",
            )?;
            update.execute(params![claim.rule.id, claim.lease.cast_signed(), text, until])
        };
        self.database.write("give a discovery rule back", give_back).await.map(drop)
    }

    async fn doubt(&self, claim: &Claim, pass: Option<&Pass>, doubt: &RuleDoubt, until: Timestamp) -> PortResult<bool> {
        self.store_doubt(claim, pass, doubt, until).await
    }

    async fn accept(&self, id: &str) -> PortResult<bool> {
        self.accept_doubt(id).await
    }

    async fn upstreams(&self) -> PortResult<Vec<UpstreamPause>> {
        self.list_upstreams().await
    }

    async fn pause_upstream(&self, pause: &UpstreamPause) -> PortResult<()> {
        self.begin_pause(pause).await
    }

    async fn resume_upstream(&self, upstream: &str) -> PortResult<bool> {
        self.end_pause(upstream).await
    }
}

fn rows(connection: &Connection) -> Result<Vec<Row>> {
    let mut select =
        connection.prepare_cached("SELECT id, document, leased_until, rest, pass, doubt, accepted FROM rules")?;
    let rows = select.query_map([], |row| {
        Ok(Row {
            id: row.get(0)?,
            document: row.get(1)?,
            leased_until: row.get(2)?,
            pause: row.get(3)?,
            pass: row.get(4)?,
            doubt: row.get(5)?,
            accepted: row.get(6)?,
        })
    })?;
    rows.collect()
}

fn status(row: Row, refusals: &BTreeMap<Unit, Refusals>) -> PortResult<RuleStatus> {
    let what = format!("the discovery rule {}", row.id);
    let rule: Rule = read(&row.document, &what)?;
    let paused: Option<Pause> = row.pause.map(|pause| read(&pause, &what)).transpose()?;
    let unit = (rule.raid, rule.difficulty);
    let to_blame = refusals.get(&unit).and_then(|refusals| refusals.pause(unit));
    Ok(RuleStatus {
        rule,
        leased_until: row.leased_until.map(from_millis),
        pause: to_blame.or(paused),
        pass: row.pass.map(|pass| read(&pass, &what)).transpose()?,
        doubt: row.doubt.map(|doubt| read(&doubt, &what)).transpose()?,
        accepted: row.accepted,
    })
}

fn read<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> PortResult<T> {
    serde_json::from_str(text).map_err(|error| PortError::backend(format!("cannot read {what}"), error))
}
