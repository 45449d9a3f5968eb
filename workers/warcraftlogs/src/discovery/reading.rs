//! Parses a page on another thread and with a time limit, so that nothing else has to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use stint_core::clock::Clock;
use tokio::runtime::Handle;

use super::parse::{ParsedPage, parse, parse_until_cancelled};

/// Time limit for parsing a page. A page of 100 rows takes less than a thousandth of a second, and the largest accepted
/// page a tenth, on an otherwise idle machine.
pub(super) const READING_TIME: Duration = Duration::from_secs(5);

/// Parses `html` on its own thread. In a simulation, which has no runtime and one thread, it is parsed directly.
pub(super) async fn read(html: Bytes, clock: &dyn Clock) -> ParsedPage {
    let Ok(runtime) = Handle::try_current() else { return parse(&html) };
    let over = Arc::new(AtomicBool::new(false));
    let is_over = over.clone();
    let reading = runtime.spawn_blocking(move || parse_until_cancelled(&html, || !is_over.load(Ordering::Relaxed)));
    match select(reading, clock.sleep(READING_TIME)).await {
        Either::Left((read, _)) => read.unwrap_or(ParsedPage::TimedOut),
        Either::Right(_) => {
            over.store(true, Ordering::Relaxed);
            ParsedPage::TimedOut
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use stint_core::clock::ManualClock;

    use super::super::RankingPage;
    use super::*;

    #[tokio::test]
    async fn a_page_is_read_beside_a_runtime_and_without_one() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let page = Bytes::from_static(b"<table><tr id=row-1><td><a href=/character/id/7>x</table>");
        let expected = RankingPage { players: vec![7], rows: 1, by_name: 0, more: false };
        assert_eq!(read(page.clone(), &clock).await, ParsedPage::Table(expected.clone()));
        let without = std::thread::spawn(move || futures::executor::block_on(read(page, &clock)));
        assert_eq!(without.join().unwrap(), ParsedPage::Table(expected));
    }
}
