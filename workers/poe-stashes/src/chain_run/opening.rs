//! An answer that is read just far enough to know where the chain continues.

use bytes::Bytes;
use futures::StreamExt;

use crate::client::PageResponse;
use crate::look_ahead::{NextIds, Peek, Peeked, Scan};
use crate::model::ChangeId;

/// An answer that was read just far enough to know where the chain continues.
pub(super) struct Opening {
    pub(super) page: PageResponse,
    pub(super) peek: Option<ChangeId>,
    pub(super) first: Vec<Bytes>,
}

/// Reads as much of a body as is needed for its next id. If the body breaks off here, it ends for the writer too, and
/// the writer sees that it is incomplete.
pub(super) async fn peek(mut page: PageResponse) -> Opening {
    let (mut peek, mut first) = (Peek::default(), Vec::new());
    while peek.found() == Peeked::NotYet
        && let Some(Ok(piece)) = page.body.next().await
    {
        peek.feed(&piece);
        first.push(piece);
    }
    let peek = match peek.found() {
        Peeked::Found(id) => Some(id),
        Peeked::NotYet | Peeked::NotFound => None,
    };
    Opening { page, peek, first }
}

/// Reads the page at the apparent end of the river completely, and returns the next id of its body, if it is valid.
pub(super) async fn drain(Opening { mut page, peek, first }: Opening) -> NextIds {
    let mut scan = Scan::default();
    first.iter().for_each(|piece| scan.feed(piece));
    while let Some(Ok(piece)) = page.body.next().await {
        scan.feed(&piece);
    }
    NextIds { header: page.header, peek, body: scan.finish().ok().map(|document| document.next) }
}
