//! A world for each test: the real workers, the real host and the real ledger, on embedded adapters in memory and
//! virtual time, against a stand-in upstream in process.

mod audit;
mod mortal;
mod network;
mod process;
mod setup;
mod stores;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::select;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use stint_core::clock::{Clock, ManualClock, between};
use stint_core::ports::NewMessage;
use stint_embedded::rusqlite::Connection;
use stint_embedded::{Embedded, Mode};
use stint_http::Transport;
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::{Books, Population};
use stint_testkit::Driver;
pub(crate) use stint_testkit::Life;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::store::Rule;
use stint_warcraftlogs::whom::Whom;

pub(crate) use audit::told;
pub(crate) use network::{Fault, Network, Request};
pub(crate) use process::Process;
pub(crate) use setup::Setup;
pub(crate) use stores::Stores;

/// Everything that outlives a process: time, the upstream, the network, and what is stored.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) network: Arc<Network>,
    pub(crate) settings: Settings,
    pub(crate) stores: Stores,
    /// Whether the API is behind a breaker.
    guarded: bool,
    embedded: Embedded,
    upstream: Arc<Mutex<WarcraftLogs>>,
    began: Timestamp,
    folder: Option<Arc<tempfile::TempDir>>,
}

impl World {
    /// A process of the fleet that nothing kills. Its tokens and tallies are its own.
    pub(crate) fn start(&self) -> Process {
        Process::start(self, &Life::endless())
    }

    /// A process that ends as `life` says.
    pub(crate) fn start_with(&self, life: &Life) -> Process {
        Process::start(self, life)
    }

    /// A process that nothing kills, and that sees these stores.
    pub(crate) fn start_on(&self, stores: Stores) -> Process {
        Process::start_on(self, stores, self.network.clone())
    }

    /// A process that nothing kills, and that asks the upstream through `transport`.
    pub(crate) fn start_through(&self, transport: Arc<dyn Transport>) -> Process {
        Process::start_on(self, self.stores.clone(), transport)
    }

    /// A rule for each raid and difficulty that is ranked, with `spare` pages more than there are.
    pub(crate) async fn add_rules(&self, spare: u32) {
        let population = self.population();
        for (position, (raid, difficulty)) in population.rankings().iter().enumerate() {
            let pages = population.rows(*raid, *difficulty).div_ceil(100) as u32;
            self.stores.rules.put(&rule(position, (*raid, *difficulty), (1, pages + spare))).await.unwrap();
        }
    }

    /// Queues everybody who can be discovered, as the aggregator would.
    pub(crate) async fn queue_everybody(&self) {
        for id in self.everybody() {
            self.queue(id, self.raids_of(id)).await;
        }
    }

    /// Queues one player.
    pub(crate) async fn queue(&self, id: PlayerId, raids_to_scrap: RaidsToScrap) {
        self.queue_body(&PlayerMessage { whom: Whom::Id(id), raids_to_scrap }.to_body()).await;
    }

    /// Queues a message, whatever it says.
    pub(crate) async fn queue_body(&self, body: &str) {
        self.stores.queue.send(&[NewMessage::new(body)]).await.unwrap();
    }

    /// Asks for a player ahead of the backlog.
    pub(crate) async fn refresh(&self, whom: Whom, raids_to_scrap: RaidsToScrap) {
        let body = PlayerMessage { whom, raids_to_scrap }.to_body();
        self.stores.refreshes.send(&[NewMessage::new(body)]).await.unwrap();
    }

    /// Everybody on any ranking page, ascending.
    pub(crate) fn everybody(&self) -> Vec<PlayerId> {
        let population = self.population();
        population.discoverable(population.rankings())
    }

    /// Where a player is ranked.
    pub(crate) fn raids_of(&self, id: PlayerId) -> RaidsToScrap {
        self.population().pairs_of(id).into_iter().collect()
    }

    /// Who there is, and what is true of them.
    pub(crate) fn population(&self) -> Arc<Population> {
        self.upstream().population()
    }

    /// What the stand-in has counted.
    pub(crate) fn books(&self) -> Books {
        self.network.deliver_late();
        self.upstream().books()
    }

    /// A raid is over.
    pub(crate) fn freeze(&self, raid: u32) {
        self.upstream().freeze(raid);
    }

    /// The upstream accepts the secret that the fleet has of the key `id` no more, or again.
    pub(crate) fn accept(&self, id: &str, accepted: bool) {
        let known = self.settings.wcl_keys.iter().find(|key| key.id.0 == id).unwrap();
        let secret = if accepted { known.secret.expose_secret() } else { "another one" };
        self.upstream().replace_secret(id, secret);
    }

    /// Completes when something that the fleet keeps has changed.
    pub(crate) async fn changed(&self) {
        select(self.embedded.queues().changed(), self.embedded.keys().changed()).await;
    }

    /// Damages what is stored, past the stores. Only [`Setup::on_disk`].
    pub(crate) fn damage(&self, sql: &str) {
        let file = self.folder.as_ref().unwrap().path().join("warcraftlogs.db");
        assert_eq!(Connection::open(file).unwrap().execute(sql, []).unwrap(), 1, "{sql}");
    }

    /// Changes the stored collections, past the stores. Only [`Setup::on_disk`].
    pub(crate) fn alter(&self, sql: &str) {
        let file = self.folder.as_ref().unwrap().path().join("warcraftlogs.db");
        Connection::open(file).unwrap().execute_batch(sql).unwrap();
    }

    /// The same world, opened again after somebody has deleted `files` of it. Only [`Setup::on_disk`].
    pub(crate) fn reopened_without(&self, files: &[&str]) -> World {
        let folder = self.folder.clone().unwrap();
        for file in files {
            for end in ["", "-wal", "-shm"] {
                let path = folder.path().join(format!("{file}{end}"));
                assert!(std::fs::remove_file(&path).is_ok() || !end.is_empty(), "{}", path.display());
            }
        }
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let embedded = Embedded::open(folder.path(), Mode::Inline, clock.clone()).unwrap();
        World {
            clock: self.clock.clone(),
            network: self.network.clone(),
            settings: self.settings.clone(),
            stores: Stores::new(&self.settings, &embedded, &clock),
            guarded: self.guarded,
            embedded,
            upstream: self.upstream.clone(),
            began: self.began,
            folder: Some(folder),
        }
    }

    /// From the beginning of the world to `instant`.
    pub(crate) fn since_beginning(&self, instant: Timestamp) -> Duration {
        between(self.began, instant)
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// So many seconds from now.
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

/// Longer than any story takes; a fleet that never comes to rest is found out.
const LONGEST_STORY: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Plays a story of `world` to its end.
pub(crate) fn play<T>(world: &World, story: impl Future<Output = T>) -> T {
    Driver::new(&world.clock).limit(LONGEST_STORY).run(story)
}
