//! Discovery rules in MongoDB: `discovery_schedules {_id, raid, difficulty, startPage, endPage, lastRun}`, the optional
//! fields of [`Rule`], and whatever else the deployment stores there.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{try_join, try_join3};
use jiff::Timestamp;
use stint_core::clock::{after, to_millis};
use stint_core::ports::{PortError, PortResult};
use stint_mongo::mongodb::bson::oid::ObjectId;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{Retry, date, delete, update, upsert};

use super::MongoStore;
use super::documents::{extended, from_extended, read, write};
use super::progress::{PROGRESS, Progress, as_claimed, listed, object_id, store_progress};
use crate::model::Unit;
use crate::store::{
    Claim, Damaged, Frozen, Page, Pass, Pause, Refusals, Rule, RuleDoubt, RuleStatus, Rules, UpstreamPause, Zones,
};

const SCHEDULES: &str = "discovery_schedules";

/// A rule with its progress.
struct Row {
    id: ObjectId,
    rule: Result<Rule, String>,
    progress: Progress,
}

impl Row {
    /// An undecodable rule is also due, so that it is reported; and so is a rule whose last run is in the future,
    /// written by a clock that was ahead.
    fn is_due(&self, due_before: Timestamp, now: Timestamp, lease: Duration) -> bool {
        let last_run = self.rule.as_ref().ok().and_then(|rule| rule.last_run).map(to_millis);
        let due = last_run <= Some(to_millis(due_before)) || last_run > Some(to_millis(now));
        due && self.progress.is_free(now, lease)
    }

    /// Whether the upstream refuses the rule's raid and difficulty to every player.
    fn is_rule_refused(&self, refusals: &BTreeMap<Unit, Refusals>) -> bool {
        let unit = self.rule.as_ref().ok().map(|rule| (rule.raid, rule.difficulty));
        unit.and_then(|unit| refusals.get(&unit)).is_some_and(Refusals::is_rule_at_fault)
    }

    fn claim(&self, frozen: &Frozen) -> Result<Claim, String> {
        let rule = self.rule.clone()?;
        rule.check()?;
        let pass = self.progress.pass(&rule)?;
        let listed_until = self.progress.listed_until(&rule);
        let (last, accepted) = (self.progress.last(&rule), self.progress.accepted);
        let frozen_since = frozen.0.get(&rule.raid).copied();
        Ok(Claim { rule, pass, listed_until, last, accepted, frozen_since, lease: self.progress.lease + 1 })
    }

    fn status(self) -> Result<RuleStatus, Damaged> {
        let damaged = |reason| Damaged { id: self.id.to_hex(), reason };
        let rule = self.rule.map_err(damaged)?;
        let pass = self.progress.pass(&rule).map_err(damaged)?;
        let Progress { leased_until, pause, doubt, accepted, .. } = self.progress;
        Ok(RuleStatus { rule, leased_until, pause, pass, doubt, accepted })
    }
}

/// Pauses a rule that the upstream refuses to every player.
fn paused_as_refused(mut status: RuleStatus, refusals: &BTreeMap<Unit, Refusals>) -> RuleStatus {
    let unit = (status.rule.raid, status.rule.difficulty);
    status.pause = refusals.get(&unit).and_then(|refusals| refusals.pause(unit)).or(status.pause);
    status
}

#[async_trait]
impl Rules for MongoStore {
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>> {
        let ((rows, damaged), refusals) = try_join(self.rows(), self.refusals()).await?;
        let mut page = Page { documents: Vec::new(), damaged, next: None };
        for row in rows {
            match row.status() {
                Ok(status) => page.documents.push(paused_as_refused(status, &refusals)),
                Err(damaged) => page.damaged.push(damaged),
            }
        }
        page.documents.sort_by_key(|status| (status.rule.raid, status.rule.difficulty, status.rule.start_page));
        Ok(page)
    }

    /// The rule is written first: if the process exits after it, the progress of other pages is ignored. Then the lease
    /// is written, which fences off a discovery that works on the old version of the rule.
    async fn put(&self, rule: &Rule) -> PortResult<()> {
        rule.check().map_err(PortError::Invalid)?;
        let document = document(rule)?;
        self.forget_refusals((rule.raid, rule.difficulty)).await?;
        let filter = doc! { "_id": object_id(&rule.id)? };
        let what = "store a discovery rule";
        self.mongo.update_all(SCHEDULES, &[upsert(filter.clone(), document)], what).await?;
        let all = doc! { "pass": "", "listed": "", "resting": "", "leasedUntil": "", "doubt": "", "accepted": "" };
        let forget = doc! { "$inc": { "lease": 1_i64 }, "$unset": all };
        self.mongo.update_all(PROGRESS, &[upsert(filter, forget)], what).await
    }

    async fn remove(&self, id: &str) -> PortResult<bool> {
        let Ok(id) = object_id(id) else { return Ok(false) };
        let (statement, what) = (delete(doc! { "_id": id }), "remove a discovery rule");
        let removed = self.mongo.delete(SCHEDULES, statement.clone(), Retry::Refused, what).await?;
        self.mongo.delete(PROGRESS, statement, Retry::Idempotent, what).await?;
        Ok(removed.documents > 0)
    }

