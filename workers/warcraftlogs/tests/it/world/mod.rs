//! A fleet world for each test: the real workers, the real host and the real ledger, on embedded adapters in memory and
//! virtual time, against an in-process stand-in for the upstream.

mod audit;
mod faulty_stores;
mod network;
mod process;
mod setup;
mod stores;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use stint_core::clock::{Clock, ManualClock, between};
use stint_core::ports::NewMessage;
use stint_embedded::rusqlite::Connection;
use stint_embedded::{Embedded, Mode};
use stint_http::Transport;
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::{Counters, Population};
use stint_testkit::Driver;
pub(crate) use stint_testkit::FaultPlan;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::player_ref::PlayerRef;
use stint_warcraftlogs::store::Rule;

pub(crate) use audit::as_stored;
pub(crate) use network::{Fault, Network, Request};
pub(crate) use process::Process;
pub(crate) use setup::Setup;
pub(crate) use stores::Stores;

/// Everything that outlives a process: time, the upstream, the network, and the stores.
pub(crate) struct FleetWorld {
    pub(crate) clock: ManualClock,
    pub(crate) network: Arc<Network>,
    pub(crate) settings: Settings,
    pub(crate) stores: Stores,
    /// Whether the API is behind a breaker.
    guarded: bool,
    /// Interval at which hosts check their queues and schedules; that of the program if unset.
    look_every: Option<Duration>,
    embedded: Embedded,
    upstream: Arc<Mutex<WarcraftLogs>>,
    began: Timestamp,
    folder: Option<Arc<tempfile::TempDir>>,
}

impl FleetWorld {
    /// A process of the fleet that is never killed. Its tokens and counts are its own.
    pub(crate) fn start(&self) -> Process {
        Process::start(self, &FaultPlan::none())
    }

    /// A process that exits at the kill point of `faults`.
    pub(crate) fn start_with(&self, faults: &FaultPlan) -> Process {
        Process::start(self, faults)
    }

    /// A process that is never killed, with these stores.
    pub(crate) fn start_on(&self, stores: Stores) -> Process {
        Process::start_on(self, stores, self.network.clone())
    }

    /// A process that is never killed, and that reaches the upstream through `transport`.
    pub(crate) fn start_through(&self, transport: Arc<dyn Transport>) -> Process {
        Process::start_on(self, self.stores.clone(), transport)
    }

    /// Adds a rule for each ranked raid and difficulty, with `spare` pages more than exist.
    pub(crate) async fn add_rules(&self, spare: u32) {
        let population = self.population();
        for (position, (raid, difficulty)) in population.rankings().iter().enumerate() {
            let pages = population.rows(*raid, *difficulty).div_ceil(100) as u32;
            self.stores.rules.put(&rule(position, (*raid, *difficulty), (1, pages + spare))).await.unwrap();
        }
    }

    /// Queues every player who can be discovered, as the aggregator would.
    pub(crate) async fn queue_all(&self) {
        for id in self.all_players() {
            self.queue(id, self.raids_of(id)).await;
        }
    }

    /// Queues one player.
    pub(crate) async fn queue(&self, id: PlayerId, raids_to_scrap: RaidsToScrap) {
        self.queue_body(&PlayerMessage { player_ref: PlayerRef::Id(id), raids_to_scrap }.to_body()).await;
    }

    /// Queues a message with any body.
    pub(crate) async fn queue_body(&self, body: &str) {
        self.stores.queue.send(&[NewMessage::new(body)]).await.unwrap();
    }

    /// Requests a player ahead of the backlog.
    pub(crate) async fn refresh(&self, player_ref: PlayerRef, raids_to_scrap: RaidsToScrap) {
        let body = PlayerMessage { player_ref, raids_to_scrap }.to_body();
        self.stores.refreshes.send(&[NewMessage::new(body)]).await.unwrap();
    }

    /// Every player on any ranking page, in ascending order.
    pub(crate) fn all_players(&self) -> Vec<PlayerId> {
        let population = self.population();
        population.discoverable(population.rankings())
    }

