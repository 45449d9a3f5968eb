//! The documents of the keys: read if they have changed, and replaced if they have not.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use stint_core::ledger::{Account, Changes, KeyId, WindowRecord};
use stint_core::ports::PortResult;

use super::document::{self, Revision};
use super::windows::Windows;
use crate::connection::Mongo;
use crate::error::{explain, is_duplicate};

/// The documents of all keys.
#[derive(Clone)]
pub(super) struct Accounts {
    collection: Collection<Document>,
    windows: Windows,
}

/// The accounts in memory, with the revision of each account's document.
#[derive(Default)]
pub(super) struct Cache {
    pub(super) accounts: BTreeMap<KeyId, Account>,
    revisions: BTreeMap<KeyId, Revision>,
}

/// The outcome of writing a key's document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// It was replaced.
    Replaced,
    /// Another process had changed it before.
    Conflict,
    /// Unknown; the reason.
    Unknown(String),
}

impl Accounts {
    pub(super) fn new(mongo: &Mongo, windows: Windows) -> Accounts {
        Accounts { collection: mongo.collection("keys"), windows }
    }

    /// Reads the documents that other processes have changed: those whose revision is not the known one.
    pub(super) async fn refresh(&self, cache: &mut Cache, now: Timestamp) -> PortResult<()> {
        let known: Vec<Document> = cache.revisions.iter().map(|(key, revision)| revision.filter(key)).collect();
        let changed = if known.is_empty() {
            doc! {}
        } else {
            doc! { "$nor": known }
        };
        let failed = |error| explain("read the keys", &error);
        let mut found = self.collection.find(changed).await.map_err(failed)?;
        while let Some(document) = found.try_next().await.map_err(failed)? {
            let Some(key) = document.get("_id").and_then(Bson::as_str).map(|id| KeyId(id.to_owned())) else { continue };
            let (revision, account) = match document::read(&key, &document) {
                Some(read) => read,
                None => document::unread(&document, now, self.windows.last(&key).await?),
            };
            cache.accounts.insert(key.clone(), account);
            cache.revisions.insert(key, revision);
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
            let (revision, closed) = (cache.revisions.get(&key), closed.remove(&key).unwrap_or_default());
            Some(async move {
                let written = self.write_one(&key, account, revision, &closed).await;
                (key, written, closed)
            })
        });
        let written = join_all(writes).await;
        let mut outcomes = BTreeMap::new();
        for (key, written, closed) in written {
            if written == WriteOutcome::Replaced {
                let revision = cache
                    .revisions
                    .get(&key)
                    .map_or_else(|| Revision::first(closed.clone()), |revision| revision.next(closed.clone()));
                cache.revisions.insert(key.clone(), revision);
            } else {
                cache.revisions.remove(&key);
                cache.accounts.remove(&key);
            }
            outcomes.insert(key, written);
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
        revision: Option<&Revision>,
        closed: &[WindowRecord],
    ) -> WriteOutcome {
        let document = match document::write(key, account, revision, closed) {
            Ok(document) => document,
            Err(error) => return WriteOutcome::Unknown(error.to_string()),
        };
        let Some(revision) = revision else {
            return match self.collection.insert_one(document).await {
                Ok(_) => WriteOutcome::Replaced,
                Err(error) if is_duplicate(&error) => WriteOutcome::Conflict,
                Err(error) => WriteOutcome::Unknown(explain("store a key", &error).to_string()),
            };
        };
        if let Err(error) = self.windows.store(key, &revision.closed).await {
            return WriteOutcome::Unknown(error.to_string());
        }
        match self.collection.replace_one(revision.filter(key), document).await {
            Ok(replaced) if replaced.matched_count > 0 => WriteOutcome::Replaced,
            Ok(_) => WriteOutcome::Conflict,
            Err(error) => WriteOutcome::Unknown(explain("store a key", &error).to_string()),
        }
    }

    /// Returns a key's windows, newest first: the stored ones, and those that its document still carries. The document
    /// is read first, because a window is stored before it leaves the document.
    pub(super) async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        let found = self.collection.find_one(doc! { "_id": &key.0 }).await;
        let found = found.map_err(|error| explain("read a key", &error))?;
        let carried = found.map(|document| document::closed(key, &document)).unwrap_or_default();
        let stored = self.windows.newest(key, max).await?;
        let mut windows: BTreeMap<u64, WindowRecord> = BTreeMap::new();
        windows.extend(stored.into_iter().chain(carried).map(|window| (window.window, window)));
        Ok(windows.into_values().rev().take(max).collect())
    }
}
