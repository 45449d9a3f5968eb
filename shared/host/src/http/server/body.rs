//! Bodies on their way to and from a socket.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use stint_core::clock::Clock;
use stint_core::worker::WorkerError;
use tokio::sync::watch;

use super::ServerLimits;
use super::connections::Connection;
use crate::http::{BodyError, CompletedBody};

/// Reads a body of at most `most` bytes.
pub(super) async fn read(
    body: Incoming,
    most: usize,
    limits: &ServerLimits,
    clock: &Arc<dyn Clock>,
) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLarge);
    }
    match select(Box::pin(read_all(body, most)), clock.sleep(limits.body_timeout)).await {
        Either::Left((read, _)) => read,
        Either::Right(_) => Err(BodyError::TooSlow),
    }
}

async fn read_all(mut body: Incoming, most: usize) -> Result<Bytes, BodyError> {
    let mut read = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers are passed over.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if read.len() + data.len() > most {
            return Err(BodyError::TooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// The body of a response. When it is dropped, the connection waits for the next request.
pub(super) struct ResponseBody {
    content: Content,
    connection: Arc<Connection>,
}

enum Content {
    Whole(Bytes),
    Pieces(BoxStream<'static, Result<Bytes, WorkerError>>),
}

impl ResponseBody {
    /// Creates the body of a response on `connection`. Event streams end when `stopping` becomes true.
    pub(super) fn new(
        body: CompletedBody,
        connection: Arc<Connection>,
        stopping: &watch::Receiver<bool>,
    ) -> ResponseBody {
        let content = match body {
            CompletedBody::Whole(body) => Content::Whole(body),
            CompletedBody::Chunks(chunks) => Content::Pieces(chunks),
            CompletedBody::Events(events) => {
                let mut stopping = stopping.clone();
                let stopped = Box::pin(async move {
                    // The sender lives until all connections are closed.
                    let _ = stopping.wait_for(|stopping| *stopping).await;
                });
                Content::Pieces(events.take_until(stopped).boxed())
            }
        };
        ResponseBody { content, connection }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = WorkerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, WorkerError>>> {
        match &mut self.content {
            Content::Whole(body) if body.is_empty() => Poll::Ready(None),
            Content::Whole(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Content::Pieces(pieces) => pieces.poll_next_unpin(context).map(|piece| {
                let piece = piece?.inspect_err(|error| tracing::error!(%error, "a response broke off: {error}"));
                Some(piece.map(Frame::data))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(body) if body.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.connection.set_idle();
    }
}
