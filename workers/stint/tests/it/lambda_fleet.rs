//! Runs the fleet as Lambda functions: the real binary under the name of Lambda's bootstrap, with its upstream and its
//! callers.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use serde_json::{Value, json};
use stint_core::clock::Clock;
use stint_core::worker::{StopSignal, WorkerSpec};
use stint_host::SystemClock;
use stint_runtime_api::{EventSourceMapping, Launch, PollStats, ProcessFunction, Source};
use tempfile::TempDir;

use crate::kill::upstream;
use crate::upstream::Upstream;

/// The time-out of everything that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(240);

/// The time between two readings while a test waits.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The number of consecutive polls without a message after which a mapping counts as idle.
const IDLE: u64 = 5;

/// A fleet with its own folder.
pub(crate) struct LambdaFleet {
    folder: TempDir,
    pub(crate) upstream: Upstream,
    /// The environment of the functions and of the operator.
    variables: Vec<(String, String)>,
    /// The variables that only the operator gets. The functions read them from parameters.
    secrets: Vec<&'static str>,
    parameters: String,
}

/// The final state of a fleet.
pub(crate) struct Ended {
    pub(crate) discovered: BTreeSet<u64>,
    pub(crate) polled: PollStats,
    pub(crate) log: Vec<String>,
}

/// Runs a test with a time-out.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match select(Box::pin(test), SystemClock.sleep(TIMEOUT)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => panic!("not done within {} s", TIMEOUT.as_secs()),
        }
    })
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Returns the event that a schedule sends.
pub(crate) fn tick(worker: &str) -> Value {
    json!({ "wakeup": format!("start-{worker}"), "worker": format!("warcraftlogs/{worker}"), "due": SystemClock.now() })
}

