//! The documents of the keys: read if they have changed, and replaced if they have not.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use stint_core::ledger::{Account, Changes, KeyId, WindowRecord};
use stint_core::ports::PortResult;

use super::document::{self, Head};
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
pub(super) struct Kept {
    pub(super) accounts: BTreeMap<KeyId, Account>,
    heads: BTreeMap<KeyId, Head>,
}

/// The outcome of writing a key's document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It was replaced.
    Won,
    /// Another process had changed it before.
    Lost,
    /// Unknown; the reason.
    Failed(String),
}

impl Accounts {
    pub(super) fn new(mongo: &Mongo, windows: Windows) -> Accounts {
        Accounts { collection: mongo.collection("keys"), windows }
    }

    /// Reads the documents that other processes have changed: those whose revision is not the known one.
    pub(super) async fn refresh(&self, kept: &mut Kept, now: Timestamp) -> PortResult<()> {
        let known: Vec<Document> = kept.heads.iter().map(|(key, head)| head.filter(key)).collect();
        let changed = if known.is_empty() {
            doc! {}
        } else {
            doc! { "$nor": known }
        };
        let failed = |error| explain("read the keys", &error);
        let mut found = self.collection.find(changed).await.map_err(failed)?;
        while let Some(document) = found.try_next().await.map_err(failed)? {
            let Some(key) = document.get("_id").and_then(Bson::as_str).map(|id| KeyId(id.to_owned())) else { continue };
            let (head, account) = match document::read(&key, &document) {
                Some(read) => read,
                None => document::unread(&document, now, self.windows.last(&key).await?),
            };
            kept.accounts.insert(key.clone(), account);
            kept.heads.insert(key, head);
        }
        Ok(())
    }

    /// Replaces the documents of the changed accounts concurrently. Accounts whose document was not replaced are
    /// dropped from memory, and are read again before their next use.
    pub(super) async fn write(&self, kept: &mut Kept, mut changes: Changes) -> BTreeMap<KeyId, Written> {
        let mut closed: BTreeMap<KeyId, Vec<WindowRecord>> = BTreeMap::new();
        for (key, window) in changes.windows.drain(..) {
            closed.entry(key).or_default().push(window);
        }
        let writes = changes.accounts.into_iter().filter_map(|key| {
            let account = kept.accounts.get(&key)?;
            let (head, closed) = (kept.heads.get(&key), closed.remove(&key).unwrap_or_default());
            Some(async move {
                let written = self.write_one(&key, account, head, &closed).await;
                (key, written, closed)
            })
        });
        let written = join_all(writes).await;
        let mut outcomes = BTreeMap::new();
        for (key, written, closed) in written {
            if written == Written::Won {
                let head =
                    kept.heads.get(&key).map_or_else(|| Head::first(closed.clone()), |head| head.next(closed.clone()));
                kept.heads.insert(key.clone(), head);
            } else {
                kept.heads.remove(&key);
                kept.accounts.remove(&key);
            }
            outcomes.insert(key, written);
        }
        outcomes
    }

    /// Stores the windows that the document carries before it is replaced by a document without them. So no window is
    /// lost if the process crashes in between. If another process replaces the document first, the stored windows are
    /// correct all the same.
    async fn write_one(&self, key: &KeyId, account: &Account, head: Option<&Head>, closed: &[WindowRecord]) -> Written {
        let document = match document::write(key, account, head, closed) {
            Ok(document) => document,
            Err(error) => return Written::Failed(error.to_string()),
        };
        let Some(head) = head else {
            return match self.collection.insert_one(document).await {
                Ok(_) => Written::Won,
                Err(error) if is_duplicate(&error) => Written::Lost,
                Err(error) => Written::Failed(explain("store a key", &error).to_string()),
            };
        };
        if let Err(error) = self.windows.store(key, &head.closed).await {
            return Written::Failed(error.to_string());
        }
        match self.collection.replace_one(head.filter(key), document).await {
            Ok(replaced) if replaced.matched_count > 0 => Written::Won,
            Ok(_) => Written::Lost,
            Err(error) => Written::Failed(explain("store a key", &error).to_string()),
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
