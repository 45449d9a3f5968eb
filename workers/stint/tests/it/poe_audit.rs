//! Compares the stored pages of a chain with what was served, and the index with the pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use stint_poe_stashes::indexer::snapshot;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::model::page::Page;
use stint_poe_stashes::page_file;
use stint_poe_stashes::store::{Changes, Index, IndexCounts, PageKey, Realm, Snapshot};
use stint_standins::poe_stashes::{Counters, digest};

/// Larger than any page of the stand-in.
const MOST: usize = 16 * 1024 * 1024;

/// Walks the chain from its beginning to `end`. Each page on the way must be a blob under its id, with a body that was
/// served completely under that id at some time. The chain must continue where the body leads.
pub(crate) fn stored_pages(folder: &Path, counters: &Counters, end: ChangeId) -> Vec<Snapshot> {
    let mut served: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for page in counters.pages.iter().filter(|page| !page.cut) {
        served.entry(&page.change_id).or_default().insert(page.digest);
    }
    let (mut pages, mut id) = (Vec::new(), ChangeId::BEGINNING);
    while id != end {
        let file = folder.join(PageKey { realm: Realm::Pc, id }.to_string());
        let blob = std::fs::read(&file).unwrap_or_else(|error| panic!("the page {id} is lost: {error}"));
        let (label, body) = page_file::read(&blob, MOST).unwrap_or_else(|error| panic!("the page {id}: {error}"));
        assert_eq!(label.id, id);
        assert!(served[&*id.to_string()].contains(&digest(&body)), "the page {id} was never served so");
        let next = Page::read(&body).unwrap().next_change_id;
        assert!(next != id && next.has_reached(id), "from {id} the chain leads to {next}");
        pages.push(snapshot(&blob, MOST).unwrap().0);
        id = next;
    }
    pages
}

/// Checks that the index contains the last observed state of each stash and nothing else: it has that many stashes and
/// items, and applying any page again would change nothing.
pub(crate) async fn check_index(index: &dyn Index, pages: Vec<Snapshot>) {
    let mut last = BTreeMap::new();
    for page in &pages {
        for stash in &page.stashes {
            let seen = last.entry(stash.id.clone()).or_insert((page.observed_at, stash));
            if seen.0 <= page.observed_at {
                *seen = (page.observed_at, stash);
            }
        }
    }
    let listed = last.values().filter(|(_, stash)| stash.listed);
    let expected = listed.fold(IndexCounts::default(), |counts, (_, stash)| IndexCounts {
        stashes: counts.stashes + 1,
        items: counts.items + stash.items.len() as u64,
    });
    assert!(expected.items > 1_000, "{expected:?}");
    assert_eq!(index.counts().await.unwrap(), expected);
    for page in pages {
        let (id, changes) = (page.page, index.apply(page).await.unwrap());
        let Changes { new, changed, removed, .. } = changes;
        assert_eq!((new, changed, removed), (0, 0, 0), "the index had not seen all of {id}: {changes:?}");
    }
    assert_eq!(index.counts().await.unwrap(), expected);
}
