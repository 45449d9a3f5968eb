//! Server-sent events as a body.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::stream::{self, BoxStream, StreamExt};
use stint_core::clock::Clock;
use stint_core::http::ServerEvent;
use stint_core::worker::WorkerError;

/// After how long without an event a comment is sent. Proxies close connections that are silent for a minute.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Encodes events, with comments between those that are far apart.
pub(super) fn encoded(
    events: BoxStream<'static, Result<ServerEvent, WorkerError>>,
    clock: Arc<dyn Clock>,
) -> BoxStream<'static, Result<Bytes, WorkerError>> {
    let next = async |(mut events, clock): (BoxStream<'static, Result<ServerEvent, WorkerError>>, Arc<dyn Clock>)| {
        let piece = match select(events.next(), clock.sleep(KEEP_ALIVE_EVERY)).await {
            Either::Left((event, _)) => event?.map(|event| Bytes::from(event.encode())),
            Either::Right(_) => Ok(Bytes::from_static(ServerEvent::KEEP_ALIVE.as_bytes())),
        };
        Some((piece, (events, clock)))
    };
    stream::unfold((events, clock), next).boxed()
}

#[cfg(test)]
mod tests {
    use stint_core::clock::ManualClock;
    use stint_testkit::drive;

    use super::*;

    #[test]
    fn silence_is_filled_with_comments() {
        let clock = ManualClock::new(jiff::Timestamp::UNIX_EPOCH);
        let late = clock.sleep(Duration::from_secs(40));
        let events = stream::once(async move {
            late.await;
            Ok(ServerEvent::new("1", "late"))
        });
        let body = drive(&clock, encoded(events.boxed(), Arc::new(clock.clone())).collect::<Vec<_>>());
        let text: Vec<String> =
            body.into_iter().map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap()).collect();
        assert_eq!(text, [": keep-alive\n\n", ": keep-alive\n\n", "id: 1\ndata: late\n\n"]);
    }
}
