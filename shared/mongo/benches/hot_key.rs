//! One hot key on a server that speaks MongoDB's protocol: 100,000 operations by 200 reservers, through several pools
//! that stand for several processes. Counts the points granted twice, which must be zero, and prints the speed.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock before and after")]

use std::collections::BTreeSet;
use std::io::{Result as IoResult, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use stint_core::clock::Clock;
use stint_core::ledger::{Ask, CallEnd, HoldId, KeyId, LedgerSettings, Reading, Reservation};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, PortResult};
use stint_host::SystemClock;
use stint_mongo::MongoKeyPool;
use stint_mongo::testing::{TestDatabase, run};

const RESERVERS: usize = 200;
const OPERATIONS: usize = 100_000;
const WINDOW: Duration = Duration::from_secs(3_600);

/// Fewer points than all reservers ask for at once, so that some are refused.
const LIMIT: u64 = 150;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() {
    run(async {
        for processes in [1, 2, 8] {
            let measured = measure(processes).await;
            let _ = report(processes, measured);
        }
    });
}

fn report(processes: usize, measured: Outcome<(usize, f64)>) -> IoResult<()> {
    let mut output = std::io::stdout().lock();
    match measured {
        Ok((granted, rate)) => writeln!(
            output,
            "one key, {RESERVERS} reservers, {processes} pools: {rate:.0} operations/s, {granted} grants, none twice"
        ),
        Err(error) => writeln!(output, "one key, {RESERVERS} reservers, {processes} pools: {error}"),
    }
}

/// Returns the number of grants, and the operations (reserves and settlements) per second.
async fn measure(processes: usize) -> Outcome<(usize, f64)> {
    let database = TestDatabase::new();
    let mut pools = Vec::new();
    for _ in 0..processes {
        pools.push(Arc::new(open(&database).await?));
    }
    read_key(&pools[0]).await?;
    let start = Instant::now();
    let spenders = (0..RESERVERS).map(|number| tokio::spawn(spend(pools[number % processes].clone())));
    let mut granted = Vec::new();
    for outcome in try_join_all(spenders).await? {
        granted.extend(outcome?);
    }
    let rate = OPERATIONS as f64 / start.elapsed().as_secs_f64();
    let distinct = granted.iter().collect::<BTreeSet<_>>().len();
    let held = pools[0].keys().await?[0].held;
    if distinct < granted.len() || !held.is_zero() {
        return Err(format!("{} grants have {distinct} names, and {held} are left", granted.len()).into());
    }
    Ok((granted.len(), rate))
}

async fn open(database: &TestDatabase) -> PortResult<MongoKeyPool> {
    MongoKeyPool::open(&database.connect().await, LedgerSettings::without_reserve(WINDOW), Arc::new(SystemClock)).await
}

async fn read_key(pool: &MongoKeyPool) -> PortResult<()> {
    pool.configure(&[KeyId("hot".into())]).await?;
    if let Some(claim) = pool.claim_reading(Points::ZERO, WINDOW).await? {
        let (limit, received_at) = (Points::whole(LIMIT), SystemClock.now());
        let reading = Reading { limit, spent: Points::ZERO, resets_in: WINDOW, received_at };
        pool.observe(&claim, CallEnd::Answered(reading)).await?;
    }
    Ok(())
}

/// One reserver: reserves a point and settles it, until its share of the operations is done.
async fn spend(pool: Arc<MongoKeyPool>) -> PortResult<Vec<HoldId>> {
    let ask = Ask { messages: vec![vec![Points::whole(1)]], call_timeout: Duration::from_secs(30), priority: false };
    let (mut granted, mut operations) = (Vec::new(), 0);
    while operations < OPERATIONS / RESERVERS {
        operations += 1;
        if let Reservation::Granted(grant) = pool.reserve(&ask).await? {
            pool.settle(&grant.hold, CallEnd::NotBilled).await?;
            operations += 1;
            granted.push(grant.hold);
        }
    }
    Ok(granted)
}
