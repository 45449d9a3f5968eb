//! A key's document: `{_id, revision, earlier, record, holds, closed}`. Its content is written and read as a whole, so
//! record, holds and windows are JSON, in the same format as on SQLite.

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use stint_core::ledger::{Account, Holds, KeyId, WindowRecord};

use crate::guarded::Revision;

/// The document that an account in memory was read from or written to.
#[derive(Clone, Debug)]
pub(super) struct StoredDocument {
    pub(super) revision: Revision,
    /// The windows that the document carries.
    pub(super) closed: Vec<WindowRecord>,
}

/// Returns the document of an account.
pub(super) fn write(
    key: &KeyId,
    account: &Account,
    revision: &Revision,
    closed: &[WindowRecord],
) -> serde_json::Result<Document> {
    let holds = account.holds.write(0..=u64::MAX)?.unwrap_or_else(|| "[]".to_owned());
    let closed = closed.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<String>>>()?;
    let record = serde_json::to_string(account)?;
    let mut document = doc! { "_id": &key.0 };
    document.extend(revision.fields());
    document.extend(doc! { "record": record, "holds": holds, "closed": closed });
    Ok(document)
}

/// Reads a document; `None` if its record is invalid. An invalid hold closes the key: it counts as never read, and
/// grants nothing before the upstream has been asked.
pub(super) fn read(key: &KeyId, document: &Document) -> Option<(StoredDocument, Account)> {
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
    Some((StoredDocument { revision: Revision::of(document), closed: closed(key, document) }, account))
}

/// Returns an account to continue with if the record is invalid. Its numbers are higher than any that the key can have
/// used; `last_window` is the highest stored window.
pub(super) fn unread(document: &Document, now: Timestamp, last_window: u64) -> (StoredDocument, Account) {
    let mut account = Account::unread();
    read_holds(document, &mut account.holds);
    // A key counts a few steps per call, and far fewer than one per microsecond.
    let beyond = u64::try_from(now.as_microsecond()).unwrap_or_default();
    account.sequence = beyond.max(account.holds.last_sequence());
    let closed = closed(&KeyId(document.get_str("_id").unwrap_or_default().to_owned()), document);
    account.window = closed.iter().map(|window| window.window).fold(last_window, u64::max);
    (StoredDocument { revision: Revision::of(document), closed }, account)
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
