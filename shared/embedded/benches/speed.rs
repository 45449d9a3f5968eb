//! The speed of the durable adapters, and how often the disk can sync in the same minute: one line per figure.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock before and after")]

use std::fs::File;
use std::future::Future;
use std::io::{Result as IoResult, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stint_core::clock::{Clock, ManualClock};
use stint_core::ledger::{Ask, CallEnd, KeyId, LedgerSettings, Reading, Reservation};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, MAX_BATCH, NewMessage, PortResult, Queue, QueueSettings};
use stint_embedded::{Embedded, Mode, SqliteKeyPool, SqliteQueue};

const SPAN: Duration = Duration::from_secs(3);
const CONSUMERS: usize = 8;
const RESERVERS: usize = 1_000;
const BACKLOG: usize = 1_000_000;
const WINDOW: Duration = Duration::from_secs(3_600);

/// A message of the rank-fetcher.
const BODY: &str = r#"{"id": 57147396, "raidsToScrap": {"26": [3, 4, 5]}}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse()?);
    let embedded = Embedded::open(home.path(), Mode::Shared, Arc::new(clock.clone()))?;
    // `cargo bench` adds its own arguments, which start with a dash.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    report("disk, one page and a sync", "syncs/s", syncs(home.path())?)?;
    if wanted("queue") {
        runtime.block_on(measure_queue(&embedded))?;
    }
    if wanted("key") {
        runtime.block_on(measure_key(&embedded, clock))?;
    }
    report("disk, one page and a sync, again", "syncs/s", syncs(home.path())?)?;
    Ok(())
}

async fn measure_queue(embedded: &Embedded) -> Result<(), Box<dyn std::error::Error>> {
    let unit = "messages/s sent, received and deleted";
    let settings = QueueSettings { visibility_timeout: Duration::from_secs(60), max_receives: 3 };
    let queue = embedded.queue("short", settings);
    let figure = measure(CONSUMERS, move || pass_messages(queue.clone())).await?;
    report("queue, 8 consumers, batches of 10", unit, figure)?;
    let queue = embedded.queue("long", settings);
    fill(&queue).await?;
    let figure = measure(CONSUMERS, move || pass_messages(queue.clone())).await?;
    report("the same with a million waiting", unit, figure)?;
    Ok(())
}

async fn measure_key(embedded: &Embedded, clock: ManualClock) -> Result<(), Box<dyn std::error::Error>> {
    let pool = hot_key(embedded, &clock).await?;
    let figure = measure(RESERVERS, move || spend(pool.clone(), clock.now())).await?;
    report("one key, 1,000 reservers", "reserves and settles/s", figure)?;
    Ok(())
}

fn report(what: &str, unit: &str, figure: f64) -> IoResult<()> {
    writeln!(std::io::stdout(), "{what}: {figure:.0} {unit}")
}

fn syncs(folder: &Path) -> IoResult<f64> {
    let mut file = File::create(folder.join("sync"))?;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0x55; 4_096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// Runs rounds in `tasks` tasks for a while, and returns how much they did per second.
async fn measure<R>(
    tasks: usize,
    start_round: impl Fn() -> R + Clone + Send + Sync + 'static,
) -> Result<f64, Box<dyn std::error::Error>>
where
    R: Future<Output = PortResult<u64>> + Send + 'static,
{
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let (done, start_round) = (done.clone(), start_round.clone());
            tokio::spawn(async move {
                while start.elapsed() < SPAN {
                    done.fetch_add(start_round().await?, Ordering::Relaxed);
                }
                PortResult::Ok(())
            })
        })
        .collect();
    for task in running {
        task.await??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

async fn pass_messages(queue: Arc<SqliteQueue>) -> PortResult<u64> {
    queue.send(&vec![NewMessage::new(BODY); MAX_BATCH]).await?;
    let received = queue.receive(MAX_BATCH).await?;
    let receipts: Vec<_> = received.into_iter().map(|delivery| delivery.receipt).collect();
    queue.acknowledge(&receipts).await?;
    Ok(receipts.len() as u64)
}

async fn fill(queue: &Arc<SqliteQueue>) -> PortResult<()> {
    let batch = vec![NewMessage::new(BODY); MAX_BATCH];
    for _ in 0..BACKLOG / MAX_BATCH / 100 {
        futures::future::try_join_all((0..100).map(|_| queue.send(&batch))).await?;
    }
    Ok(())
}

async fn hot_key(embedded: &Embedded, clock: &ManualClock) -> PortResult<Arc<SqliteKeyPool>> {
    let pool = embedded.key_pool(LedgerSettings::without_reserve(WINDOW))?;
    pool.configure(&[KeyId("hot".into())]).await?;
    if let Some(claim) = pool.claim_reading(Points::ZERO, WINDOW).await? {
        pool.observe(&claim, CallEnd::Answered(reading(clock.now()))).await?;
    }
    Ok(pool)
}

fn reading(received_at: jiff::Timestamp) -> Reading {
    Reading { limit: Points::whole(1_000_000), spent: Points::whole(1), resets_in: WINDOW, received_at }
}

async fn spend(pool: Arc<SqliteKeyPool>, now: jiff::Timestamp) -> PortResult<u64> {
    let ask = Ask { messages: vec![vec![Points::whole(20)]], call_timeout: Duration::from_secs(30), priority: false };
    let Reservation::Granted(grant) = pool.reserve(&ask).await? else { return Ok(0) };
    pool.settle(&grant.hold, CallEnd::Answered(reading(now))).await?;
    Ok(1)
}
