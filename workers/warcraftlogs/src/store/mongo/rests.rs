//! Doubts about rules, in `discovery_progress`, and paused upstreams: `discovery_rests {_id, until, reason}`.

use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{Retry, date, delete, instant, update, upsert};

use super::MongoStore;
use super::documents::write;
use super::progress::{PROGRESS, object_id, pages};
use crate::store::{Claim, Pass, Pause, RuleDoubt, UpstreamPause};

const RESTS: &str = "discovery_rests";

impl MongoStore {
    /// One document, so that nothing is half done. Deletes an earlier doubt, and its acceptance.
    pub(super) async fn store_doubt(
        &self,
        claim: &Claim,
        pass: Option<&Pass>,
        doubt: &RuleDoubt,
        until: Timestamp,
    ) -> PortResult<bool> {
        let mut set = doc! {
            "doubt": write(doubt)?,
            "resting": { "until": date(until), "reason": doubt.reason.clone() },
            "pages": pages(&claim.rule),
        };
        let mut unset = doc! { "leasedUntil": "", "accepted": "" };
        match pass {
            Some(pass) => set.insert("pass", write(pass)?),
            None => unset.insert("pass", ""),
        };
        let change = doc! { "$set": set, "$unset": unset };
        let what = "store the doubt about a discovery rule";
        self.change_progress(object_id(&claim.rule.id)?, claim.lease, change, what).await
    }

    pub(super) async fn accept_doubt(&self, id: &str) -> PortResult<bool> {
        let Ok(id) = object_id(id) else { return Ok(false) };
        let doubted = doc! { "_id": id, "doubt": { "$exists": true } };
        let accept = doc! { "$set": { "accepted": true }, "$unset": { "resting": "" } };
        let (statement, what) = (update(doubted, accept), "accept the doubt about a discovery rule");
        Ok(self.mongo.update(PROGRESS, statement, Retry::Idempotent, what).await?.documents > 0)
    }

    pub(super) async fn list_upstreams(&self) -> PortResult<Vec<UpstreamPause>> {
        let what = "list the paused upstreams";
        let pauses = self.mongo.find(RESTS, doc! {}, doc! { "_id": 1 }, usize::MAX, what).await?;
        Ok(pauses.iter().filter_map(pause).collect())
    }

    /// If the id already has a pause that ends later, it prevents the insertion of the new document.
    pub(super) async fn begin_pause(&self, pause: &UpstreamPause) -> PortResult<()> {
        let until = date(pause.pause.until);
        let earlier = doc! { "_id": &pause.upstream, "until": { "$lt": until } };
        let begin = doc! { "$set": { "until": until, "reason": &pause.pause.reason } };
        self.mongo.update(RESTS, upsert(earlier, begin), Retry::Idempotent, "pause an upstream").await.map(drop)
    }

    pub(super) async fn end_pause(&self, upstream: &str) -> PortResult<bool> {
        let statement = delete(doc! { "_id": upstream });
        Ok(self.mongo.delete(RESTS, statement, Retry::Refused, "resume an upstream").await?.documents > 0)
    }
}

fn pause(document: &Document) -> Option<UpstreamPause> {
    let upstream = document.get("_id").and_then(Bson::as_str)?.to_owned();
    let reason = document.get_str("reason").unwrap_or_default().to_owned();
    Some(UpstreamPause { upstream, pause: Pause { until: instant(document.get("until"))?, reason } })
}
