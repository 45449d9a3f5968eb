//! The writer: takes a page's body while it streams in, and stores it as a blob.
//!
//! It runs beside the follower, in the same invocation, once for each open page: a body belongs to its connection, and
//! a second request would return different content (`docs/decisions/0011-the-writer-is-part-of-the-follower.md`).
//!
//! # What may happen between any two lines
//! * *A crash while the body streams:* the blob is not visible; the page is still open, and is requested again. Its
//!   content may have changed meanwhile, and the new content is stored.
//! * *A crash after the blob is created, before its message is sent:* the page is still open; the next follower finds
//!   the blob and sends the message.
//! * *A crash after the message is sent, before the page is removed from the open ones:* the message is sent twice.
//! * *The same page is written twice:* the first blob stays, and its next id is read from it: the page may have grown
//!   since, and the added edits are in no blob.

use bytes::Bytes;
use futures::StreamExt;
use stint_core::ports::{PortError, Queue};
use stint_http::{Body, TransportError};

use crate::look_ahead::{Document, NextIds, Peek, Peeked, Scan, ScanError};
use crate::message::{StoredPage, message};
use crate::model::ChangeId;
use crate::page_file::{Compressor, Decompressor, LEVEL, Label, Sizes};
use crate::store::{PageKey, Pages, Put, Upload};

/// A page to be stored.
pub struct PageToStore {
    /// Its id, and when it was received.
    pub label: Label,
    /// The next id from the header.
    pub header: Option<ChangeId>,
    /// The part of the body that was already read to look ahead.
    pub first: Vec<Bytes>,
    /// The rest.
    pub body: Body,
}

/// A page that was processed completely.
#[derive(Clone, Copy, Debug)]
pub struct StoreOutcome {
    /// The next ids from header, first bytes and body.
    pub next_ids: NextIds,
    /// The number of its stashes.
    pub stashes: u64,
    /// The outcome for the blob. `None` for a page whose next id is its own, at the end of the river: it is not stored,
    /// because it will have other content when it is requested again.
    pub put: Option<Put>,
    /// The next id of the page that is now stored, be it this one or an earlier one.
    pub leads_to: ChangeId,
    /// Its sizes.
    pub sizes: Sizes,
}

/// Why a page was not stored. No part of it is visible.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The body broke off, or is too large.
    #[error(transparent)]
    Body(#[from] TransportError),
    /// The body is not a page, or incomplete.
    #[error(transparent)]
    InvalidPage(#[from] ScanError),
    /// The body could not be compressed.
    #[error("could not compress a page: {0}")]
    Compression(#[from] std::io::Error),
    /// A store or queue failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Stores a page, and announces it to consumers.
pub async fn write(
    page_to_store: PageToStore,
    pages: &dyn Pages,
    stored: &dyn Queue,
) -> Result<StoreOutcome, WriteError> {
    let key = PageKey { realm: page_to_store.label.realm, id: page_to_store.label.id };
    let mut upload = pages.begin(key).await?;
    match stream(page_to_store, &mut *upload).await {
        Ok(mut written) if written.put.is_some() => {
            let put = upload.commit().await?;
            written.put = Some(put);
            if put == Put::AlreadyExists
                && let Some(next) = find(key, pages).await?.and_then(|found| found.next)
            {
                written.leads_to = next;
            }
            announce(key, stored).await?;
            Ok(written)
        }
        end => {
            upload.abort().await;
            end
        }
    }
}

/// Sends the message that a page is stored.
pub async fn announce(key: PageKey, stored: &dyn Queue) -> Result<(), PortError> {
    stored.send(&[message(&StoredPage::from(key))]).await
}

/// A page that is already stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its next id, which is not its own. `None`: the blob is damaged, and the next id cannot be known.
    pub next: Option<ChangeId>,
}

/// Compressed bytes that are read at once: the next id is in the first of them.
const LOOK: usize = 4 * 1024;

/// Looks for a page's blob and its next id. Reads only as much as needed.
pub async fn find(key: PageKey, pages: &dyn Pages) -> Result<Option<Found>, PortError> {
    let Some(mut blob) = pages.read(key).await? else { return Ok(None) };
    let damaged = |error: &dyn std::fmt::Display| {
        tracing::error!(%key, %error, "the blob {key} is damaged: {error}");
        Ok(Some(Found { next: None }))
    };
    let mut decompressor =
        Decompressor::new().map_err(|error| PortError::backend("could not decompress a page", error))?;
    let (mut peek, mut scan) = (Peek::default(), Scan::default());
    while let Some(piece) = blob.next().await {
        for part in piece?.chunks(LOOK) {
            let page = match decompressor.feed(part) {
                Ok(page) => page,
                Err(error) => return damaged(&error),
            };
            scan.feed(&page);
            if let (Peeked::Found(next), _) | (_, Some(next)) = (peek.feed(&page), scan.next()) {
                return Ok(Some(Found { next: Some(next).filter(|next| *next != key.id) }));
            }
        }
    }
    damaged(&ScanError::NoId)
}

/// Streams a body into an upload, and scans it on the way.
async fn stream(page_to_store: PageToStore, upload: &mut dyn Upload) -> Result<StoreOutcome, WriteError> {
    let PageToStore { label, header, first, mut body } = page_to_store;
    let mut body_scan =
        BodyScan { compressor: Compressor::new(&label, LEVEL)?, peek: Peek::default(), scan: Scan::default() };
    for piece in first {
        body_scan.take(&piece, upload).await?;
    }
    while let Some(piece) = body.next().await {
        body_scan.take(&piece?, upload).await?;
    }
    let Document { next, stashes } = body_scan.scan.finish()?;
    let peek = match body_scan.peek.found() {
        Peeked::Found(id) => Some(id),
        Peeked::NotYet | Peeked::NotFound => None,
    };
    let next_ids = NextIds { header, peek, body: Some(next) };
    let is_end = next == label.id;
    let (last, sizes) = body_scan.compressor.finish()?;
    if !is_end {
        upload.write(last).await?;
    }
    Ok(StoreOutcome { next_ids, stashes, put: (!is_end).then_some(Put::Stored), leads_to: next, sizes })
}

/// Everything that processes each piece of a body.
struct BodyScan {
    compressor: Compressor,
    peek: Peek,
    scan: Scan,
}

impl BodyScan {
    async fn take(&mut self, piece: &[u8], upload: &mut dyn Upload) -> Result<(), WriteError> {
        self.peek.feed(piece);
        self.scan.feed(piece);
        if let Some(compressed) = self.compressor.feed(piece)? {
            upload.write(compressed).await?;
        }
        Ok(())
    }
}

impl WriteError {
    /// Whether the page can never be stored, however often it is requested.
    pub fn is_final(&self) -> bool {
        matches!(self, WriteError::Body(TransportError::TooLarge { .. }))
    }

    /// Whether a complete answer arrived that is not a page.
    pub fn is_invalid_page(&self) -> bool {
        matches!(self, WriteError::InvalidPage(ScanError::NoObject | ScanError::NoId))
    }
}
