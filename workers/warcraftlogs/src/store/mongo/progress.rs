//! The progress of a rule, its lease, and its pause: `discovery_progress {_id, lease, leasedUntil, resting, pass,
//! pages, listed, doubt, accepted}`. It is kept apart from the rule, whose document also belongs to existing
//! deployments.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::is_pending;
use stint_core::ports::{PortError, PortResult};
use stint_mongo::mongodb::bson::oid::ObjectId;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{Retry, date, instant, update};

use super::MongoStore;
use super::documents::{read, write};
use crate::store::{Pass, PassSummary, Pause, Rule, RuleDoubt};

pub(super) const PROGRESS: &str = "discovery_progress";

/// A rule's progress. The default is the progress of a rule that no discovery has ever worked on.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) lease: u64,
    pub(super) leased_until: Option<Timestamp>,
    pub(super) pause: Option<Pause>,
    /// The pass, and the pages that it covers.
    pass: Option<(Document, Bson)>,
    /// The start of the last finished pass, the pages that it covered, and its result.
    listed: Option<(Timestamp, Document, Option<PassSummary>)>,
    pub(super) doubt: Option<RuleDoubt>,
    pub(super) accepted: bool,
}

impl Progress {
    pub(super) fn of(document: &Document) -> Progress {
        let pause = document.get_document("resting").ok().and_then(|pause| {
            let reason = pause.get_str("reason").unwrap_or_default().to_owned();
            Some(Pause { until: instant(pause.get("until"))?, reason })
        });
        let pages = document.get("pages").cloned().unwrap_or(Bson::Null);
        Progress {
            lease: document.get_i64("lease").unwrap_or_default().cast_unsigned(),
            leased_until: instant(document.get("leasedUntil")),
            pause,
            pass: document.get_document("pass").ok().map(|pass| (pass.clone(), pages)),
            listed: document.get_document("listed").ok().and_then(|listed| {
                // An earlier version stored no result of a pass.
                let seen = listed.get_document("seen").ok().and_then(|seen| read(seen.clone()).ok());
                Some((instant(listed.get("until"))?, listed.get_document("pages").ok()?.clone(), seen))
            }),
            doubt: document.get_document("doubt").ok().and_then(|doubt| read(doubt.clone()).ok()),
            accepted: document.get_bool("accepted").unwrap_or_default(),
        }
    }

    /// Whether the rule can be claimed at `now`. A lease that ends later than one of `lease` was written by a clock
    /// that was ahead.
    pub(super) fn is_free(&self, now: Timestamp, lease: Duration) -> bool {
        let is_leased = self.leased_until.is_some_and(|until| is_pending(until, lease, now));
        !is_leased && self.pause.as_ref().is_none_or(|pause| pause.until <= now)
    }

    /// The pass under way. A pass over other pages than the rule's ended when the rule was changed.
    pub(super) fn pass(&self, rule: &Rule) -> Result<Option<Pass>, String> {
        let current = self.pass.as_ref().filter(|(_, about)| *about == Bson::Document(pages(rule)));
        let pass = current.map(|(pass, _)| read::<Pass>(pass.clone())).transpose();
        pass.map_err(|reason| format!("pass: {reason}"))
    }

    /// The start of the last finished pass over the rule's pages.
    pub(super) fn listed_until(&self, rule: &Rule) -> Option<Timestamp> {
        self.listed.as_ref().filter(|(_, about, _)| *about == pages(rule)).map(|(until, ..)| *until)
    }

    /// The result of that pass.
    pub(super) fn last(&self, rule: &Rule) -> Option<PassSummary> {
        self.listed.as_ref().filter(|(_, about, _)| *about == pages(rule)).and_then(|(.., seen)| *seen)
    }
}

impl MongoStore {
    /// Leases a rule with the lease number after the one that was read. `false`: another process was faster.
    pub(super) async fn lease_rule(&self, rule: ObjectId, seen: u64, until: Timestamp) -> PortResult<bool> {
        let (lease, what) = ((seen + 1).cast_signed(), "claim a discovery rule");
        let leased = if seen == 0 {
            let first = doc! { "_id": rule, "lease": lease, "leasedUntil": date(until) };
            self.mongo.insert(PROGRESS, first, what).await?
        } else {
            let filter = doc! { "_id": rule, "lease": seen.cast_signed() };
            let change = doc! { "$set": { "lease": lease, "leasedUntil": date(until) }, "$unset": { "resting": "" } };
            self.mongo.update(PROGRESS, update(filter, change), Retry::Refused, what).await?
        };
        Ok(leased.documents > 0)
    }

    /// Changes the progress of the holder of that lease. `false`: another discovery has the rule by now.
    pub(super) async fn change_progress(
        &self,
        rule: ObjectId,
        lease: u64,
        change: Document,
        what: &str,
    ) -> PortResult<bool> {
        let filter = doc! { "_id": rule, "lease": lease.cast_signed() };
        let changed = self.mongo.update(PROGRESS, update(filter, change), Retry::Idempotent, what).await?;
        Ok(changed.documents > 0)
    }
}

/// The update that stores a pass of `rule`.
pub(super) fn store_progress(rule: &Rule, pass: &Pass, until: Timestamp) -> PortResult<Document> {
    Ok(doc! { "$set": { "pass": write(pass)?, "pages": pages(rule), "leasedUntil": date(until) } })
}

/// The update that stores the start and the result of a finished pass of `rule`.
pub(super) fn listed(rule: &Rule, pass: &Pass) -> PortResult<Document> {
    let listed = doc! { "until": date(pass.started_at), "pages": pages(rule), "seen": write(&pass.seen)? };
    Ok(doc! { "$set": { "listed": listed } })
}

/// The pages that a rule covers. A discovery of other pages has nothing to do with it.
pub(super) fn pages(rule: &Rule) -> Document {
    let mut pages = range(rule);
    pages.extend(options(rule).into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    pages
}

/// Matches the rule while it still covers the same pages. An option without a value is missing, or null.
pub(super) fn as_claimed(id: ObjectId, rule: &Rule) -> Document {
    let mut filter = doc! { "_id": id };
    filter.extend(range(rule));
    filter.extend(options(rule).into_iter().map(|(name, value)| (name.to_owned(), value.unwrap_or(Bson::Null))));
    filter
}

fn range(rule: &Rule) -> Document {
    let Rule { raid, difficulty, start_page, end_page, .. } = rule;
    let number = |number: &u32| i64::from(*number);
    doc! {
        "raid": number(raid),
        "difficulty": number(difficulty),
        "startPage": number(start_page),
        "endPage": number(end_page),
    }
}

fn options(rule: &Rule) -> [(&'static str, Option<Bson>); 6] {
    let text = |text: &Option<String>| text.clone().map(Bson::String);
    [
        ("partition", rule.partition.map(|partition| Bson::Int64(partition.into()))),
        ("size", rule.size.map(|size| Bson::Int64(size.into()))),
        ("metric", text(&rule.metric)),
        ("region", text(&rule.region)),
        ("server", text(&rule.server)),
        ("guild", text(&rule.guild)),
    ]
}

/// A rule's id in MongoDB's type.
pub(super) fn object_id(id: &str) -> PortResult<ObjectId> {
    let wrong = |_| PortError::Invalid(format!("'{id}' is not an id of 24 hexadecimal digits"));
    ObjectId::parse_str(id).map_err(wrong)
}
