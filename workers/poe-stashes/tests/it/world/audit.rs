//! What is stored, held against what was served.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::model::page::Page;
use stint_poe_stashes::page_file;
use stint_poe_stashes::store::PageKey;
use stint_standins::poe_stashes::digest;

use super::World;

/// The chain as its blobs have it, from its first page to its position.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Pages on the way.
    pub(crate) pages: u64,
    /// Of them, those that have no blob.
    pub(crate) missing: Vec<ChangeId>,
    /// Places where the river's edits do not follow each other.
    pub(crate) gaps: u64,
}

impl World {
    /// The page that is stored under `id`.
    pub(crate) async fn stored(&self, id: ChangeId) -> Option<Vec<u8>> {
        let key = PageKey { realm: self.settings.poe_realm, id };
        let blob: Vec<bytes::Bytes> = self.stores.pages.read(key).await.unwrap()?.try_collect().await.unwrap();
        let (label, page) = page_file::read(&blob.concat(), 1 << 30).unwrap();
        assert_eq!(label.id, id);
        Some(page)
    }

    /// Walks the chain from `first` to its position, and checks that each blob is a body that was served for its id.
    pub(crate) async fn audit(&self, first: ChangeId) -> Audit {
        let books = self.books();
        let mut served: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for page in books.pages.iter().filter(|page| !page.cut) {
            served.entry(page.change_id.clone()).or_default().insert(page.digest);
        }
        let progress = self.progress().await;
        assert_eq!(progress.open, [], "pages are open though nothing runs");
        let end = progress.position.unwrap();
        let (mut audit, mut id) = (Audit::default(), first);
        while id != end {
            let Some(page) = self.stored(id).await else {
                audit.missing.push(id);
                break;
            };
            assert!(served[&id.to_string()].contains(&digest(&page)), "the page {id} was never served so");
            let next = Page::read(&page).unwrap().next_change_id;
            let (from, to) = (self.edits_before(id), self.edits_before(next));
            audit.gaps += u64::from(to <= from);
            audit.pages += 1;
            id = next;
        }
        audit
    }

    /// Checks a chain that was followed from `first`: nothing is missing, and the upstream never had to complain.
    pub(crate) async fn assert_whole(&self, first: ChangeId) -> Audit {
        // What was cut when its follower ended is asked for by the next one.
        self.start().fetch(0).await;
        let (audit, books) = (self.audit(first).await, self.books());
        assert_eq!((&audit.missing[..], audit.gaps), (&[][..], 0));
        assert_eq!((books.client_errors, books.refused, books.banned), (0, 0, false));
        audit
    }
}
