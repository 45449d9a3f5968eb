//! The writer: takes a page's body as it streams in, and makes its blob.
//!
//! It runs beside the follower, in the same invocation, as many at once as pages are open: a body belongs to the
//! connection that it comes on, and could be asked for again only with another content
//! (`docs/decisions/0011-the-writer-lives-with-the-follower.md`).
//!
//! # What may happen between any two lines
//! * *Dies while the body streams:* nothing is to be seen of the blob; the page is still open, and is asked for again. Its
//!   content may have changed meanwhile, which is then what was seen.
//! * *Dies after the blob is made, before its message is sent:* the page is still open; whoever goes on finds the blob and
//!   sends the message.
//! * *Dies after the message is sent, before the page is struck off:* the message is sent twice.
//! * *Is told to write the same page twice:* the first blob stays, and is looked into for where it leads: the page may have
//!   grown since, and what it has gained is in no blob.

use bytes::Bytes;
use futures::StreamExt;
use stint_core::ports::{PortError, Queue};
use stint_http::{Body, TransportError};

use crate::look_ahead::{Document, Peek, Peeked, Said, Scan, ScanError};
use crate::message::{StoredPage, message};
use crate::model::ChangeId;
use crate::page_file::{Compressor, Decompressor, LEVEL, Label, Sizes};
use crate::store::{PageKey, Pages, Put, Upload};

/// A page to be written.
pub struct Incoming {
    /// Which one, and when it was answered.
    pub label: Label,
    /// What the header said is next.
    pub header: Option<ChangeId>,
    /// What was read of the body already, to look ahead.
    pub first: Vec<Bytes>,
    /// The rest.
    pub body: Body,
}

/// A page that went through.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// What was said about where it leads.
    pub said: Said,
    /// How many stashes it has.
    pub stashes: u64,
    /// What became of the blob. `None` for a page that leads to itself, the end of the river: it is not stored, since it
    /// will be another page when it is asked for again.
    pub put: Option<Put>,
    /// Where the page leads that is stored now, be it this one or an earlier one.
    pub leads_to: ChangeId,
    /// How large it is.
    pub sizes: Sizes,
}

/// Why a page was not stored. Nothing of it is to be seen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The body broke off, or is too large.
    #[error(transparent)]
    Body(#[from] TransportError),
    /// The body is no page, or not a whole one.
    #[error(transparent)]
    NoPage(#[from] ScanError),
    /// The body could not be compressed.
    #[error("could not compress a page: {0}")]
    Compression(#[from] std::io::Error),
    /// A store or queue failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Stores a page, and tells whoever consumes.
pub async fn write(incoming: Incoming, pages: &dyn Pages, stored: &dyn Queue) -> Result<Written, WriteError> {
    let key = PageKey { realm: incoming.label.realm, id: incoming.label.id };
    let mut upload = pages.begin(key).await?;
    match stream(incoming, &mut *upload).await {
        Ok(mut written) if written.put.is_some() => {
            let put = upload.commit().await?;
            written.put = Some(put);
            if put == Put::WasThere
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

/// Tells that a page is stored.
pub async fn announce(key: PageKey, stored: &dyn Queue) -> Result<(), PortError> {
    stored.send(&[message(&StoredPage::from(key))]).await
}

/// A page that is stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it leads; not to itself. `None`: the blob is damaged, and nobody will know.
    pub next: Option<ChangeId>,
}

/// Compressed bytes that are read at once: the next id is in the first of them.
const LOOK: usize = 4 * 1024;

/// Looks for a page's blob, and where it leads. Reads no further than that takes.
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

/// Moves a body into an upload, and looks at it on the way.
async fn stream(incoming: Incoming, upload: &mut dyn Upload) -> Result<Written, WriteError> {
    let Incoming { label, header, first, mut body } = incoming;
    let mut passage =
        Passage { compressor: Compressor::new(&label, LEVEL)?, peek: Peek::default(), scan: Scan::default() };
    for piece in first {
        passage.take(&piece, upload).await?;
    }
    while let Some(piece) = body.next().await {
        passage.take(&piece?, upload).await?;
    }
    let Document { next, stashes } = passage.scan.finish()?;
    let peek = match passage.peek.found() {
        Peeked::Found(id) => Some(id),
        Peeked::NotYet | Peeked::Nothing => None,
    };
    let said = Said { header, peek, body: Some(next) };
    let is_end = next == label.id;
    let (last, sizes) = passage.compressor.finish()?;
    if !is_end {
        upload.write(last).await?;
    }
    Ok(Written { said, stashes, put: (!is_end).then_some(Put::Stored), leads_to: next, sizes })
}

/// Everything that sees each piece of a body.
struct Passage {
    compressor: Compressor,
    peek: Peek,
    scan: Scan,
}

impl Passage {
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
    /// Whether the page can never be stored, however often it is asked for.
    pub fn is_final(&self) -> bool {
        matches!(self, WriteError::Body(TransportError::TooLarge { .. }))
    }

    /// Whether a whole answer came that is no page.
    pub fn is_no_page(&self) -> bool {
        matches!(self, WriteError::NoPage(ScanError::NoObject | ScanError::NoId))
    }
}
