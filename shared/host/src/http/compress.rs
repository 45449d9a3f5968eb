//! Gzip, for text that is worth it.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, BoxStream, StreamExt};
use stint_core::worker::WorkerError;

/// Shorter bodies fit in one packet anyway.
const WORTH_IT: usize = 1_024;

/// Bodies above this are compressed on a thread of their own, so that other requests do not wait: a megabyte of text takes
/// some ten milliseconds.
const OWN_THREAD: usize = 128 * 1_024;

/// Returns whether bodies of this type shrink.
pub(super) fn is_compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let texts = ["application/json", "application/javascript", "application/xml", "image/svg+xml"];
    let is_text = kind.starts_with("text/") && kind != "text/event-stream";
    is_text || texts.contains(&kind) || kind.ends_with("+json") || kind.ends_with("+xml")
}

/// Compresses a whole body, if that makes it smaller.
pub(super) async fn whole(body: &Bytes) -> Option<Bytes> {
    if body.len() < WORTH_IT {
        return None;
    }
    let compressed = if body.len() > OWN_THREAD {
        let body = body.clone();
        tokio::task::spawn_blocking(move || gzip(&body)).await.ok()?
    } else {
        gzip(body)
    };
    compressed.filter(|compressed| compressed.len() < body.len())
}

fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn failed(error: std::io::Error) -> WorkerError {
    WorkerError::Failed(format!("could not compress: {error}"))
}

/// Compresses a body piece by piece. Each piece is sent at once, as the worker meant it.
pub(super) fn pieces(
    body: BoxStream<'static, Result<Bytes, WorkerError>>,
) -> BoxStream<'static, Result<Bytes, WorkerError>> {
    type State = (BoxStream<'static, Result<Bytes, WorkerError>>, Option<GzEncoder<Vec<u8>>>);
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let next = async |(mut body, encoder): State| {
        let mut encoder = encoder?;
        let piece = match body.next().await {
            Some(Ok(piece)) => encoder.write_all(&piece).and_then(|()| encoder.flush()).map_err(failed),
            Some(Err(error)) => Err(error),
            None => return Some((encoder.finish().map(Bytes::from).map_err(failed), (body, None))),
        };
        let piece = piece.map(|()| Bytes::from(std::mem::take(encoder.get_mut())));
        Some((piece, (body, Some(encoder))))
    };
    stream::unfold((body, Some(encoder)), next).boxed()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use futures::executor::block_on;

    use super::*;

    fn text(compressed: &[u8]) -> String {
        let mut text = String::new();
        GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn pieces_can_be_read_as_they_come_and_are_one_file_at_the_end() {
        let parts = ["one ", "two ", "three"].map(|part| Ok(Bytes::from_static(part.as_bytes())));
        let pieces: Vec<Bytes> = block_on(pieces(stream::iter(parts).boxed()).map(|piece| piece.unwrap()).collect());
        assert_eq!(text(&pieces.concat()), "one two three");
        let mut first = [0; 4];
        GzDecoder::new(&pieces[0][..]).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"one ");
    }

    #[test]
    fn only_text_that_shrinks_is_compressed() {
        for (kind, shrinks) in [
            ("application/json", true),
            ("text/html; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/event-stream", false),
            ("image/png", false),
        ] {
            assert_eq!(is_compressible(kind), shrinks, "{kind}");
        }
        let long = Bytes::from("a".repeat(2_000));
        assert_eq!(text(&block_on(whole(&long)).unwrap()), "a".repeat(2_000));
        assert_eq!(block_on(whole(&Bytes::from_static(b"short"))), None);
    }
}
