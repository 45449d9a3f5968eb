//! Compares the stored pages with the served ones.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::model::page::Page;
use stint_poe_stashes::page_file;
use stint_poe_stashes::store::PageKey;
use stint_standins::poe_stashes::digest;

use super::World;

/// The river as the blobs contain it, from the chain's first page to its position.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// The number of stored pages.
    pub(crate) pages: u64,
    /// Positions after which edits are in no page.
    pub(crate) gaps: Vec<u64>,
}

impl World {
    /// Returns the page that is stored under `id`.
    pub(crate) async fn stored(&self, id: ChangeId) -> Option<Vec<u8>> {
        let key = PageKey { realm: self.settings.poe_realm, id };
        let blob: Vec<bytes::Bytes> = self.stores.pages.read(key).await.unwrap()?.try_collect().await.unwrap();
        let (label, page) = page_file::read(&blob.concat(), 1 << 30).unwrap();
        assert_eq!(label.id, id);
        Some(page)
    }

    /// Checks that each blob is a body that was served for its id, and that together they contain every edit from
    /// `first` to the chain's position.
    pub(crate) async fn audit(&self, first: ChangeId) -> Audit {
        let mut served: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for page in self.counters().pages.iter().filter(|page| !page.cut) {
            served.entry(page.change_id.clone()).or_default().insert(page.digest);
        }
        let progress = self.progress().await;
        assert_eq!(progress.open, [], "pages are open though nothing runs");
        let mut spans = Vec::new();
        for (id, digests) in served {
            let id = id.parse().unwrap();
            let Some(page) = self.stored(id).await else { continue };
            assert!(digests.contains(&digest(&page)), "the page {id} was never served so");
            spans.push((self.edits_before(id), self.edits_before(Page::read(&page).unwrap().next_change_id)));
        }
        spans.sort_unstable();
        let (mut audit, mut reached) = (Audit::default(), self.edits_before(first));
        // The position has no page yet: all earlier pages must lead to it.
        let end = self.edits_before(progress.position.unwrap());
        for (from, to) in spans.iter().copied().filter(|(from, _)| *from < end).chain([(end, end)]) {
            if from > reached {
                audit.gaps.push(reached);
            }
            reached = reached.max(to);
        }
        audit.pages = spans.len() as u64;
        audit
    }

    /// Checks a chain that was followed from `first`: no edit is missing, and no request was refused by the upstream.
    pub(crate) async fn assert_whole(&self, first: ChangeId) -> Audit {
        // A page that was cut when its follower ended is requested by the next one.
        self.start().fetch(0).await;
        let (audit, counters) = (self.audit(first).await, self.counters());
        assert_eq!(audit.gaps, Vec::<u64>::new(), "edits that are in no page");
        assert_eq!((counters.client_errors, counters.refused, counters.banned), (0, 0, false));
        audit
    }
}
