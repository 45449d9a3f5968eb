//! Parses a ranking page of 100 rows: compares Stint's parser with `scraper`, a well-maintained one with CSS selectors.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock before and after")]

use std::io::Write;
use std::sync::LazyLock;
use std::time::Instant;

use jiff::Timestamp;
use scraper::{Html, Selector};
use stint_core::points::Points;
use stint_standins::warcraftlogs::Options;
use stint_standins::{Upstream, WarcraftLogs};
use stint_warcraftlogs::discovery::{ParsedPage, parse};

/// Times that each round parses the page; the fastest round counts, since other processes share the machine.
const TIMES: u32 = 200;
const ROUNDS: u32 = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let page = page()?;
    let ours = || match parse(page.as_bytes()) {
        ParsedPage::Table(table) => table.players.len(),
        _ => 0,
    };
    let theirs = || by_selectors(&page);
    assert_eq!(ours(), theirs(), "both find the same players");
    let (players, bytes) = (ours(), page.len());
    let (ours, theirs) = (measure(ours), measure(theirs));
    let mut out = std::io::stdout();
    writeln!(out, "ranking page, {players} players, {bytes} bytes: {ours:.0} µs")?;
    writeln!(out, "the same by scraper: {theirs:.0} µs, {:.1} times ours", theirs / ours)?;
    Ok(())
}

fn page() -> Result<String, Box<dyn std::error::Error>> {
    let limits = [Points::whole(3600)];
    let options = Options::with_keys(1, 2_000, &limits, std::time::Duration::from_secs(3600), Timestamp::UNIX_EPOCH);
    let mut upstream = WarcraftLogs::new(options);
    let request = http::Request::get(
        "http://localhost/zone/rankings/table/26/playerspeed/-1/4/10/5/Any/Any/0/0/0/0/0/?search=&page=1",
    )
    .header("referer", "http://localhost/")
    .body(bytes::Bytes::new())?;
    let reply = upstream.handle(Timestamp::UNIX_EPOCH, &request);
    Ok(String::from_utf8(reply.response.into_body().to_vec())?)
}

fn by_selectors(page: &str) -> usize {
    static ROWS: LazyLock<Option<Selector>> =
        LazyLock::new(|| Selector::parse(r#"tr[id^="row-"] a[href*="/character/id/"]"#).ok());
    ROWS.as_ref().map_or(0, |rows| Html::parse_document(page).select(rows).count())
}

/// Microseconds per call, in the fastest round.
fn measure(work: impl Fn() -> usize) -> f64 {
    let round = || {
        let start = Instant::now();
        (0..TIMES).for_each(|_| assert!(std::hint::black_box(work()) > 0));
        start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
