//! A slow caller does not hold up other callers, and is disconnected.

use std::time::Duration;

use stint_core::clock::Clock;
use stint_host::SystemClock;
use stint_host::http::ServerLimits;
use stint_testkit::http::{HttpClient, http_registry};

use super::world::RunningHost;

const SHORT: Duration = Duration::from_millis(600);

fn limits() -> ServerLimits {
    ServerLimits { head_timeout: SHORT, body_timeout: SHORT, write_timeout: SHORT, ..ServerLimits::default() }
}

fn is_served(host: &RunningHost) {
    assert_eq!(host.connect().get("/echo/1", &[]).unwrap().status, 200);
}

/// Sends a byte at a time until the connection is closed, and returns how many bytes were sent.
async fn drip(mut client: HttpClient, bytes: &[u8], host: &RunningHost) -> usize {
    for (sent, byte) in bytes.iter().enumerate() {
        if client.write(&[*byte]).is_err() {
            return sent;
        }
        is_served(host);
        SystemClock.sleep(SHORT / 6).await;
    }
    bytes.len()
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let host = RunningHost::serving(http_registry(), limits());
    let head = b"GET /echo/1 HTTP/1.1\r\nhost: test.example\r\n\r\n";
    let sent = drip(host.connect(), head, &host).await;
    assert!(sent < head.len(), "the connection was closed");
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_refused() {
    let host = RunningHost::serving(http_registry(), limits());
    let mut client = host.connect();
    client.write(b"POST /echo/1 HTTP/1.1\r\nhost: test.example\r\ncontent-length: 100\r\n\r\n").unwrap();
    for _ in 0..3 {
        client.write(b"x").unwrap();
        is_served(&host);
        SystemClock.sleep(SHORT / 6).await;
    }
    let refused = client.receive(false).unwrap();
    assert_eq!((refused.error().0, refused.header("connection")), (408, Some("close")));
}

#[tokio::test]
async fn a_caller_that_reads_nothing_is_disconnected() {
    let host = RunningHost::serving(http_registry(), limits());
    let mut client = host.connect();
    // More than the socket's buffers hold.
    let requests = 8;
    client.write("GET /large HTTP/1.1\r\nhost: test.example\r\n\r\n".repeat(requests).as_bytes()).unwrap();
    for _ in 0..10 {
        is_served(&host);
        SystemClock.sleep(SHORT / 4).await;
    }
    // An error is a connection that was reset.
    let received = client.read_to_end().unwrap_or(0);
    assert!(received < requests * 7 * 1024 * 1024, "{received}");
    is_served(&host);
}
