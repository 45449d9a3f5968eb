//! The transfer of a body after the head of its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use stint_core::clock::{Clock, after};

/// At a limited rate, a body is split into pieces that each take this long.
const PIECE: Duration = Duration::from_millis(50);

/// The transfer of a body after the head of its answer. The default is the whole body at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// The transfer rate; `None` for no limit.
    pub bytes_per_second: Option<u64>,
    /// Closes the connection after this many bytes, if the body has more.
    pub cut_after: Option<usize>,
}

/// The connection was closed within the body.
#[derive(Debug)]
pub(crate) struct ConnectionClosed;

impl Transfer {
    pub(crate) fn is_whole(self) -> bool {
        self == Transfer::default()
    }

    /// Returns the pieces of `body`, each at its time on `clock`, counted from now. A piece whose time passed while
    /// nothing was reading is available at once.
    pub(crate) fn pieces(
        self,
        body: Bytes,
        clock: Arc<dyn Clock>,
    ) -> impl Stream<Item = Result<Bytes, ConnectionClosed>> {
        let size = match self.bytes_per_second {
            Some(pace) => usize::try_from(pace.saturating_mul(PIECE.as_millis() as u64) / 1000).unwrap_or(usize::MAX),
            None => body.len(),
        };
        let cut = self.cut_after.filter(|cut| *cut < body.len());
        let rest = Pieces { rest: body.slice(..cut.unwrap_or(body.len())), due: clock.now(), cut: cut.is_some() };
        stream::unfold(Some(rest), move |pieces| {
            let clock = Arc::clone(&clock);
            async move {
                let mut pieces = pieces?;
                if pieces.rest.is_empty() {
                    return pieces.cut.then_some((Err(ConnectionClosed), None));
                }
                if self.bytes_per_second.is_some() {
                    pieces.due = after(pieces.due, PIECE);
                    clock.sleep_until(pieces.due).await;
                }
                let piece = pieces.rest.split_to(size.max(1).min(pieces.rest.len()));
                Some((Ok(piece), Some(pieces)))
            }
        })
    }
}

struct Pieces {
    rest: Bytes,
    /// When the last piece was due.
    due: jiff::Timestamp,
    cut: bool,
}
