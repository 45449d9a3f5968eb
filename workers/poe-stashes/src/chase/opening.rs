//! An answer, read as far as it takes to know where the chain goes on.

use bytes::Bytes;
use futures::StreamExt;

use crate::client::OpenPage;
use crate::look_ahead::{Peek, Peeked, Said, Scan};
use crate::model::ChangeId;

/// An answer, as far as it was read to know where the chain goes on.
pub(super) struct Opening {
    pub(super) page: OpenPage,
    pub(super) peek: Option<ChangeId>,
    pub(super) first: Vec<Bytes>,
}

/// Reads as much of a body as it takes to know where it leads. One that breaks off here has ended for its writer too, who
/// sees that it is not whole.
pub(super) async fn peek(mut page: OpenPage) -> Opening {
    let (mut peek, mut first) = (Peek::default(), Vec::new());
    while peek.found() == Peeked::NotYet
        && let Some(Ok(piece)) = page.body.next().await
    {
        peek.feed(&piece);
        first.push(piece);
    }
    let peek = match peek.found() {
        Peeked::Found(id) => Some(id),
        Peeked::NotYet | Peeked::Nothing => None,
    };
    Opening { page, peek, first }
}

/// Reads the page that seems to be the end of the river to its own end, and answers where it leads by its body, if it has
/// one that can be read.
pub(super) async fn drain(Opening { mut page, peek, first }: Opening) -> Said {
    let mut scan = Scan::default();
    first.iter().for_each(|piece| scan.feed(piece));
    while let Some(Ok(piece)) = page.body.next().await {
        scan.feed(&piece);
    }
    Said { header: page.header, peek, body: scan.finish().ok().map(|document| document.next) }
}