    /// The raids and difficulties in which a player is ranked.
    pub(crate) fn raids_of(&self, id: PlayerId) -> RaidsToScrap {
        self.population().pairs_of(id).into_iter().collect()
    }

    /// All players, with the true data.
    pub(crate) fn population(&self) -> Arc<Population> {
        self.upstream().population()
    }

    /// The stand-in's accounts.
    pub(crate) fn counters(&self) -> Counters {
        self.network.deliver_late();
        self.upstream().counters()
    }

    /// Freezes a raid.
    pub(crate) fn freeze(&self, raid: u32) {
        self.upstream().freeze(raid);
    }

    /// Sets whether the upstream accepts the fleet's secret for the key `id`.
    pub(crate) fn accept(&self, id: &str, accepted: bool) {
        let known = self.settings.wcl_keys.iter().find(|key| key.id.0 == id).unwrap();
        let secret = if accepted { known.secret.expose_secret() } else { "another one" };
        self.upstream().replace_secret(id, secret);
    }

    /// Completes when something in the stores has changed.
    pub(crate) async fn changed(&self) {
        self.embedded.changed().await;
    }

    /// Damages stored data directly. Only [`Setup::on_disk`].
    pub(crate) fn damage(&self, sql: &str) {
        let file = self.folder.as_ref().unwrap().path().join("warcraftlogs.db");
        assert_eq!(Connection::open(file).unwrap().execute(sql, []).unwrap(), 1, "{sql}");
    }

    /// Changes the stored collections directly. Only [`Setup::on_disk`].
    pub(crate) fn alter(&self, sql: &str) {
        let file = self.folder.as_ref().unwrap().path().join("warcraftlogs.db");
        Connection::open(file).unwrap().execute_batch(sql).unwrap();
    }

    /// The same world, opened again after `files` of it were deleted. Only [`Setup::on_disk`].
    pub(crate) fn reopened_without(&self, files: &[&str]) -> FleetWorld {
        let folder = self.folder.clone().unwrap();
        for file in files {
            for end in ["", "-wal", "-shm"] {
                let path = folder.path().join(format!("{file}{end}"));
                assert!(std::fs::remove_file(&path).is_ok() || !end.is_empty(), "{}", path.display());
            }
        }
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let embedded = Embedded::open(folder.path(), Mode::Inline, clock.clone()).unwrap();
        FleetWorld {
            clock: self.clock.clone(),
            network: self.network.clone(),
            settings: self.settings.clone(),
            stores: Stores::new(&self.settings, &embedded, &clock),
            guarded: self.guarded,
            look_every: self.look_every,
            embedded,
            upstream: self.upstream.clone(),
            began: self.began,
            folder: Some(folder),
        }
    }

    /// Time from the beginning of the world to `instant`.
    pub(crate) fn since_beginning(&self, instant: Timestamp) -> Duration {
        between(self.began, instant)
    }

    /// Advances the time.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// The time in this many seconds.
    pub(crate) fn at(&self, seconds: u64) -> Timestamp {
        stint_core::clock::after(self.clock.now(), Duration::from_secs(seconds))
    }

    /// The stand-in itself.
    pub(crate) fn upstream(&self) -> MutexGuard<'_, WarcraftLogs> {
        self.upstream.lock().unwrap()
    }
}

/// A rule that never ran.
pub(crate) fn rule(number: usize, (raid, difficulty): (u32, u32), (start_page, end_page): (u32, u32)) -> Rule {
    Rule { id: format!("{number:024x}"), raid, difficulty, start_page, end_page, ..Rule::default() }
}

/// Longer than any scenario takes; it catches a fleet that never becomes idle.
const SCENARIO_LIMIT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Runs a scenario of `world` to its end.
pub(crate) fn run_scenario<T>(world: &FleetWorld, scenario: impl Future<Output = T>) -> T {
    Driver::new(&world.clock).limit(SCENARIO_LIMIT).run(scenario)
}
