//! Results of refreshes in MongoDB: `refresh_answers {_id, at, result}`, which existing deployments do not have.

use async_trait::async_trait;
use stint_core::clock::before;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Document, doc};
use stint_mongo::{date, explain, instant, upsert};

use super::mongo::MongoStore;
use super::mongo_documents::{read, write};
use super::refreshed::key;
use super::{ANSWERS_KEPT, RefreshAnswer, RefreshAnswers, Refreshed};
use crate::whom::Whom;

const ANSWERS: &str = "refresh_answers";

#[async_trait]
impl RefreshAnswers for MongoStore {
    /// If the process exits in between, old results are deleted and none or some are stored; a repetition stores the
    /// others.
    async fn keep_answers(&self, answers: &[RefreshAnswer]) -> PortResult<()> {
        if answers.is_empty() {
            return Ok(());
        }
        let old = doc! { "at": { "$lt": date(before(self.clock.now(), ANSWERS_KEPT)) } };
        let forgotten = self.mongo.collection(ANSWERS).delete_many(old).await;
        forgotten.map_err(|error| explain("forget what became of old refreshes", &error))?;
        let keep = |answer: &RefreshAnswer| {
            let set = doc! { "$set": { "at": date(answer.at), "result": write(&answer.result)? } };
            Ok(upsert(doc! { "_id": key(&answer.whom) }, set))
        };
        let statements = answers.iter().map(keep).collect::<PortResult<Vec<Document>>>()?;
        self.mongo.update_all(ANSWERS, &statements, "keep what became of a refresh").await
    }

    async fn answer(&self, whom: &Whom) -> PortResult<Option<RefreshAnswer>> {
        let filter = doc! { "_id": key(whom) };
        let found = self.mongo.find(ANSWERS, filter, doc! {}, 1, "read what became of a refresh").await?;
        Ok(found.first().and_then(|document| {
            let result: Refreshed = read(document.get_document("result").ok()?.clone()).ok()?;
            Some(RefreshAnswer { whom: whom.clone(), at: instant(document.get("at"))?, result })
        }))
    }
}
