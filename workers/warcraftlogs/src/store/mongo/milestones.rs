//! When the fleet last passed its stages, in MongoDB: `milestones {_id: <stage>, at}`.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Document, doc};
use stint_mongo::{date, instant, upsert};

use super::MongoStore;
use crate::store::{Milestone, MilestoneTimes, Milestones};

const MILESTONES: &str = "milestones";

#[async_trait]
impl Milestones for MongoStore {
    async fn reached(&self) -> PortResult<MilestoneTimes> {
        let all = Milestone::ALL.len();
        let found = self.mongo.find(MILESTONES, doc! {}, doc! {}, all, "read the fleet's milestones").await?;
        let mut reached = MilestoneTimes::default();
        for milestone in Milestone::ALL {
            let is_its = |document: &&Document| document.get_str("_id").is_ok_and(|name| name == milestone.name());
            let kept = found.iter().find(is_its);
            if let Some(at) = kept.and_then(|document| instant(document.get("at"))) {
                reached.set(milestone, at);
            }
        }
        Ok(reached)
    }

    async fn pass(&self, milestone: Milestone, at: Timestamp) -> PortResult<()> {
        let statement = upsert(doc! { "_id": milestone.name() }, doc! { "$set": { "at": date(at) } });
        self.mongo.update_all(MILESTONES, &[statement], "keep a milestone of the fleet").await
    }
}
