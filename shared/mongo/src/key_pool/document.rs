//! A key's document: `{_id, revision, record, holds, closed}`. Its content is written and read as a whole, so record,
//! holds and windows are JSON, in the same format as on SQLite.

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use stint_core::ledger::{Account, Holds, KeyId, WindowRecord};

/// The revision of the document that an account in memory was read from or written to.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    /// The stored value, of any type: an invalid revision can be replaced too.
    revision: Bson,
    /// The windows that the document carries.
    pub(super) closed: Vec<WindowRecord>,
}

impl Revision {
    /// Returns the revision of a document that was just created.
    pub(super) fn first(closed: Vec<WindowRecord>) -> Revision {
        Revision { revision: Bson::Int64(1), closed }
    }

    /// Returns the revision of the document that has replaced it.
    pub(super) fn next(&self, closed: Vec<WindowRecord>) -> Revision {
        Revision { revision: Bson::Int64(self.next_revision()), closed }
    }

    /// Matches the document if no other process has changed it.
    pub(super) fn filter(&self, key: &KeyId) -> Document {
        doc! { "_id": &key.0, "revision": self.revision.clone() }
    }

    fn next_revision(&self) -> i64 {
        self.revision.as_i64().unwrap_or_default() + 1
    }
}

/// Returns the document of an account, in the revision after `revision`.
pub(super) fn write(
    key: &KeyId,
    account: &Account,
    revision: Option<&Revision>,
    closed: &[WindowRecord],
) -> serde_json::Result<Document> {
    let holds = account.holds.write(0..=u64::MAX)?.unwrap_or_else(|| "[]".to_owned());
    let closed = closed.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<String>>>()?;
    Ok(doc! {
        "_id": &key.0,
        "revision": revision.map_or(1, Revision::next_revision),
        "record": serde_json::to_string(account)?,
        "holds": holds,
        "closed": closed,
    })
}

/// Reads a document; `None` if its record is invalid. An invalid hold closes the key: it counts as never read, and
/// grants nothing before the upstream has been asked.
pub(super) fn read(key: &KeyId, document: &Document) -> Option<(Revision, Account)> {
    let mut account = match serde_json::from_str::<Account>(document.get_str("record").unwrap_or_default()) {
        Ok(account) => account,
        Err(error) => {
            tracing::warn!(key = %key, %error, "the stored account of a key is invalid: the key must be read from the upstream again");
            return None;
        }
    };
    if !read_holds(document, &mut account.holds) {
        tracing::warn!(key = %key, "a stored hold of a key is invalid: the key must be read from the upstream again");
        account.limit = None;
    }
    account.sequence = account.sequence.max(account.holds.last_sequence());
    let revision = document.get("revision").cloned().unwrap_or(Bson::Null);
    Some((Revision { revision, closed: closed(key, document) }, account))
}

/// Returns an account to continue with if the record is invalid. Its numbers are higher than any that the key can have
/// used; `last_window` is the highest stored window.
pub(super) fn unread(document: &Document, now: Timestamp, last_window: u64) -> (Revision, Account) {
    let mut account = Account::unread();
    read_holds(document, &mut account.holds);
    // A key counts a few steps per call, and far fewer than one per microsecond.
    let beyond = u64::try_from(now.as_microsecond()).unwrap_or_default();
    account.sequence = beyond.max(account.holds.last_sequence());
    let revision = document.get("revision").cloned().unwrap_or(Bson::Null);
    let closed = closed(&KeyId(document.get_str("_id").unwrap_or_default().to_owned()), document);
    account.window = closed.iter().map(|window| window.window).fold(last_window, u64::max);
    (Revision { revision, closed }, account)
}

fn read_holds(document: &Document, holds: &mut Holds) -> bool {
    document.get_str("holds").is_ok_and(|text| holds.read(text, &(0..=u64::MAX)))
}

/// Returns the windows that the document carries. A window with an invalid record is left out and logged.
pub(super) fn closed(key: &KeyId, document: &Document) -> Vec<WindowRecord> {
    let texts = document.get_array("closed").map(Vec::as_slice).unwrap_or_default();
    texts.iter().filter_map(|text| window(key, text.as_str().unwrap_or_default())).collect()
}

/// Parses the record of a window. An invalid one is logged and `None`.
pub(super) fn window(key: &KeyId, text: &str) -> Option<WindowRecord> {
    match serde_json::from_str(text) {
        Ok(window) => Some(window),
        Err(error) => {
            tracing::warn!(key = %key, %error, "the stored record of a window is invalid");
            None
        }
    }
}
