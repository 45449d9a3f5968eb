//! Results of refreshes in MongoDB: `refresh_answers {_id, at, result}`, which existing deployments do not have.

use async_trait::async_trait;
use stint_core::clock::before;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Document, doc};
use stint_mongo::{Retry, date, delete_each, instant, upsert};

use super::MongoStore;
use super::documents::{read, write};
use crate::player_ref::PlayerRef;
use crate::store::refreshed::key;
use crate::store::{RESULTS_KEPT, RefreshOutcome, RefreshResult, RefreshResults};

const ANSWERS: &str = "refresh_answers";

#[async_trait]
impl RefreshResults for MongoStore {
    /// If the process exits in between, old results are deleted and none or some are stored; a repetition stores the
    /// others.
    async fn store_results(&self, results: &[RefreshResult]) -> PortResult<()> {
        if results.is_empty() {
            return Ok(());
        }
        let old = doc! { "at": { "$lt": date(before(self.clock.now(), RESULTS_KEPT)) } };
        let what = "delete the results of old refreshes";
        self.mongo.delete(ANSWERS, delete_each(old), Retry::Idempotent, what).await?;
        let keep = |refreshed: &RefreshResult| {
            let set = doc! { "$set": { "at": date(refreshed.at), "result": write(&refreshed.result)? } };
            Ok(upsert(doc! { "_id": key(&refreshed.player_ref) }, set))
        };
        let statements = results.iter().map(keep).collect::<PortResult<Vec<Document>>>()?;
        self.mongo.update_all(ANSWERS, &statements, "store the result of a refresh").await
    }

    async fn latest_result(&self, player_ref: &PlayerRef) -> PortResult<Option<RefreshResult>> {
        let filter = doc! { "_id": key(player_ref) };
        let found = self.mongo.find(ANSWERS, filter, doc! {}, 1, "read the result of a refresh").await?;
        Ok(found.first().and_then(|document| {
            let result: RefreshOutcome = read(document.get_document("result").ok()?.clone()).ok()?;
            Some(RefreshResult { player_ref: player_ref.clone(), at: instant(document.get("at"))?, result })
        }))
    }
}
