//! A body while it is still on its way.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use crate::transport::TransportError;

/// The decompressed chunks of a body, as they arrive.
///
/// A stream that ends after its first error: a body is whole only when `None` follows a chunk. Chunks are as large as
/// the transport makes them, and never empty. Nothing is read ahead of the reader but what the connection buffers.
/// Dropping the body abandons the transfer.
pub struct Body {
    chunks: BoxStream<'static, Result<Bytes, TransportError>>,
    host: String,
    /// How much may still come.
    room: usize,
    max_body: usize,
    ended: bool,
}

impl Body {
    /// The body that `chunks` make, as long as they are no more than `max_body` bytes; beyond,
    /// [`TransportError::TooLarge`] in the name of `host`.
    pub fn new(
        chunks: impl Stream<Item = Result<Bytes, TransportError>> + Send + 'static,
        host: String,
        max_body: usize,
    ) -> Body {
        Body { chunks: chunks.boxed(), host, room: max_body, max_body, ended: false }
    }

    /// A body that has arrived, in one chunk.
    pub fn whole(bytes: Bytes) -> Body {
        let max_body = bytes.len();
        Body::new(stream::iter([Ok(bytes)]), String::new(), max_body)
    }

    /// All that is left of it. One chunk alone is not copied.
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

    /// Takes `chunk` out of what may still come.
    fn admit(&mut self, chunk: Bytes) -> Result<Bytes, TransportError> {
        let room = self.room.checked_sub(chunk.len());
        self.room =
            room.ok_or_else(|| TransportError::TooLarge { host: self.host.clone(), max_body: self.max_body })?;
        Ok(chunk)
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
                // The connection is given up at once, not when the reader is done with what it has.
                self.ended = true;
                self.chunks = stream::empty().boxed();
            }
            return Poll::Ready(item);
        }
    }
}

/// Without what is in it.
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
    fn a_whole_body_fits_whatever_its_size() {
        assert_eq!(block_on(Body::whole(Bytes::from_static(b"abc")).collect()).expect("a body"), "abc");
    }
}
