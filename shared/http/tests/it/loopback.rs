//! The production transport against real sockets that behave badly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use stint_http::{RequestLimits, ReqwestTransport, Transport, TransportError};

pub(crate) const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(30), max_body: 1024 * 1024 };

/// Serves one connection: reads the head of one request, then calls `respond`.
pub(crate) fn serve(respond: impl FnOnce(&mut TcpStream) + Send + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let (sender, heads) = channel();
    thread::spawn(move || {
        let mut stream = accept(&listener, &sender);
        respond(&mut stream);
    });
    (address, heads)
}

/// Serves as many connections as there are answers, one after the other, and closes each after its answer.
pub(crate) fn serve_all(answers: impl IntoIterator<Item = String>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let (sender, heads) = channel();
    let answers: Vec<String> = answers.into_iter().collect();
    thread::spawn(move || {
        for answer in answers {
            write(&mut accept(&listener, &sender), answer.as_bytes());
        }
    });
    (address, heads)
}

/// Accepts the next connection, reads the head of a request, and sends it in lower case to `heads`.
fn accept(listener: &TcpListener, heads: &Sender<String>) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("accept");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    // A test that does not need the head has dropped the receiver.
    let _ = heads.send(String::from_utf8_lossy(&head).to_lowercase());
    stream
}

/// Writes `bytes`. The client may have closed the connection by then, as some of the tests intend.
pub(crate) fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

/// Keeps the connection open until the client closes it.
pub(crate) fn hang(stream: &mut TcpStream) {
    while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
}

async fn get(address: SocketAddr, limits: RequestLimits) -> Result<http::Response<Bytes>, TransportError> {
    let transport = ReqwestTransport::new("stint/0 (+https://stint.example)").expect("transport");
    let url = format!("http://user:pa55word@{address}/path?token=pa55word");
    transport.send(http::Request::get(url).body(Bytes::new()).expect("request"), limits).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("write");
    encoder.finish().expect("finish")
}

pub(crate) fn gzip_answer(bytes: &[u8]) -> Vec<u8> {
    let body = gzip(bytes);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

#[tokio::test]
async fn an_answer_is_decompressed_and_the_client_says_who_it_is() {
    let (address, heads) = serve(|stream| assert!(write(stream, &gzip_answer(b"hello"))));
    let answer = get(address, LIMITS).await.expect("answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.body(), "hello");
    let head = heads.recv().expect("head");
    assert!(head.contains("user-agent: stint/0 (+https://stint.example)\r\n"), "{head}");
    assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
}

#[tokio::test]
async fn the_user_in_an_address_is_sent_in_a_header_alone() {
    for (own, expected) in [(None, "Basic bWVAaG9tZTphK2IvYyZk"), (Some("Bearer own"), "Bearer own")] {
        let (address, heads) = serve(|stream| assert!(write(stream, &gzip_answer(b"hello"))));
        let mut request = http::Request::get(format!("http://me%40home:a+b%2Fc&d@{address}/path"));
        if let Some(own) = own {
            request = request.header("authorization", own);
        }
        let transport = ReqwestTransport::new("stint/0").expect("transport");
        transport.send(request.body(Bytes::new()).expect("request"), LIMITS).await.expect("answer");
        let head = heads.recv().expect("head");
        assert!(head.contains(&format!("authorization: {}\r\n", expected.to_lowercase())), "{head}");
        assert!(head.starts_with("get /path http/1.1\r\n") && !head.contains("me%40home"), "{head}");
    }
}

#[tokio::test]
async fn a_user_that_fits_no_header_is_neither_sent_nor_shown() {
    let transport = ReqwestTransport::new("stint/0").expect("transport");
    let request = http::Request::get("http://%ff:pa55word@127.0.0.1:9/path").body(Bytes::new()).expect("request");
    let error = transport.send(request, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("user name") && !format!("{error:?}").contains("pa55word"), "{error:?}");
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_fits() {
    let (address, _heads) = serve(|stream| assert!(write(stream, &gzip_answer(&vec![b'x'; LIMITS.max_body]))));
    assert_eq!(get(address, LIMITS).await.expect("answer").body().len(), LIMITS.max_body);
}

#[tokio::test]
async fn a_gzip_bomb_hits_the_cap() {
    let bomb = gzip_answer(&vec![0; 32 * 1024 * 1024]);
    assert!(bomb.len() < LIMITS.max_body);
    let (address, _heads) = serve(move |stream| {
        write(stream, &bomb);
    });
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::TooLarge { max_body, .. } if max_body == LIMITS.max_body), "{error}");
}

#[tokio::test]
async fn an_endless_body_hits_the_cap() {
    let (address, _heads) = serve(|stream| {
        write(stream, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while write(stream, &[b'x'; 64 * 1024]) {}
    });
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_announced_length_over_the_cap_is_not_read_at_all() {
    let (address, _heads) = serve(|stream| {
        write(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
        hang(stream);
    });
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_never_ends_hits_the_time_out() {
    let (address, _heads) = serve(|stream| {
        write(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
        hang(stream);
    });
    let timeout = Duration::from_millis(50);
    let error = get(address, RequestLimits { timeout, ..LIMITS }).await.expect_err("error");
    assert_eq!(error, TransportError::TimedOut { host: address.to_string(), timeout });
}

#[tokio::test]
async fn silence_hits_the_time_out() {
    let (address, _heads) = serve(hang);
    let timeout = Duration::from_millis(50);
    let error = get(address, RequestLimits { timeout, ..LIMITS }).await.expect_err("error");
    assert_eq!(error, TransportError::TimedOut { host: address.to_string(), timeout });
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_broken() {
    let (address, _heads) = serve(|stream| {
        write(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
    });
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    assert!(!error.to_string().contains("pa55word"), "{error}");
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_broken_because_it_was_seen() {
    let (address, heads) = serve(|_| {});
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    assert!(heads.recv().is_ok());
}

#[tokio::test]
async fn what_is_no_gzip_is_broken() {
    let (address, _heads) = serve(|stream| {
        write(stream, b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello");
    });
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let error = get(address, LIMITS).await.expect_err("error");
    assert!(matches!(&error, TransportError::Unreachable { host, .. } if *host == address.to_string()), "{error}");
    assert!(!error.to_string().contains("pa55word"), "{error}");
}

#[tokio::test]
async fn an_address_that_is_none_is_unreachable() {
    let transport = ReqwestTransport::new("stint/0").expect("transport");
    let request = http::Request::get("/no-host").body(Bytes::new()).expect("request");
    let error = transport.send(request, LIMITS).await.expect_err("error");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let (address, heads) = serve(|stream| {
        write(stream, b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
    });
    let answer = get(address, LIMITS).await.expect("answer");
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "/elsewhere");
    assert!(heads.recv().is_ok());
    assert!(heads.recv().is_err(), "a second request");
}

#[test]
fn a_user_agent_that_is_no_header_is_said_at_once() {
    let error = ReqwestTransport::new("stint\n").expect_err("error");
    assert!(error.to_string().starts_with("cannot set up the HTTP client: "), "{error}");
}

/// The environment belongs to the whole test process, so a child process with proxies in its environment runs the test.
#[test]
fn proxies_of_the_environment_are_not_used() {
    let mut command = Command::new(std::env::current_exe().expect("path of the tests"));
    command.args(["--exact", "loopback::an_answer_is_decompressed_and_the_client_says_who_it_is"]);
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(variable, "http://127.0.0.1:1");
    }
    let output = command.env_remove("no_proxy").env_remove("NO_PROXY").stderr(Stdio::piped()).output().expect("run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
