//! How a body comes once its head is there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use stint_core::clock::{Clock, after};

/// At the pace of a slow line a body comes in pieces of this much time.
const PIECE: Duration = Duration::from_millis(50);

/// How a body comes once its head is there. The default is the whole body at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// The pace of the line; `None` for one without a limit.
    pub bytes_per_second: Option<u64>,
    /// The connection ends after so many bytes, if the body has more.
    pub cut_after: Option<usize>,
}

/// The connection has ended within the body.
#[derive(Debug)]
pub(crate) struct Cut;

impl Transfer {
    pub(crate) fn is_whole(self) -> bool {
        self == Transfer::default()
    }

    /// The pieces of `body`, each at its time on `clock`, counted from now. What comes while nobody reads is there
    /// when somebody does.
    pub(crate) fn pieces(self, body: Bytes, clock: Arc<dyn Clock>) -> impl Stream<Item = Result<Bytes, Cut>> {
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
                    return pieces.cut.then_some((Err(Cut), None));
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
    /// When the last piece came.
    due: jiff::Timestamp,
    cut: bool,
}
