//! Documents with a revision, each replaced only by a caller that has read its current revision.
//!
//! A revision is random. A counter would not do: a primary that loses its place rolls back writes that no majority had,
//! and the next primary's writes then count on from the same number. A process that remembers the number would take
//! another document for the one that it has written.
//!
//! The answer to a write may be lost after the server has applied it. The document is then read, and tells by its
//! revision whether it is ours. `earlier` holds the revisions before it, newest first, so that a write is recognised even
//! if other processes have replaced the document meanwhile.

use mongodb::bson::{Bson, Document, doc};
use stint_core::ports::{PortError, PortResult};

use crate::connection::Mongo;
use crate::error::{context, explain, is_transient};
use crate::operation::Attempts;

/// How many earlier revisions a document names. A lost answer is cleared up within seconds.
const EARLIER: usize = 8;

/// The bytes of a revision.
const BYTES: usize = 16;

/// The revision of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Revision {
    /// The stored value, of any type: a counter of earlier versions of Stint, or an invalid value, can be replaced too.
    value: Bson,
    /// The revisions before it, newest first.
    earlier: Vec<Bson>,
}

/// The outcome of replacing a document.
#[derive(Debug)]
pub(crate) enum WriteOutcome {
    /// It was replaced.
    Replaced,
    /// Another process had changed it before.
    Conflict,
    /// Unknown.
    Unknown(PortError),
}

/// What a document that was read after a failed write says about it.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Ours,
    Unchanged,
    Others,
    Unclear,
}

impl Revision {
    /// Returns the revision of a stored document.
    pub(crate) fn of(document: &Document) -> Revision {
        let value = document.get("revision").cloned().unwrap_or(Bson::Null);
        let earlier = document.get_array("earlier").map(|earlier| earlier.iter().take(EARLIER).cloned().collect());
        Revision { value, earlier: earlier.unwrap_or_default() }
    }

    /// Returns a new revision after `base`.
    pub(crate) fn after(base: Option<&Revision>) -> PortResult<Revision> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| PortError::backend("could not make a random revision", error.to_string()))?;
        let value = Bson::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        let before = base.into_iter().flat_map(|base| std::iter::once(&base.value).chain(&base.earlier));
        Ok(Revision { value, earlier: before.take(EARLIER).cloned().collect() })
    }

    /// The value to compare a stored document with.
    pub(crate) fn value(&self) -> Bson {
        self.value.clone()
    }

    /// The fields of a document with this revision.
    pub(crate) fn fields(&self) -> Document {
        doc! { "revision": self.value.clone(), "earlier": self.earlier.clone() }
    }

    /// Compares a document that was read after a write of this revision, which was based on `base`.
    fn compare(&self, document: Option<&Document>, base: Option<&Document>) -> Found {
        let (stored, base) = match (document.map(Revision::of), base) {
            (None, None) => return Found::Unchanged,
            (None, Some(_)) => return Found::Others,
            (Some(stored), base) => (stored, base),
        };
        if stored.value == self.value || stored.earlier.contains(&self.value) {
            return Found::Ours;
        }
        let Some(base) = base else {
            let is_complete = stored.earlier.len() < EARLIER;
            return if is_complete { Found::Others } else { Found::Unclear };
        };
        let is_base =
            |document: &Document| base.iter().all(|(name, value)| document.get(name).unwrap_or(&Bson::Null) == value);
        if document.is_some_and(is_base) {
            Found::Unchanged
        } else if self.earlier.first().is_some_and(|base| stored.earlier.contains(base)) {
            // Another revision has followed the base, so ours did not.
            Found::Others
        } else {
            Found::Unclear
        }
    }
}

