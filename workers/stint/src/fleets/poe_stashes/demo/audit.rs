//! Compares the stored chain with what the stand-in served.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use futures::TryStreamExt;
use stint_poe_stashes::look_ahead::Scan;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::page_file;
use stint_poe_stashes::store::{PageKey, Realm};
use stint_standins::poe_stashes::{Counters, digest};

use crate::fleets::poe_stashes::stores::Stores;

/// The result of the audit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Audit {
    pub(super) fetched: u64,
    pub(super) stored: u64,
    pub(super) lost: u64,
    pub(super) gaps: u64,
}

/// Walks the chain from the first page to the position, and compares each page with the bodies that were served for it.
pub(super) async fn audit(stores: &Stores, counters: &Counters) -> anyhow::Result<Audit> {
    let mut served: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for page in counters.pages.iter().filter(|page| page.change_id != page.next_change_id) {
        served.entry(&page.change_id).or_default().insert(page.digest);
    }
    let progress = stores.chain.read().await?.context("there is no chain")?.progress;
    let end = progress.position.context("the chain has no position")?;
    let (mut audit, mut id) = (Audit { fetched: progress.totals.fetched, ..Audit::default() }, ChangeId::BEGINNING);
    while id != end {
        let Some(page) = read(stores, id).await? else {
            audit.gaps += 1;
            break;
        };
        let known = served.get(&*id.to_string()).is_some_and(|digests| digests.contains(&digest(&page)));
        ensure!(known, "the page {id} is stored as the upstream never served it");
        audit.stored += 1;
        let mut scan = Scan::default();
        scan.feed(&page);
        id = scan.finish().with_context(|| format!("the page {id} cannot be read"))?.next;
    }
    audit.lost = audit.fetched.saturating_sub(audit.stored);
    Ok(audit)
}

async fn read(stores: &Stores, id: ChangeId) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(blob) = stores.pages.read(PageKey { realm: Realm::Pc, id }).await? else { return Ok(None) };
    let blob: Vec<bytes::Bytes> = blob.try_collect().await?;
    let (_, page) = page_file::read(&blob.concat(), usize::MAX >> 1).with_context(|| format!("the page {id}"))?;
    Ok(Some(page))
}
