//! Streaming bodies from real sockets that behave badly.

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, TryStreamExt};
use stint_http::{Body, RequestLimits, ReqwestTransport, Transport, TransportError};

use crate::loopback::{LIMITS, gzip_answer, hang, serve, write};

async fn open(address: std::net::SocketAddr, limits: RequestLimits) -> Result<http::Response<Body>, TransportError> {
    let transport = ReqwestTransport::new("stint/0").expect("transport");
    let request = http::Request::get(format!("http://{address}/path")).body(Bytes::new()).expect("request");
    transport.open(request, limits).await
}

/// Creates a gate that holds back a server's thread until the test opens it.
fn gate() -> (std::sync::mpsc::Sender<()>, Receiver<()>) {
    channel()
}

/// Returns `bytes` as one HTTP chunk.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn the_head_is_there_before_the_body_and_the_body_comes_in_pieces() {
    let (go, gate) = gate();
    let (address, _heads) = serve(move |stream| {
        assert!(write(stream, b"HTTP/1.1 200 OK\r\nx-next: 5\r\ncontent-length: 10\r\n\r\n"));
        gate.recv().expect("the test has seen the head");
        assert!(write(stream, b"01234"));
        gate.recv().expect("the test has seen the first half");
        assert!(write(stream, b"56789"));
    });
    let answer = open(address, LIMITS).await.expect("a head");
    assert_eq!(answer.headers()["x-next"], "5");
    let mut body = answer.into_body();
    go.send(()).expect("the server waits");
    assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"01234"))));
    go.send(()).expect("the server waits");
    assert_eq!(body.collect().await.expect("the rest"), "56789");
}

#[tokio::test]
async fn a_compressed_body_is_decompressed_as_it_comes() {
    let (go, gate) = gate();
    let (address, _heads) = serve(move |stream| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"first").expect("write");
        encoder.flush().expect("flush");
        let first = std::mem::take(encoder.get_mut());
        encoder.write_all(b"second").expect("write");
        let second = encoder.finish().expect("finish");
        let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(write(stream, &[&head[..], &chunk(&first)].concat()));
        gate.recv().expect("the test has seen the first");
        assert!(write(stream, &[chunk(&second), chunk(b"")].concat()));
    });
    let mut body = open(address, LIMITS).await.expect("a head").into_body();
    assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"first"))));
    go.send(()).expect("the server waits");
    assert_eq!(body.collect().await.expect("the rest"), "second");
}

#[tokio::test]
async fn a_body_that_is_cut_ends_with_an_error() {
    // Plain with a length, plain in chunks, and compressed: cut off by the connection, and at the end of a chunk.
    let half = |whole: Vec<u8>| whole[..whole.len() - 7].to_vec();
    let ends_well = {
        let zipped = half(gzip_answer(&[b'x'; 3000]));
        let body = zipped.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
        [&head[..], &chunk(&zipped[body..]), &chunk(b"")].concat()
    };
    let cut = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789".to_vec(),
        [&b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..], &chunk(b"0123456789")].concat(),
        half(gzip_answer(&[b'x'; 3000])),
        ends_well,
    ];
    for (case, bytes) in cut.into_iter().enumerate() {
        let (address, _heads) = serve(move |stream| assert!(write(stream, &bytes)));
        let body = open(address, LIMITS).await.expect("a head").into_body();
        let error = body.try_for_each(|_| async { Ok(()) }).await.expect_err("cut");
        assert!(matches!(error, TransportError::Broken { .. }), "case {case}: {error}");
    }
}

#[tokio::test]
async fn a_bomb_stops_at_the_cap_and_no_chunk_goes_beyond_it() {
    let bomb = gzip_answer(&vec![0; 32 * 1024 * 1024]);
    let (address, _heads) = serve(move |stream| {
        write(stream, &bomb);
    });
    let mut body = open(address, LIMITS).await.expect("a head").into_body();
    let mut read = 0;
    let error = loop {
        match body.next().await.expect("an end with an error") {
            Ok(piece) => read += piece.len(),
            Err(error) => break error,
        }
    };
    assert!(read <= LIMITS.max_body, "{read}");
    assert!(matches!(error, TransportError::TooLarge { max_body, .. } if max_body == LIMITS.max_body), "{error}");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_length_over_the_cap_is_the_end_of_the_body_and_not_of_the_answer() {
    let (gone, noticed) = tokio::sync::oneshot::channel();
    let (address, _heads) = serve(move |stream| {
        write(stream, b"HTTP/1.1 200 OK\r\nx-next: 5\r\ncontent-length: 1048577\r\n\r\n0123456789");
        hang(stream);
        gone.send(()).expect("the test waits");
    });
    let answer = open(address, LIMITS).await.expect("a head");
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-next"]), (200, &"5".parse().expect("value")));
    let error = TransportError::TooLarge { host: address.to_string(), max_body: LIMITS.max_body };
    let mut body = answer.into_body();
    assert_eq!((body.next().await, body.next().await), (Some(Err(error)), None));
    assert_eq!(noticed.await, Ok(()), "the rest is abandoned");
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_ends_with_an_error() {
    let limits = RequestLimits { timeout: Duration::from_millis(200), ..LIMITS };
    let (address, _heads) = serve(|stream| {
        assert!(write(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234"));
        hang(stream);
    });
    let mut body = open(address, limits).await.expect("a head").into_body();
    assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"01234"))));
    let error = body.next().await.expect("an error").expect_err("too late");
    assert!(matches!(error, TransportError::TimedOut { timeout, .. } if timeout == limits.timeout), "{error}");
}

#[tokio::test]
async fn a_dropped_body_hangs_up() {
    let (gone, noticed) = tokio::sync::oneshot::channel();
    let (address, _heads) = serve(move |stream| {
        write(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while write(stream, &chunk(&[b'x'; 64 * 1024])) {}
        gone.send(()).expect("the test waits");
    });
    let mut body = open(address, RequestLimits { max_body: usize::MAX, ..LIMITS }).await.expect("a head").into_body();
    assert!(matches!(body.next().await, Some(Ok(_))));
    drop(body);
    assert_eq!(noticed.await, Ok(()));
}
