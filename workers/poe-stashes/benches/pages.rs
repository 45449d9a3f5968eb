//! The path of a page's bytes: looking ahead, compressing and storing, indexing; each compared with an alternative.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock before and after")]

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::executor::block_on;
use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::{Clock, ManualClock};
use stint_core::ports::QueueSettings;
use stint_embedded::{Embedded, Folder, Mode};
use stint_http::Body;
use stint_poe_stashes::indexer::snapshot;
use stint_poe_stashes::look_ahead::{Peek, Peeked, Scan};
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::page_file::{Compressor, Label, read};
use stint_poe_stashes::store::{Index, Objects, Realm, SqliteIndex};
use stint_poe_stashes::writer::{PageToStore, write};
use stint_standins::poe_stashes::Options;
use stint_standins::{PoeStashes, Upstream};

/// The fastest round counts, since the machine has other load.
const ROUNDS: usize = 7;

/// The size of the pieces that a connection delivers.
const PIECE: usize = 16 * 1024;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let pages = pages(8)?;
    let bytes: usize = pages.iter().map(Bytes::len).sum();
    let mut out = std::io::stdout();
    writeln!(out, "{} pages of 2026, {:.1} MB each; MB/s on one core", pages.len(), bytes as f64 / 1e6 / 8.0)?;
    writeln!(out, "peek: the id after {} decoded bytes", peeked(&pages[0]))?;
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;
    writeln!(out, "scan (whole, where to, how many): {:.0}", rate(fastest(|| scan(&pages))))?;
    for level in [-5, -1, 1, 3] {
        let mut stored = 0;
        let seconds = fastest(|| stored = compress(&pages, level));
        writeln!(out, "zstd level {level}: {:.0}, {:.1} to 1", rate(seconds), bytes as f64 / stored as f64)?;
    }
    let folder = tempfile::tempdir()?;
    let mut round = 0;
    let seconds = fastest(|| {
        round += 1;
        store(&pages, &Objects::in_memory(), round);
    });
    writeln!(out, "compress and store, in memory: {:.0}", rate(seconds))?;
    let objects = Objects::in_folder(folder.path())?;
    let seconds = fastest(|| {
        round += 1;
        store(&pages, &objects, round);
    });
    writeln!(out, "compress and store, in a folder, synced: {:.0}", rate(seconds))?;
    index(&pages, &mut out, rate)
}

fn index(pages: &[Bytes], out: &mut impl Write, rate: impl Fn(f64) -> f64) -> Result<(), Failure> {
    let blobs: Vec<Vec<u8>> = pages.iter().enumerate().map(|(number, page)| blob(page, number)).collect();
    let naive = fastest(|| {
        for blob in &blobs {
            let (_, page) = read(blob, usize::MAX >> 1).unwrap_or_else(|error| panic!("{error}"));
            std::hint::black_box(serde_json::from_slice::<Value>(&page).is_ok());
        }
    });
    writeln!(out, "decompress and read as serde_json::Value: {:.0}", rate(naive))?;
    let reading = fastest(|| blobs.iter().for_each(|blob| assert!(snapshot(blob, usize::MAX >> 1).is_ok())));
    writeln!(out, "decompress and read as the indexer does: {:.0}", rate(reading))?;
    let (mut new, mut seen) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let index = SqliteIndex::open(&Folder::open(folder.path(), Mode::Inline)?)?;
        let mut take_over = || {
            for blob in &blobs {
                let (snapshot, _) = snapshot(blob, usize::MAX >> 1).unwrap_or_else(|error| panic!("{error}"));
                block_on(index.apply(snapshot)).unwrap_or_else(|error| panic!("{error}"));
            }
        };
        new = new.min(seconds(&mut take_over));
        seen = seen.min(seconds(&mut take_over));
    }
    writeln!(out, "index, everything new: {:.0}", rate(new))?;
    writeln!(out, "index, seen before: {:.0}", rate(seen))?;
    Ok(())
}