impl LambdaFleet {
    /// Starts a stand-in for `players` with an empty folder. The fleet's settings refer to both, and include
    /// `variables`.
    pub(crate) fn start(players: &str, variables: &[(&str, &str)]) -> LambdaFleet {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stint"), folder.path().join("bootstrap")).unwrap();
        let upstream = upstream(players);
        let home = folder.path().join("home");
        let mut all = vec![("STINT_HOME".to_owned(), home.to_str().unwrap().to_owned())];
        for name in ["wcl_api_url", "wcl_token_url", "wcl_site_url", "wcl_keys"] {
            all.push((name.to_uppercase(), upstream.setting(name).to_owned()));
        }
        let fixed = [
            ("WCL_WINDOW_SECONDS", "6"),
            ("WCL_CALL_TIMEOUT_SECONDS", "1"),
            ("WCL_VISIBILITY_SECONDS", "30"),
            ("WCL_PAGE_INTERVAL_MS", "0"),
            ("CONCURRENCY_LIMIT", "4"),
            ("QUEUE_HOURS", "0"),
        ];
        all.extend(fixed.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        LambdaFleet { folder, upstream, variables: all, secrets: Vec::new(), parameters: String::new() }
    }

    /// Withholds secrets from the functions, so that they must read them from SSM parameters.
    pub(crate) fn with_secrets(self, secrets: &[&'static str], parameters: &str) -> LambdaFleet {
        LambdaFleet { secrets: secrets.to_vec(), parameters: parameters.to_owned(), ..self }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.file("home")
    }

    pub(crate) fn bootstrap(&self) -> PathBuf {
        self.file("bootstrap")
    }

    /// Returns the function of a worker, with further settings.
    pub(crate) fn function(
        &self,
        worker: &WorkerSpec,
        timeout: Duration,
        further: &[(&str, &str)],
    ) -> Arc<ProcessFunction> {
        let mut variables = self.variables.clone();
        variables.retain(|(name, _)| !self.secrets.contains(&name.as_str()));
        if !self.secrets.is_empty() {
            variables.push(("STINT_AWS_SECRETS".to_owned(), self.parameters.clone()));
        }
        let name = format!("{}/{}", worker.fleet, worker.name);
        // As infra/ sets them.
        let own = [
            ("STINT_WORKER", name.as_str()),
            ("STINT_LOG", "info"),
            ("STINT_LOG_FORMAT", "json"),
            ("MIMALLOC_ALLOW_THP", "0"),
        ];
        variables.extend(own.iter().chain(further).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let launch = Launch { program: self.bootstrap(), variables, timeout };
        ProcessFunction::new(launch, worker.concurrency, clock())
    }

    /// Returns a file beside the fleet's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a command with the fleet's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
        command.env_clear().envs(self.variables.iter().cloned()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Returns the output of an operator's command.
    pub(crate) fn stint(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn ids(&self, collection: &str) -> BTreeSet<u64> {
        let lines = self.stint(&["data", "export", "wcl", collection, "-"]);
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["_id"].as_u64().unwrap()).collect()
    }

    pub(crate) fn add_rules(&self, difficulties: &str) {
        let rule = ["wcl", "rules", "add", "--raid", "26", "--difficulty", difficulties, "--start-page", "1"];
        self.stint(&[&rule[..], &["--end-page", "60"]].concat());
    }

    /// Takes the fleet from discovery to databases. Schedules call the functions of their workers, and a mapping from
    /// `source` calls the rank fetcher.
    pub(crate) async fn run_to_databases<S: Source>(&self, workers: &Workers, source: S) -> Ended {
        self.add_rules("3,4");
        while workers.discover.invoke(tick("discover")).await.unwrap()["rule"].is_string() {}
        let discovered = self.ids("discovers");
        assert!(discovered.len() > 50, "only {} players were discovered", discovered.len());
        let queued = workers.aggregator.invoke(tick("aggregator")).await.unwrap();
        assert_eq!(queued["queued"], discovered.len(), "{queued}");
        // The reviver's schedule fires before anything is received, so that the operator's limit applies from the
        // start.
        workers.reviver.invoke(tick("reviver")).await.unwrap();
        let poller = EventSourceMapping::new(source, workers.rank_fetcher.clone(), 5, clock());
        let stop = StopSignal::default();
        let served = async {
            self.serve(workers, &poller, &discovered).await;
            stop.set();
        };
        futures::join!(poller.run(&stop), served);
        let generated = workers.db_generator.invoke(tick("db-generator")).await.unwrap();
        let in_databases: u64 =
            generated["regions"].as_array().unwrap().iter().map(|region| region["players"].as_u64().unwrap()).sum();
        assert_eq!(in_databases, self.ids("players").len() as u64, "{generated}");
        let all = [&workers.discover, &workers.aggregator, &workers.rank_fetcher, &workers.reviver];
        let log = all.into_iter().flat_map(|function| function.take_log()).collect();
        Ended { discovered, polled: poller.polled(), log }
    }

    /// Completes when every player has ranks, or is known to have none. Whenever the queue is idle, the reviver's
    /// schedule fires.
    async fn serve<S: Source>(&self, workers: &Workers, poller: &EventSourceMapping<S>, discovered: &BTreeSet<u64>) {
        loop {
            let (ranked, dropped) = (self.ids("players"), self.ids("dropped"));
            if discovered.iter().all(|id| ranked.contains(id) || dropped.contains(id)) {
                return;
            }
            if poller.polled().idle_polls >= IDLE {
                workers.reviver.invoke(tick("reviver")).await.unwrap();
            }
            clock().sleep(POLL_INTERVAL).await;
        }
    }
}

/// The functions of a fleet.
pub(crate) struct Workers {
    pub(crate) discover: Arc<ProcessFunction>,
    pub(crate) aggregator: Arc<ProcessFunction>,
    pub(crate) rank_fetcher: Arc<ProcessFunction>,
    pub(crate) reviver: Arc<ProcessFunction>,
    pub(crate) db_generator: Arc<ProcessFunction>,
}

impl Workers {
    pub(crate) fn of(fleet: &LambdaFleet) -> Workers {
        let function = |worker: &WorkerSpec| fleet.function(worker, worker.timeout, &[]);
        Workers {
            discover: function(&spec("discover")),
            aggregator: function(&spec("aggregator")),
            rank_fetcher: function(&spec("rank-fetcher")),
            reviver: function(&spec("reviver")),
            db_generator: function(&spec("db-generator")),
        }
    }

    /// Terminates all of them. Each idle process must exit cleanly.
    pub(crate) async fn terminate(&self) {
        let all = [&self.discover, &self.aggregator, &self.rank_fetcher, &self.reviver, &self.db_generator];
        let ended = join_all(all.map(|function| function.terminate())).await;
        let started: usize = all.iter().map(|function| function.starts().len()).sum();
        assert_eq!(ended.iter().sum::<usize>(), started, "{ended:?}");
    }
}

/// Returns the specification of a worker.
pub(crate) fn spec(name: &str) -> WorkerSpec {
    use stint_core::worker::Worker;
    use stint_warcraftlogs as fleet;
    let all = [
        fleet::discover::Discover::SPEC,
        fleet::aggregator::Aggregator::SPEC,
        fleet::rank_fetcher::RankFetcher::SPEC,
        fleet::reviver::Reviver::SPEC,
        fleet::db_generator::DbGenerator::SPEC,
    ];
    all.into_iter().find(|spec| spec.name == name).unwrap()
}

/// Checks that each line of a log is one JSON object, names its request, and contains no secret.
pub(crate) fn check_log(log: &[String], keys: &str) {
    assert!(!log.is_empty());
    let secrets: Vec<&str> = keys.split(',').map(|key| key.split_once(':').unwrap().1).collect();
    for line in log {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        assert!(entry["span"]["request_id"].is_string() || line.contains("SIGTERM"), "{line}");
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "a secret is in the log");
    }
}

/// Checks what must hold whichever backends the fleet uses.
pub(crate) fn check(fleet: &LambdaFleet, ended: &Ended) {
    let Ended { discovered, polled, log } = ended;
    let (ranked, dropped) = (fleet.ids("players"), fleet.ids("dropped"));
    let lost: Vec<&u64> = discovered.iter().filter(|id| !ranked.contains(id) && !dropped.contains(id)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "lost players");
    assert!(polled.largest <= 5 && polled.most_at_once <= 4, "{polled:?}");
    let counters: Value = fleet.upstream.counters();
    assert_eq!(
        (counters["overspent"].as_f64(), counters["refused_calls"].as_u64()),
        (Some(0.0), Some(0)),
        "{counters}"
    );
    check_log(log, fleet.upstream.setting("wcl_keys"));
}
