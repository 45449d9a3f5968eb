//! Messages that wait for points, in the collection `parked`: `{_id: {queue, id}, queue, parkedAt, body}`, and while a
//! message is leased `lentUntil` and `loan`, which identifies the lease.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use stint_core::clock::{Clock, after};
use stint_core::ports::{LONGEST_CLAIM, Parked, PortResult};

use crate::connection::Mongo;
use crate::statements::{delete, update, upsert};
use crate::time::{date, instant};

const COLLECTION: &str = "parked";

pub(super) struct ParkedMessages {
    mongo: Mongo,
    clock: Arc<dyn Clock>,
}

impl ParkedMessages {
    pub(super) async fn open(mongo: &Mongo, clock: Arc<dyn Clock>) -> PortResult<ParkedMessages> {
        mongo.ensure_index(COLLECTION, doc! { "queue": 1, "parkedAt": 1 }).await?;
        Ok(ParkedMessages { mongo: mongo.clone(), clock })
    }

    /// Parks messages. Parking a message again ends its lease.
    pub(super) async fn park(&self, messages: &[Parked]) -> PortResult<()> {
        let statement = |message: &Parked| {
            let fields = doc! { "queue": &message.queue, "parkedAt": date(message.parked_at), "body": &message.body };
            upsert(doc! { "_id": id(message) }, doc! { "$set": fields, "$unset": { "lentUntil": "", "loan": "" } })
        };
        let statements: Vec<Document> = messages.iter().map(statement).collect();
        self.mongo.update_all(COLLECTION, &statements, "park messages").await
    }

    /// Leases messages. If other processes lease all candidates first, it looks for more.
    pub(super) async fn claim(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        loop {
            let now = self.clock.now();
            let candidates = self.candidates(queue, max, now).await?;
            if candidates.is_empty() {
                return Ok(Vec::new());
            }
            let claimed = self.claim_unchanged(&candidates, after(now, lease.min(LONGEST_CLAIM))).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
    }

    /// Returns the oldest messages that are not leased.
    async fn candidates(&self, queue: &str, max: usize, now: Timestamp) -> PortResult<Vec<Document>> {
        let latest = date(after(now, LONGEST_CLAIM));
        let lapsed = [doc! { "$lte": date(now) }, doc! { "$gt": latest }];
        let [past, beyond] = lapsed.map(|until| doc! { "lentUntil": until });
        let free = doc! { "queue": queue, "$or": [{ "lentUntil": null }, past, beyond] };
        self.find(free, max).await
    }

    /// Leases the candidates that have not changed since they were read, and returns those.
    async fn claim_unchanged(&self, candidates: &[Document], until: Timestamp) -> PortResult<Vec<Parked>> {
        let lease_id = ObjectId::new();
        let claim = doc! { "$set": { "lentUntil": date(until), "loan": lease_id } };
        let field = |document: &Document, name: &str| document.get(name).cloned().unwrap_or(Bson::Null);
        let as_seen = |document: &Document| {
            let [id, parked_at, lease, until] =
                ["_id", "parkedAt", "loan", "lentUntil"].map(|name| field(document, name));
            update(doc! { "_id": id, "parkedAt": parked_at, "loan": lease, "lentUntil": until }, claim.clone())
        };
        let statements: Vec<Document> = candidates.iter().map(as_seen).collect();
        self.mongo.update_all(COLLECTION, &statements, "claim parked messages").await?;
        let ids: Vec<Bson> = candidates.iter().map(|document| field(document, "_id")).collect();
        let claimed = self.find(doc! { "_id": { "$in": ids }, "loan": lease_id }, candidates.len()).await?;
        Ok(claimed.iter().filter_map(read).collect())
    }

    /// Deletes the messages that are unchanged since they were leased. A message parked again is not leased. If it was
    /// parked and leased again, its time or body differs; if neither does, the second leaseholder sends exactly the
    /// same message.
    pub(super) async fn forget(&self, messages: &[Parked]) -> PortResult<()> {
        let statement = |message: &Parked| {
            let still = doc! { "parkedAt": date(message.parked_at), "body": &message.body, "loan": { "$ne": null } };
            let mut filter = doc! { "_id": id(message) };
            filter.extend(still);
            delete(filter)
        };
        let statements: Vec<Document> = messages.iter().map(statement).collect();
        self.mongo.delete_all(COLLECTION, &statements, "forget parked messages").await
    }

    pub(super) async fn count(&self, queue: &str) -> PortResult<u64> {
        self.mongo.count(COLLECTION, doc! { "queue": queue }, "count parked messages").await
    }

    async fn find(&self, filter: Document, max: usize) -> PortResult<Vec<Document>> {
        let oldest_first = doc! { "parkedAt": 1, "_id": 1 };
        self.mongo.find(COLLECTION, filter, oldest_first, max, "find parked messages").await
    }
}

/// An id is unique only within its queue.
fn id(message: &Parked) -> Document {
    doc! { "queue": &message.queue, "id": &message.id }
}

fn read(document: &Document) -> Option<Parked> {
    let id = document.get_document("_id").ok()?;
    Some(Parked {
        id: id.get_str("id").ok()?.to_owned(),
        queue: id.get_str("queue").ok()?.to_owned(),
        body: document.get_str("body").ok()?.to_owned(),
        parked_at: instant(document.get("parkedAt"))?,
    })
}
