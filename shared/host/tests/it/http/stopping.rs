//! A host that is stopped finishes what it serves.

use std::net::TcpStream;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use stint_core::http::{Response, Route, ServerEvent};
use stint_core::registry::Registry;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};
use stint_host::http::ServerLimits;
use stint_testkit::http::http_registry;

use super::world::RunningHost;

/// Sends one event and then waits for ever.
struct EndlessWorker;

impl Worker for EndlessWorker {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "endless",
        summary: "sends events",
        triggers: &[Trigger::Http(&[Route::get("/endless", "sends events")])],
        concurrency: 4,
        timeout: Duration::from_secs(5),
    };

    async fn run(&self, _: Event, _: &Invocation) -> Result<Outcome, WorkerError> {
        let events = stream::iter([Ok(ServerEvent::new("1", "first"))]).chain(stream::pending());
        Ok(Outcome::response(Response::events(events)))
    }
}

#[test]
fn requests_that_were_received_are_served_and_no_others() {
    let mut host = RunningHost::serving(http_registry(), ServerLimits::default());
    let mut client = host.connect();
    client.write(b"GET /slow HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
    // Another request is served, so the first one was received.
    assert_eq!(host.connect().get("/echo/1", &[]).unwrap().status, 200);
    let mut idle = host.connect();
    host.stop();
    assert_eq!(client.receive(false).unwrap().status, 504);
    assert!(idle.get("/echo/1", &[]).is_err() && TcpStream::connect(host.address).is_err());
}

#[test]
fn an_event_stream_ends_between_two_events() {
    let mut host = RunningHost::serving(Registry::new().with(EndlessWorker), ServerLimits::default());
    let mut client = host.connect();
    client.write(b"GET /endless HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
    assert_eq!(client.receive_head().unwrap().0, 200);
    assert_eq!(client.receive_chunk().unwrap().unwrap(), b"id: 1\ndata: first\n\n");
    host.stop();
    assert_eq!(client.receive_chunk().unwrap(), None, "the stream has an end");
}

#[test]
fn what_is_not_done_at_the_end_of_the_drain_is_broken_off() {
    let limits = ServerLimits { drain_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let mut host = RunningHost::serving(http_registry(), limits);
    let mut reader = host.connect();
    reader.write("GET /large HTTP/1.1\r\nhost: test.example\r\n\r\n".repeat(8).as_bytes()).unwrap();
    assert_eq!(reader.receive_head().unwrap().0, 200);
    host.stop();
    let received = reader.read_to_end().unwrap_or(0);
    assert!(received < 8 * 7 * 1024 * 1024, "{received}");
}
