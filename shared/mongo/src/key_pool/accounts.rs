//! The documents of the keys: read if they have changed, and replaced if they have not.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use stint_core::ledger::{Account, Changes, KeyId, WindowRecord};
use stint_core::ports::{PortError, PortResult};

use super::document::{self, StoredDocument};
use super::windows::Windows;
use crate::connection::Mongo;
use crate::guarded::{Revision, WriteOutcome};

const COLLECTION: &str = "keys";

/// The documents of all keys.
#[derive(Clone)]
pub(super) struct Accounts {
    mongo: Mongo,
    windows: Windows,
}

/// The accounts in memory, with what is known of each account's document.
#[derive(Default)]
pub(super) struct Cache {
    pub(super) accounts: BTreeMap<KeyId, Account>,
    stored: BTreeMap<KeyId, StoredDocument>,
}

impl Accounts {
    pub(super) fn new(mongo: &Mongo, windows: Windows) -> Accounts {
        Accounts { mongo: mongo.clone(), windows }
    }

    /// Reads the documents that other processes have changed: those whose revision is not the known one.
    pub(super) async fn refresh(&self, cache: &mut Cache, now: Timestamp) -> PortResult<()> {
        let as_known = |(key, stored): (&KeyId, &StoredDocument)| {
            let mut filter = doc! { "_id": &key.0 };
            filter.extend(filter_of(&stored.revision));
            filter
        };
        let known: Vec<Document> = cache.stored.iter().map(as_known).collect();
        let changed = if known.is_empty() {
            doc! {}
        } else {
            doc! { "$nor": known }
        };
        for document in self.mongo.find(COLLECTION, changed, doc! {}, usize::MAX, "read the keys").await? {
            let Some(key) = document.get("_id").and_then(Bson::as_str).map(|id| KeyId(id.to_owned())) else { continue };
            let (stored, account) = match document::read(&key, &document) {
                Some(read) => read,
                None => document::unread(&document, now, self.windows.last(&key).await?),
            };
            cache.accounts.insert(key.clone(), account);
            cache.stored.insert(key, stored);
        }
        Ok(())
    }

    /// Replaces the documents of the changed accounts concurrently. Accounts whose document was not replaced are
    /// dropped from memory, and are read again before their next use.
    pub(super) async fn write(&self, cache: &mut Cache, mut changes: Changes) -> BTreeMap<KeyId, WriteOutcome> {
        let mut closed: BTreeMap<KeyId, Vec<WindowRecord>> = BTreeMap::new();
        for (key, window) in changes.windows.drain(..) {
            closed.entry(key).or_default().push(window);
        }
        let writes = changes.accounts.into_iter().filter_map(|key| {
            let account = cache.accounts.get(&key)?;
            let (stored, closed) = (cache.stored.get(&key), closed.remove(&key).unwrap_or_default());
            Some(async move {
                let written = self.write_one(&key, account, stored, closed).await;
                (key, written)
            })
        });
        let written = join_all(writes).await;
        let mut outcomes = BTreeMap::new();
        for (key, (outcome, stored)) in written {
            if let (WriteOutcome::Replaced, Some(stored)) = (&outcome, stored) {
                cache.stored.insert(key.clone(), stored);
            } else {
                cache.stored.remove(&key);
                cache.accounts.remove(&key);
            }
            outcomes.insert(key, outcome);
        }
        outcomes
    }

    /// Stores the windows that the document carries before it is replaced by a document without them. So no window is
    /// lost if the process crashes in between. If another process replaces the document first, the stored windows are
    /// correct all the same.
    async fn write_one(
        &self,
        key: &KeyId,
        account: &Account,
        stored: Option<&StoredDocument>,
        closed: Vec<WindowRecord>,
    ) -> (WriteOutcome, Option<StoredDocument>) {
        match self.prepare(key, account, stored, closed).await {
            Err(error) => (WriteOutcome::Unknown(error), None),
            Ok((document, next)) => {
                let base = stored.map(|stored| filter_of(&stored.revision));
                let written = self.mongo.replace(COLLECTION, base.as_ref(), document, &next.revision, "store a key");
                (written.await, Some(next))
            }
        }
    }

    async fn prepare(
        &self,
        key: &KeyId,
        account: &Account,
        stored: Option<&StoredDocument>,
        closed: Vec<WindowRecord>,
    ) -> PortResult<(Document, StoredDocument)> {
        let revision = Revision::after(stored.map(|stored| &stored.revision))?;
        let document = document::write(key, account, &revision, &closed);
        let document = document.map_err(|error| PortError::backend("could not store a key", error))?;
        if let Some(stored) = stored {
            self.windows.store(key, &stored.closed).await?;
        }
        Ok((document, StoredDocument { revision, closed }))
    }

    /// Returns a key's windows, newest first: the stored ones, and those that its document still carries. The document
    /// is read first, because a window is stored before it leaves the document.
    pub(super) async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        let found = self.mongo.find_one(COLLECTION, doc! { "_id": &key.0 }, "read a key").await?;
        let carried = found.map(|document| document::closed(key, &document)).unwrap_or_default();
        let stored = self.windows.newest(key, max).await?;
        let mut windows: BTreeMap<u64, WindowRecord> = BTreeMap::new();
        windows.extend(stored.into_iter().chain(carried).map(|window| (window.window, window)));
        Ok(windows.into_values().rev().take(max).collect())
    }
}

/// Matches the document that has this revision.
fn filter_of(revision: &Revision) -> Document {
    doc! { "revision": revision.value() }
}