impl Mongo {
    /// Replaces the document that `base` finds, or inserts one if there is no `base`. `document` has the fields of
    /// `revision`. Returns once it is known whether it was replaced, or the time is over.
    pub(crate) async fn replace(
        &self,
        collection: &str,
        base: Option<&Document>,
        document: Document,
        revision: &Revision,
        what: &str,
    ) -> WriteOutcome {
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        let command = command(collection, base, document);
        let mut attempts = self.attempts();
        loop {
            let failed = match self.write_once(command.clone()).await {
                Ok(true) => return WriteOutcome::Replaced,
                Ok(false) if !attempts.has_failed() => return WriteOutcome::Conflict,
                Ok(false) => PortError::unavailable(context(what), "whether it was written cannot be seen yet"),
                Err(error) if is_transient(&error) => explain(what, &error),
                Err(error) => return WriteOutcome::Unknown(explain(what, &error)),
            };
            if !attempts.pause().await {
                return WriteOutcome::Unknown(failed);
            }
            match self.look(collection, &id, base, revision, &mut attempts, what).await {
                Ok(Found::Ours) => return WriteOutcome::Replaced,
                Ok(Found::Others) => return WriteOutcome::Conflict,
                Ok(Found::Unchanged) => {}
                Ok(Found::Unclear) => return WriteOutcome::Unknown(failed),
                Err(error) => return WriteOutcome::Unknown(error),
            }
        }
    }

    /// Reads the document after a failed write, within the same time.
    async fn look(
        &self,
        collection: &str,
        id: &Bson,
        base: Option<&Document>,
        revision: &Revision,
        attempts: &mut Attempts<'_>,
        what: &str,
    ) -> PortResult<Found> {
        let collection = self.collection(collection);
        loop {
            let find = collection.find_one(doc! { "_id": id.clone() }).max_time(crate::operation::MAX_TIME);
            match self.within_time(find).await {
                Ok(document) => return Ok(revision.compare(document.as_ref(), base)),
                Err(error) if is_transient(&error) && attempts.pause().await => {}
                Err(error) => return Err(explain(what, &error)),
            }
        }
    }
}

/// Returns the command that replaces or inserts a document.
fn command(collection: &str, base: Option<&Document>, document: Document) -> Document {
    match base {
        None => doc! { "insert": collection, "documents": [document] },
        Some(base) => {
            let mut filter = doc! { "_id": document.get("_id").cloned().unwrap_or(Bson::Null) };
            filter.extend(base.clone());
            doc! { "update": collection, "updates": [{ "q": filter, "u": document }] }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(revision: &Revision) -> Document {
        revision.fields()
    }

    fn base(revision: &Revision) -> Document {
        doc! { "revision": revision.value() }
    }

    #[test]
    fn a_write_is_recognised_by_its_revision_and_its_successors() {
        let first = Revision::after(None).unwrap();
        let ours = Revision::after(Some(&first)).unwrap();
        let theirs = Revision::after(Some(&first)).unwrap();
        let later = Revision::after(Some(&ours)).unwrap();
        let compare = |stored: &Revision| ours.compare(Some(&document(stored)), Some(&base(&first)));
        assert_eq!(compare(&ours), Found::Ours);
        assert_eq!(compare(&later), Found::Ours);
        assert_eq!(compare(&first), Found::Unchanged);
        assert_eq!(compare(&theirs), Found::Others);
        assert_eq!(ours.compare(None, Some(&base(&first))), Found::Others, "it was deleted");
        let mut far = theirs;
        for _ in 0..=EARLIER {
            far = Revision::after(Some(&far)).unwrap();
        }
        assert_eq!(compare(&far), Found::Unclear);
        assert_eq!(far.earlier.len(), EARLIER);
    }

    #[test]
    fn a_first_write_is_recognised_too() {
        let ours = Revision::after(None).unwrap();
        let theirs = Revision::after(None).unwrap();
        assert_eq!(ours.compare(None, None), Found::Unchanged);
        assert_eq!(ours.compare(Some(&document(&ours)), None), Found::Ours);
        assert_eq!(ours.compare(Some(&document(&theirs)), None), Found::Others);
        assert_eq!(ours.compare(Some(&doc! { "revision": 7_i64 }), None), Found::Others, "of an earlier version");
    }
}
