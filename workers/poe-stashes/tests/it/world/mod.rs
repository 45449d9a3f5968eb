//! A world for each test: the real workers and the real host, on adapters in memory and virtual time, with the stand-in
//! for the river in process.

mod audit;
mod fault_injector;
mod process;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, after};
use stint_core::ports::{Breakers, Queue, QueueSettings, Throttle, WakeupSource, Wakeups};
use stint_core::worker::Worker;
use stint_embedded::Embedded;
use stint_http::Transport;
use stint_poe_stashes::config::Settings;
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::indexer::Indexer;
use stint_poe_stashes::message::{CHAIN_QUEUE, PAGES_QUEUE};
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::{Chain, HeadStore, Index, Objects, Pages, Progress, SqliteChain, SqliteIndex};
use stint_standins::poe_stashes::{Counters, Options};
use stint_standins::{InProcess, PoeStashes};
use stint_testkit::{Driver, FaultPlan};

use fault_injector::FaultyStore;
pub(crate) use process::Process;

/// When the world starts.
const BEGINNING: &str = "2026-11-28T10:00:00Z";

/// Everything that outlives a process.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) settings: Settings,
    pub(crate) stores: Stores,
    pub(crate) transport: Arc<dyn Transport>,
    embedded: Embedded,
    upstream: Arc<Mutex<PoeStashes>>,
}

/// Every port of the fleet.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) heads: Arc<dyn HeadStore>,
    pub(crate) pages: Arc<dyn Pages>,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) chain_queue: Arc<dyn Queue>,
    pub(crate) stored: Arc<dyn Queue>,
    pub(crate) breakers: Arc<dyn Breakers>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
    pub(crate) due: Arc<dyn WakeupSource>,
}

/// The settings alone.
#[derive(Parser)]
#[command(args_override_self = true)]
struct Command {
    #[command(flatten)]
    settings: Settings,
}

/// Returns settings that point to the stand-in, with `flags` added.
pub(crate) fn settings(flags: &[&str]) -> Settings {
    let all = [
        "stint",
        "--poe-client-id=stand-in",
        "--poe-client-secret=secret",
        "--poe-contact=tests@stint.example",
        "--poe-api-url=http://river.invalid/public-stash-tabs",
        "--poe-token-url=http://river.invalid/oauth/token",
        "--poe-head-url=http://river.invalid/api/trade/data/change-ids",
        "--poe-start=beginning",
    ];
    Command::parse_from(all.iter().copied().chain(flags.iter().copied())).settings
}

/// Returns a river with small pages that a reader at its limit never catches up with.
pub(crate) fn busy_river(seed: u64) -> Options {
    Options {
        seed,
        edits_per_second: 40,
        stashes: 5_000,
        stashes_per_page: 8,
        items_per_stash: (0, 2),
        latency: (Duration::from_millis(45), Duration::from_millis(55)),
        ..Options::default()
    }
}

impl World {
    pub(crate) fn new(options: Options, flags: &[&str]) -> World {
        World::with(options, flags, |transport| transport)
    }

    /// Creates a world with a transport between the fleet and the river.
    pub(crate) fn with(
        options: Options,
        flags: &[&str],
        between: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>,
    ) -> World {
        let begun: Timestamp = BEGINNING.parse().unwrap();
        let clock = ManualClock::new(begun);
        let port: Arc<dyn Clock> = Arc::new(clock.clone());
        let embedded = Embedded::in_memory(port.clone()).unwrap();
        let settings = settings(flags);
        let upstream = Arc::new(Mutex::new(PoeStashes::new(Options { started: begun, ..options })));
        let agent = settings.user_agent().unwrap();
        let transport = InProcess::new(upstream.clone(), port.clone()).with_user_agent(&agent);
        let chain = Arc::new(SqliteChain::open(&embedded, settings.poe_realm, port).unwrap());
        let queue = |name, trigger: stint_core::worker::QueueTrigger| {
            let (visibility_timeout, max_receives) = (trigger.visibility_timeout, trigger.max_receives);
            embedded.queue(name, QueueSettings { visibility_timeout, max_receives })
        };
        let stores = Stores {
            chain: chain.clone(),
            heads: chain,
            pages: Arc::new(Objects::in_memory()),
            index: Arc::new(SqliteIndex::open(embedded.folder()).unwrap()),
            chain_queue: queue(CHAIN_QUEUE, Follower::SPEC.queue().unwrap()),
            stored: queue(PAGES_QUEUE, Indexer::SPEC.queue().unwrap()),
            breakers: embedded.breakers(),
            throttle: embedded.throttle(),
            wakeups: embedded.wakeups(),
            due: embedded.wakeups(),
        };
        let transport = between(Arc::new(transport));
        World { clock, settings, stores, transport, embedded, upstream }
    }

    /// Starts a process without faults.
    pub(crate) fn start(&self) -> Process {
        Process::start(self, &FaultPlan::none())
    }

    /// Starts a process with `faults`.
    pub(crate) fn start_with(&self, faults: &FaultPlan) -> Process {
        Process::start(self, faults)
    }

    /// Returns the chain for a process with `faults`.
    pub(crate) fn faulty_chain(&self, faults: &FaultPlan) -> Arc<dyn Chain> {
        FaultyStore::new(&self.stores.chain, faults)
    }

    /// The stand-in's counters.
    pub(crate) fn counters(&self) -> Counters {
        self.upstream().counters()
    }

    pub(crate) fn upstream(&self) -> MutexGuard<'_, PoeStashes> {
        self.upstream.lock().unwrap()
    }

    /// Returns the position of an id at the stand-in.
    pub(crate) fn edits_before(&self, id: ChangeId) -> u64 {
        self.upstream().position(&id.to_string()).unwrap()
    }

    /// The progress of the chain.
    pub(crate) async fn progress(&self) -> Progress {
        self.stores.chain.read().await.unwrap().map(|status| status.progress).unwrap_or_default()
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep_until(after(self.clock.now(), time)).await;
    }
}

/// Longer than any scenario takes.
const LONGEST_SCENARIO: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Runs a scenario of `world` to its end.
pub(crate) fn run_scenario<T>(world: &World, scenario: impl Future<Output = T>) -> T {
    Driver::new(&world.clock).limit(LONGEST_SCENARIO).run(scenario)
}
