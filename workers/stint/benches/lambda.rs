//! Measures how long the package takes from its start until it asks for its first event, and how much memory it then
//! uses. Each worker is started in turn, with a deployment's settings, under a Runtime API. Run by `scripts/bench
//! lambda`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and stops at the first surprise")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stint_core::clock::Clock;
use stint_host::SystemClock;
use stint_runtime_api::{Launch, ProcessFunction, Started};

const WORKERS: [&str; 6] = ["discover", "aggregator", "rank-fetcher", "refresher", "reviver", "db-generator"];

/// Starts of each worker. The first start is not counted, because it loads the program from disk.
const STARTS: usize = 21;

/// The limits that the design promises.
const READY_WITHIN: Duration = Duration::from_millis(25);
const RESIDENT_KB: u64 = 30 * 1024;

/// The settings that infra/ sets. The worker contacts no server before its first event, so none needs to run.
const SETTINGS: [(&str, &str); 10] = [
    ("AWS_REGION", "eu-west-1"),
    ("STINT_PROFILE", "aws"),
    ("STINT_HOME", "/tmp/stint"),
    ("STINT_AWS_FUNCTION", "arn:aws:lambda:eu-west-1:123456789012:function:stint-{fleet}-{worker}"),
    ("STINT_AWS_SCHEDULER_ROLE", "arn:aws:iam::123456789012:role/stint-wakeups"),
    ("STINT_AWS_SECRETS", "/stint/warcraftlogs/MONGODB_URI,/stint/warcraftlogs/WCL_KEYS"),
    ("STINT_LOG", "info"),
    ("STINT_LOG_FORMAT", "json"),
    ("LUA_REPOSITORY", "https://example.org/databases.git"),
    ("MIMALLOC_ALLOW_THP", "0"),
];

fn main() {
    #[expect(clippy::disallowed_methods, reason = "a measurement's own setting")]
    let program = std::env::var("STINT_BOOTSTRAP").expect("STINT_BOOTSTRAP names the package's bootstrap");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{:<14} {:>12} {:>12} {:>12}", "worker", "median, ms", "slowest, ms", "resident, MB");
    let mut kept = true;
    for worker in WORKERS {
        let mut started = runtime.block_on(start(worker, &program));
        started.sort_by_key(|started| started.ready_after);
        let (median, slowest) = (started[started.len() / 2], started[started.len() - 1]);
        let resident_kb = started.iter().map(|started| started.resident_kb).max().unwrap_or_default();
        let millis = |started: Started| started.ready_after.as_secs_f64() * 1_000.0;
        let resident = resident_kb as f64 / 1024.0;
        println!("{worker:<14} {:>12.1} {:>12.1} {resident:>12.1}", millis(median), millis(slowest));
        kept &= median.ready_after <= READY_WITHIN && (worker == "db-generator" || resident_kb <= RESIDENT_KB);
    }
    println!("promised: 25 ms, 30 MB but for db-generator: {}", if kept { "kept" } else { "NOT kept" });
}

async fn start(worker: &str, program: &str) -> Vec<Started> {
    let own = ("STINT_WORKER", format!("warcraftlogs/{worker}"));
    let mut variables: Vec<(String, String)> =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    variables.push((own.0.to_owned(), own.1));
    let launch = Launch { program: PathBuf::from(program), variables, timeout: Duration::from_secs(10) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let function = ProcessFunction::new(launch, 1, clock);
    for _ in 0..STARTS {
        function.start().await.unwrap();
        function.terminate().await;
    }
    function.starts().split_off(1)
}
