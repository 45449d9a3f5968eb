//! A body that is still streaming.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use crate::transport::TransportError;

/// The decompressed chunks of a body, as they arrive.
///
/// The stream ends after its first error, so a body is complete only if `None` follows a chunk. Chunks have the size
/// that the transport gives them and are never empty. Nothing is read ahead except what the connection buffers.
/// Dropping the body abandons the transfer.
pub struct Body {
    chunks: BoxStream<'static, Result<Bytes, TransportError>>,
    host: String,
    /// How many bytes may still come.
    room: usize,
    max_body: usize,
    ended: bool,
}

impl Body {
    /// Creates a body from `chunks`. If they are more than `max_body` bytes together, it ends with
    /// [`TransportError::TooLarge`] from `host`.
    pub fn new(
        chunks: impl Stream<Item = Result<Bytes, TransportError>> + Send + 'static,
        host: String,
        max_body: usize,
    ) -> Body {
        Body { chunks: chunks.boxed(), host, room: max_body, max_body, ended: false }
    }

    /// Creates a body that has already arrived, in one chunk.
    pub fn whole(bytes: Bytes) -> Body {
        let max_body = bytes.len();
        Body::new(stream::iter([Ok(bytes)]), String::new(), max_body)
    }

    /// Sets the announced length of the body. If it exceeds the cap, the body ends with an error before anything is
    /// read.
    #[must_use]
    pub fn announced(mut self, length: Option<u64>) -> Body {
        if length.is_some_and(|length| length > self.room as u64) {
            self.chunks = stream::iter([Err(self.too_large())]).boxed();
        }
        self
    }

    /// Reads the rest of the body. A single chunk is not copied.
    pub async fn collect(mut self) -> Result<Bytes, TransportError> {
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await.transpose()? else { return Ok(first) };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.next().await.transpose()? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Reads up to `most` bytes and returns what arrived, however the body ends.
    pub(crate) async fn beginning(mut self, most: usize) -> Bytes {
        let mut beginning = BytesMut::new();
        while beginning.len() < most
            && let Some(Ok(chunk)) = self.next().await
        {
            beginning.extend_from_slice(&chunk[..chunk.len().min(most - beginning.len())]);
        }
        beginning.freeze()
    }

    /// Counts `chunk` against what may still come.
    fn admit(&mut self, chunk: Bytes) -> Result<Bytes, TransportError> {
        self.room = self.room.checked_sub(chunk.len()).ok_or_else(|| self.too_large())?;
        Ok(chunk)
    }

    fn too_large(&self) -> TransportError {
        TransportError::TooLarge { host: self.host.clone(), max_body: self.max_body }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(chunk) = self.chunks.poll_next_unpin(context) else { return Poll::Pending };
            let item = match chunk {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(chunk) => Some(chunk.and_then(|chunk| self.admit(chunk))),
                None => None,
            };
            if !matches!(item, Some(Ok(_))) {
                // The connection is closed at once, not when the reader is done with what it has.
                self.ended = true;
                self.chunks = stream::empty().boxed();
            }
            return Poll::Ready(item);
        }
    }
}

/// Leaves out the content.
impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Body").field("host", &self.host).field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn body(chunks: &[&'static str], max_body: usize) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        Body::new(stream::iter(chunks), String::from("upstream.example"), max_body)
    }

    #[test]
    fn chunks_come_as_they_are_and_empty_ones_do_not() {
        let chunks: Vec<_> = block_on(body(&["", "ab", "", "c"], 3).map(Result::unwrap).collect());
        assert_eq!(chunks, ["ab", "c"]);
        for (chunks, whole) in [(&[][..], ""), (&["ab"], "ab"), (&["ab", "c", "de"], "abcde")] {
            assert_eq!(block_on(body(chunks, 9).collect()).expect("a body"), whole);
        }
    }

    #[test]
    fn what_is_too_large_ends_with_an_error_and_nothing_follows() {
        let mut body = body(&["ab", "cd", "e"], 3);
        assert_eq!(block_on(body.next()), Some(Ok(Bytes::from_static(b"ab"))));
        let error = TransportError::TooLarge { host: String::from("upstream.example"), max_body: 3 };
        assert_eq!(block_on(body.next()), Some(Err(error)));
        assert_eq!(block_on(body.next()), None);
    }

    #[test]
    fn what_is_announced_as_too_large_is_not_read() {
        let error = TransportError::TooLarge { host: String::from("upstream.example"), max_body: 3 };
        let chunks: Vec<_> = block_on(StreamExt::collect(body(&["ab", "cd"], 3).announced(Some(4))));
        assert_eq!(chunks, [Err(error)]);
        for length in [None, Some(3)] {
            let whole = body(&["ab", "c"], 3).announced(length);
            assert_eq!(block_on(whole.collect()).expect("a body"), "abc");
        }
    }

    #[test]
    fn a_beginning_is_what_came() {
        for (most, beginning) in [(0, ""), (1, "a"), (3, "abc"), (4, "abcd"), (9, "abcd")] {
            // Cut off by the cap before the last chunk.
            assert_eq!(block_on(body(&["ab", "cd", "e"], 4).beginning(most)), beginning);
        }
    }

    #[test]
    fn a_whole_body_fits_whatever_its_size() {
        assert_eq!(block_on(Body::whole(Bytes::from_static(b"abc")).collect()).expect("a body"), "abc");
    }
}