/// Returns pages of the stand-in, some megabytes each.
fn pages(count: usize) -> Result<Vec<Bytes>, Failure> {
    let options =
        Options { items_per_stash: (40, 80), stashes_per_page: 100, stashes: 2_000, ..Options::default() }.instant();
    let mut upstream = PoeStashes::new(options);
    let (mut pages, mut id) = (Vec::new(), upstream.beginning());
    let token = token(&mut upstream)?;
    while pages.len() < count {
        let request = http::Request::get(format!("http://localhost/public-stash-tabs?id={id}"))
            .header("user-agent", "OAuth bench/1 (contact: bench@example.com)")
            .header("authorization", format!("Bearer {token}"))
            .body(Bytes::new())?;
        let now = Timestamp::from_second(10 * pages.len() as i64)?;
        let page = upstream.handle(now, &request).response.into_body();
        let mut scan = Scan::default();
        scan.feed(&page);
        id = scan.finish()?.next.to_string();
        pages.push(page);
    }
    Ok(pages)
}

fn token(upstream: &mut PoeStashes) -> Result<String, Failure> {
    let Options { client_id, client_secret, .. } = upstream.options().clone();
    let form = format!(
        "client_id={client_id}&client_secret={client_secret}&grant_type=client_credentials&scope=service:psapi"
    );
    let request = http::Request::post("http://localhost/oauth/token")
        .header("user-agent", "OAuth bench/1 (contact: bench@example.com)")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))?;
    let answer: Value = serde_json::from_slice(upstream.handle(Timestamp::UNIX_EPOCH, &request).response.body())?;
    Ok(answer["access_token"].as_str().ok_or("no token")?.to_owned())
}

/// Returns how many bytes are needed to know the next id.
fn peeked(page: &[u8]) -> usize {
    let mut peek = Peek::default();
    page.iter().take_while(|byte| peek.feed(&[**byte]) == Peeked::NotYet).count() + 1
}

fn scan(pages: &[Bytes]) {
    for page in pages {
        let mut scan = Scan::default();
        page.chunks(PIECE).for_each(|piece| scan.feed(piece));
        assert!(scan.finish().is_ok());
    }
}

fn label(number: usize) -> Label {
    Label::new(Realm::Pc, ChangeId::new([number as u64; 5]), Timestamp::UNIX_EPOCH)
}

fn blob(page: &Bytes, number: usize) -> Vec<u8> {
    compressed(page, number, stint_poe_stashes::page_file::LEVEL)
}

fn compressed(page: &Bytes, number: usize, level: i32) -> Vec<u8> {
    let compressed = || -> std::io::Result<Vec<u8>> {
        let mut compressor = Compressor::new(&label(number), level)?;
        let mut blob = Vec::new();
        for piece in page.chunks(PIECE) {
            blob.extend(compressor.feed(piece)?.into_iter().flatten());
        }
        blob.extend(compressor.finish()?.0);
        Ok(blob)
    };
    compressed().unwrap_or_else(|error| panic!("{error}"))
}

fn compress(pages: &[Bytes], level: i32) -> usize {
    pages.iter().map(|page| compressed(page, 0, level).len()).sum()
}

/// Stores pages as the follower does: takes pieces from a connection, scans and compresses them, and commits them under
/// a new name.
fn store(pages: &[Bytes], objects: &Objects, round: usize) {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let embedded = Embedded::in_memory(clock).unwrap_or_else(|error| panic!("{error}"));
    let settings = QueueSettings { visibility_timeout: std::time::Duration::from_secs(1), max_receives: 1 };
    let queue = embedded.queue("bench", settings);
    for (number, page) in pages.iter().enumerate() {
        let pieces: Vec<_> = page.chunks(PIECE).map(|piece| Ok(page.slice_ref(piece))).collect();
        let body = Body::new(futures::stream::iter(pieces), "bench".to_owned(), usize::MAX);
        let label = label(round * 1_000_000 + number);
        let incoming = PageToStore { label, header: None, first: Vec::new(), body };
        let written = block_on(write(incoming, objects, &*queue));
        assert!(written.is_ok_and(|written| written.put == Some(stint_poe_stashes::store::Put::Stored)));
    }
}

/// Returns the seconds of the fastest round.
fn fastest(mut work: impl FnMut()) -> f64 {
    (0..ROUNDS).map(|_| seconds(&mut work)).fold(f64::INFINITY, f64::min)
}

fn seconds(work: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
