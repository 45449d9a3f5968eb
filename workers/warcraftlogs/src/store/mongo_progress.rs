//! How far the work on a rule has come, who has it on loan, and until when it rests: `discovery_progress {_id, lease,
//! leasedUntil, resting, pass, pages, listed, doubt, accepted}`, beside the rule, whose document belongs to existing
//! deployments too.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::is_pending;
use stint_core::ports::{PortError, PortResult};
use stint_mongo::mongodb::bson::oid::ObjectId;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{date, explain, instant, is_duplicate};

use super::mongo::MongoStore;
use super::mongo_documents::{read, write};
use super::{Doubt, Pass, Rest, Rule, Seen};

pub(super) const PROGRESS: &str = "discovery_progress";

/// A rule's progress. The default is that of a rule which nobody has ever worked on.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) lease: u64,
    pub(super) leased_until: Option<Timestamp>,
    pub(super) resting: Option<Rest>,
    /// The pass, and the pages that it is about.
    pass: Option<(Document, Bson)>,
    /// When the last pass had begun that was finished, the pages that it was about, and what it came to.
    listed: Option<(Timestamp, Document, Option<Seen>)>,
    pub(super) doubt: Option<Doubt>,
    pub(super) accepted: bool,
}

impl Progress {
    pub(super) fn of(document: &Document) -> Progress {
        let resting = document.get_document("resting").ok().and_then(|rest| {
            let reason = rest.get_str("reason").unwrap_or_default().to_owned();
            Some(Rest { until: instant(rest.get("until"))?, reason })
        });
        let pages = document.get("pages").cloned().unwrap_or(Bson::Null);
        Progress {
            lease: document.get_i64("lease").unwrap_or_default().cast_unsigned(),
            leased_until: instant(document.get("leasedUntil")),
            resting,
            pass: document.get_document("pass").ok().map(|pass| (pass.clone(), pages)),
            listed: document.get_document("listed").ok().and_then(|listed| {
                // An earlier version kept nothing of what a pass came to.
                let seen = listed.get_document("seen").ok().and_then(|seen| read(seen.clone()).ok());
                Some((instant(listed.get("until"))?, listed.get_document("pages").ok()?.clone(), seen))
            }),
            doubt: document.get_document("doubt").ok().and_then(|doubt| read(doubt.clone()).ok()),
            accepted: document.get_bool("accepted").unwrap_or_default(),
        }
    }

    /// Whether somebody may have the rule at `now`. A lease that ends later than one of `lease` is of a clock that was ahead.
    pub(super) fn is_free(&self, now: Timestamp, lease: Duration) -> bool {
        let is_led = self.leased_until.is_some_and(|until| is_pending(until, lease, now));
        !is_led && self.resting.as_ref().is_none_or(|rest| rest.until <= now)
    }

    /// The pass that is under way. One that is about other pages than the rule's ended when the rule was changed.
    pub(super) fn pass(&self, rule: &Rule) -> Result<Option<Pass>, String> {
        let current = self.pass.as_ref().filter(|(_, about)| *about == Bson::Document(pages(rule)));
        let pass = current.map(|(pass, _)| read::<Pass>(pass.clone())).transpose();
        pass.map_err(|reason| format!("pass: {reason}"))
    }

    /// When the last pass over the rule's pages had begun that was finished.
    pub(super) fn listed_until(&self, rule: &Rule) -> Option<Timestamp> {
        self.listed.as_ref().filter(|(_, about, _)| *about == pages(rule)).map(|(until, ..)| *until)
    }

    /// What that pass came to.
    pub(super) fn last(&self, rule: &Rule) -> Option<Seen> {
        self.listed.as_ref().filter(|(_, about, _)| *about == pages(rule)).and_then(|(.., seen)| *seen)
    }
}

impl MongoStore {
    /// Lends a rule under the lease after the one that was seen. `false`: somebody else was faster.
    pub(super) async fn lend(&self, rule: ObjectId, seen: u64, until: Timestamp) -> PortResult<bool> {
        let (collection, lease) = (self.mongo.collection(PROGRESS), (seen + 1).cast_signed());
        let lent = if seen == 0 {
            let first = doc! { "_id": rule, "lease": lease, "leasedUntil": date(until) };
            collection.insert_one(first).await.map(|_| true)
        } else {
            let filter = doc! { "_id": rule, "lease": seen.cast_signed() };
            let lend = doc! { "$set": { "lease": lease, "leasedUntil": date(until) }, "$unset": { "resting": "" } };
            collection.update_one(filter, lend).await.map(|lent| lent.matched_count > 0)
        };
        match lent {
            Err(error) if is_duplicate(&error) => Ok(false),
            lent => lent.map_err(|error| explain("claim a discovery rule", &error)),
        }
    }

    /// Changes the progress of whoever has that lease. `false`: another has the rule by now.
    pub(super) async fn change_progress(
        &self,
        rule: ObjectId,
        lease: u64,
        change: Document,
        what: &str,
    ) -> PortResult<bool> {
        let filter = doc! { "_id": rule, "lease": lease.cast_signed() };
        let changed = self.mongo.collection(PROGRESS).update_one(filter, change).await;
        changed.map(|changed| changed.matched_count > 0).map_err(|error| explain(what, &error))
    }
}

/// The change that keeps a pass of `rule`.
pub(super) fn keep(rule: &Rule, pass: &Pass, until: Timestamp) -> PortResult<Document> {
    Ok(doc! { "$set": { "pass": write(pass)?, "pages": pages(rule), "leasedUntil": date(until) } })
}

/// The change that keeps of a finished pass of `rule` when it began, and what it came to.
pub(super) fn listed(rule: &Rule, pass: &Pass) -> PortResult<Document> {
    let listed = doc! { "until": date(pass.started_at), "pages": pages(rule), "seen": write(&pass.seen)? };
    Ok(doc! { "$set": { "listed": listed } })
}

/// What a rule is about. A discovery of other pages has nothing to say of it.
pub(super) fn pages(rule: &Rule) -> Document {
    let mut pages = range(rule);
    pages.extend(options(rule).into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    pages
}

/// Finds the rule while it is about the same pages. An option that it does not have is not there, or null.
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

/// A rule's id as MongoDB has it.
pub(super) fn object_id(id: &str) -> PortResult<ObjectId> {
    let wrong = |_| PortError::Invalid(format!("'{id}' is not an id of 24 hexadecimal digits"));
    ObjectId::parse_str(id).map_err(wrong)
}