    /// Operators write rules, so there are few, and the one that has waited longest is found here.
    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>> {
        let now = self.clock.now();
        let ((mut rows, _), frozen, refusals) = try_join3(self.rows(), self.frozen(), self.refusals()).await?;
        rows.retain(|row| row.is_due(due_before, now, lease) && !row.is_rule_refused(&refusals));
        rows.sort_by_key(|row| (row.rule.as_ref().ok().and_then(|rule| rule.last_run), row.id));
        let mut damaged = None;
        for row in rows {
            // If another process is faster, the next rule is tried.
            if !self.lease_rule(row.id, row.progress.lease, after(now, lease)).await? {
                continue;
            }
            match row.claim(&frozen) {
                Ok(claim) => return Ok(Some(claim)),
                // It is leased now, so the next query finds another.
                Err(reason) => {
                    let error = PortError::backend(format!("cannot read the discovery rule {}", row.id), reason);
                    tracing::warn!(rule = %row.id, %error, "discovery rule {} is skipped: {error}", row.id);
                    damaged.get_or_insert(error);
                }
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    async fn store_progress(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool> {
        let change = store_progress(&claim.rule, pass, after(self.clock.now(), lease))?;
        let id = object_id(&claim.rule.id)?;
        self.change_progress(id, claim.lease, change, "store the progress of a discovery rule").await
    }

    /// The listing is written first, if the lease is still held, and then the date, if the rule still covers the same
    /// pages. If the process exits after the listing, the next holder of the rule finds a pass with nothing left to
    /// read.
    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool> {
        let (id, what) = (object_id(&claim.rule.id)?, "finish a discovery rule");
        if !self.change_progress(id, claim.lease, listed(&claim.rule, pass)?, what).await? {
            return Ok(false);
        }
        let as_claimed = as_claimed(id, &claim.rule);
        let ran = doc! { "$set": { "lastRun": date(ran_at) } };
        if self.mongo.update(SCHEDULES, update(as_claimed, ran), Retry::Idempotent, what).await?.documents == 0 {
            return Ok(false);
        }
        let forget = doc! { "$unset": { "pass": "", "leasedUntil": "", "doubt": "", "accepted": "" } };
        self.change_progress(id, claim.lease, forget, what).await
    }

    async fn give_back(&self, claim: &Claim, pause: Option<Pause>) -> PortResult<()> {
        let mut change = doc! { "$unset": { "leasedUntil": "" } };
        match pause {
            Some(Pause { until, reason }) => {
                change.insert("$set", doc! { "resting": { "until": date(until), "reason": reason } });
            }
            None => change = doc! { "$unset": { "leasedUntil": "", "resting": "" } },
        }
        let id = object_id(&claim.rule.id)?;
        self.change_progress(id, claim.lease, change, "give a discovery rule back").await.map(drop)
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

impl MongoStore {
    /// All rules, and the documents whose id is not of Stint's form.
    async fn rows(&self) -> PortResult<(Vec<Row>, Vec<Damaged>)> {
        let all = |collection| self.mongo.find(collection, doc! {}, doc! {}, usize::MAX, "list the discovery rules");
        let (rules, progress) = try_join(all(SCHEDULES), all(PROGRESS)).await?;
        let progress: BTreeMap<ObjectId, Progress> = progress
            .iter()
            .filter_map(|document| Some((document.get_object_id("_id").ok()?, Progress::of(document))))
            .collect();
        let (mut rows, mut damaged) = (Vec::new(), Vec::new());
        for document in rules {
            match document.get_object_id("_id") {
                Ok(id) => {
                    let progress = progress.get(&id).cloned().unwrap_or_default();
                    rows.push(Row { id, rule: rule(document), progress });
                }
                Err(_) => damaged.push(without_object_id(&document)),
            }
        }
        Ok((rows, damaged))
    }
}

/// Decodes a rule. Fields unknown to the model keep their own types.
fn rule(document: Document) -> Result<Rule, String> {
    let (known, unknown): (Document, Document) =
        document.into_iter().partition(|(name, _)| Rule::FIELDS.contains(&name.as_str()));
    let mut rule: Rule = read(known)?;
    rule.unknown = unknown.into_iter().map(|(name, value)| (name, extended(&value))).collect();
    Ok(rule)
}

/// The document of a rule.
fn document(rule: &Rule) -> PortResult<Document> {
    let unknown = rule.unknown.iter().map(|(name, value)| (name.clone(), from_extended(value)));
    let known = Rule { unknown: serde_json::Map::new(), ..rule.clone() };
    let Bson::Document(mut document) = write(&known)? else { return Ok(Document::new()) };
    document.extend(unknown);
    Ok(document)
}

fn without_object_id(document: &Document) -> Damaged {
    let id = document.get("_id").map(ToString::to_string).unwrap_or_default();
    Damaged { id, reason: "_id: it is not an ObjectId".to_owned() }
}
