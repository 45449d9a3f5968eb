//! Maintains tables of the current content of each stash, from the stored pages. An example of a consumer, and a useful
//! one.
//!
//! # What may happen between any two lines
//! * *A crash after a page is applied, before its message is acknowledged:* it is applied again, and changes nothing.
//! * *Pages arrive in another order, or twice:* for each stash the latest observation counts, by the label in the
//!   page's blob.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use serde::Serialize;
use serde_json::value::RawValue;
use stint_core::clock::before;
use stint_core::ports::{Delivery, PortResult};
use stint_core::worker::{Disposition, Event, Invocation, MessageException, Outcome};
use stint_core::worker::{QueueTrigger, Trigger, Worker, WorkerError, WorkerSpec};

use crate::message::{PAGES_QUEUE, StoredPage};
use crate::model::page::{Item, Page, Stash, Text};
use crate::model::price::{AskingPrice, Price, asking_price};
use crate::page_file;
use crate::store::{Changes, Index, ItemRow, PageKey, Pages, PriceRow, Snapshot, StashRow};

const TIMEOUT: Duration = Duration::from_secs(120);

/// Maintains the index.
pub struct Indexer {
    pages: Arc<dyn Pages>,
    index: Arc<dyn Index>,
    settings: IndexerSettings,
}

/// The settings of an indexer.
#[derive(Clone, Copy, Debug)]
pub struct IndexerSettings {
    /// The largest page that is read, in bytes.
    pub max_page: usize,
    /// How long events are kept.
    pub event_retention: Duration,
}

/// The result of an invocation.
#[derive(Debug, Default, PartialEq, Serialize)]
struct IndexerReport {
    pages: usize,
    /// Items without an id, which cannot be tracked.
    nameless: u64,
    #[serde(flatten)]
    changes: Changes,
}

impl Indexer {
    /// Returns an indexer.
    pub fn new(pages: Arc<dyn Pages>, index: Arc<dyn Index>, settings: IndexerSettings) -> Indexer {
        Indexer { pages, index, settings }
    }
}

impl Worker for Indexer {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "indexer",
        summary: "maintains tables of each stash's current content, with new, changed and removed items",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: PAGES_QUEUE,
            batch: 10,
            // The longest invocation, and the time to settle its messages. It is not the six time-outs that Lambda
            // needs, because an indexer never runs there, and the pages of a crashed indexer wait for this long.
            visibility_timeout: TIMEOUT.saturating_add(Duration::from_secs(30)),
            max_receives: 5,
        })],
        // The tables have one writer.
        concurrency: 1,
        timeout: TIMEOUT,
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Batch(deliveries) = event else {
            return Err(WorkerError::Event("expected a batch of stored pages from the queue".into()));
        };
        let (mut report, mut exceptions) = (IndexerReport::default(), Vec::new());
        for delivery in deliveries {
            match apply_page(&delivery, &*self.pages, &*self.index, self.settings.max_page).await? {
                Ok((changes, nameless)) => {
                    report.pages += 1;
                    report.nameless += nameless;
                    report.changes += changes;
                }
                Err(disposition) => exceptions.push(MessageException { message_id: delivery.message_id, disposition }),
            }
        }
        self.index.delete_events(before(invocation.now(), self.settings.event_retention)).await?;
        Ok(Outcome { exceptions, ..Outcome::report(report) })
    }
}

/// Applies one page. The inner error is the disposition of the message: a bad blob does not change, but a store may be
/// temporarily down. Other pages are not affected.
async fn apply_page(
    delivery: &Delivery,
    pages: &dyn Pages,
    index: &dyn Index,
    max_page: usize,
) -> PortResult<Result<(Changes, u64), Disposition>> {
    let reject = |reason| Ok(Err(Disposition::Reject { reason }));
    let stored: StoredPage = match serde_json::from_str(&delivery.body) {
        Ok(stored) => stored,
        Err(error) => return reject(format!("invalid message: {error}")),
    };
    let blob = match read(stored.into(), pages).await {
        Ok(Some(blob)) => blob,
        Ok(None) => return reject(format!("there is no blob of the page {}", stored.id)),
        // The host keeps the batch until the pages can be read again.
        Err(error) if error.is_unavailable() => return Err(error),
        Err(error) => return Ok(Err(Disposition::Retry { reason: error.to_string() })),
    };
    match snapshot(&blob, max_page) {
        Ok((snapshot, nameless)) => Ok(Ok((index.apply(snapshot).await?, nameless))),
        Err(reason) => reject(format!("the page {} cannot be read: {reason}", stored.id)),
    }
}

async fn read(key: PageKey, pages: &dyn Pages) -> PortResult<Option<Vec<u8>>> {
    let Some(blob) = pages.read(key).await? else { return Ok(None) };
    let whole = blob.try_fold(Vec::new(), async |mut whole, piece| {
        whole.extend_from_slice(&piece);
        Ok(whole)
    });
    whole.await.map(Some)
}

/// Returns the content of a blob, and the number of its items without an id.
pub fn snapshot(blob: &[u8], max_page: usize) -> Result<(Snapshot, u64), String> {
    let (label, page) = page_file::read(blob, max_page).map_err(|error| error.to_string())?;
    let page = Page::read(&page).map_err(|error| error.to_string())?;
    let mut nameless = 0;
    let stashes = page.stashes.iter().map(|stash| row(stash, &mut nameless)).collect();
    Ok((Snapshot { observed_at: label.fetched_at, page: label.id, stashes }, nameless))
}

/// Converts a stash to a row. If it is no longer listed, only its id is meaningful.
fn row(stash: &Stash<'_>, nameless: &mut u64) -> StashRow {
    let id = stash.id.to_string();
    if !stash.public {
        return StashRow { id, ..StashRow::default() };
    }
    let items = stash.items.iter().filter_map(|raw| {
        let row = item_row(raw, stash.stash.as_ref());
        *nameless += u64::from(row.is_none());
        row
    });
    StashRow {
        id,
        listed: true,
        account: owned(stash.account_name.as_ref()),
        tab: owned(stash.stash.as_ref()),
        kind: owned(stash.stash_type.as_ref()),
        league: owned(stash.league.as_ref()),
        items: items.collect(),
    }
}

fn item_row(raw: &RawValue, tab: Option<&Text<'_>>) -> Option<ItemRow> {
    let item = Item::read(raw);
    let id = item.id.as_ref().map(Text::as_str).filter(|id| !id.is_empty())?;
    let asking = asking_price(item.note.as_ref().map(Text::as_str), tab.map(Text::as_str));
    Some(ItemRow {
        id: id.to_owned(),
        name: owned(item.name.as_ref()),
        type_line: owned(item.type_line.as_ref()),
        base_type: owned(item.base_type.as_ref()),
        stack_size: item.stack_size,
        note: owned(item.note.as_ref()),
        price: asking.map(price),
        json: raw.get().to_owned(),
    })
}

fn price(asking: AskingPrice<'_>) -> PriceRow {
    match asking {
        AskingPrice::Price(Price { kind, amount, currency }) => {
            PriceRow { each: amount.each(), currency: currency.to_owned(), kind: kind.name() }
        }
        AskingPrice::Exchange(amount) => PriceRow { each: amount.each(), currency: "offer".to_owned(), kind: "price" },
    }
}

fn owned(text: Option<&Text<'_>>) -> Option<String> {
    text.map(Text::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
