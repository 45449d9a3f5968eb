//! Windows of the keys that are over, in the collection `windows`: `{_id: "key/number", key, number, record}`.

use mongodb::bson::{Bson, Document, doc};
use stint_core::ledger::{KeyId, WindowRecord};
use stint_core::ports::{PortError, PortResult};

use super::document;
use crate::connection::Mongo;
use crate::statements::{delete_each, upsert};

const COLLECTION: &str = "windows";

/// The number of windows kept for each key: six weeks of hourly ones.
const WINDOWS_KEPT: u64 = 1_000;

#[derive(Clone)]
pub(super) struct Windows {
    mongo: Mongo,
}

impl Windows {
    pub(super) async fn open(mongo: &Mongo) -> PortResult<Windows> {
        mongo.ensure_index(COLLECTION, doc! { "key": 1, "number": -1 }).await?;
        Ok(Windows { mongo: mongo.clone() })
    }

    /// Stores windows, and deletes those that are too old. Idempotent.
    pub(super) async fn store(&self, key: &KeyId, windows: &[WindowRecord]) -> PortResult<()> {
        let Some(newest) = windows.iter().map(|window| window.window).max() else { return Ok(()) };
        let statements = windows.iter().map(|window| statement(key, window)).collect::<serde_json::Result<Vec<_>>>();
        let statements = statements.map_err(|error| PortError::backend("could not store a key's windows", error))?;
        self.mongo.update_all(COLLECTION, &statements, "store a key's windows").await?;
        let oldest_kept = newest.saturating_sub(WINDOWS_KEPT).cast_signed();
        let old = doc! { "key": &key.0, "number": { "$lte": oldest_kept } };
        self.mongo.delete_all(COLLECTION, &[delete_each(old)], "forget a key's oldest windows").await
    }

    /// Returns at most `max` windows, newest first.
    pub(super) async fn newest(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        let documents = self.find(key, max).await?;
        let texts = documents.iter().map(|document| document.get_str("record").unwrap_or_default());
        Ok(texts.filter_map(|text| document::window(key, text)).collect())
    }

    /// Returns the highest number of a window; 0 if there is none.
    pub(super) async fn last(&self, key: &KeyId) -> PortResult<u64> {
        let newest = self.find(key, 1).await?;
        let number = newest.first().and_then(|document| document.get("number")).and_then(Bson::as_i64);
        Ok(number.unwrap_or_default().unsigned_abs())
    }

    async fn find(&self, key: &KeyId, max: usize) -> PortResult<Vec<Document>> {
        let (filter, newest_first) = (doc! { "key": &key.0 }, doc! { "number": -1 });
        self.mongo.find(COLLECTION, filter, newest_first, max, "read a key's windows").await
    }
}

fn statement(key: &KeyId, window: &WindowRecord) -> serde_json::Result<Document> {
    let number = window.window.cast_signed();
    let fields = doc! { "key": &key.0, "number": number, "record": serde_json::to_string(window)? };
    Ok(upsert(doc! { "_id": format!("{key}/{number}") }, doc! { "$set": fields }))
}
