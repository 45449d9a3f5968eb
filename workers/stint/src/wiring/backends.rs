//! The chosen backends, opened as far as anything needs them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use stint_aws::Aws;
use stint_core::clock::Clock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{Breakers, KeyPool, Queue, QueueSettings, Receipt, Throttle, Wakeups};
use stint_embedded::{Embedded, Mode};
use stint_host::Record;
use stint_mongo::{Mongo, MongoBreakers, MongoKeyPool, MongoRecords};
use stint_warcraftlogs::store::{
    Directory, Discovers, Milestones, MongoStore, Players, RefreshAnswers, Rules, SqliteStore, Zones,
};
use tokio::sync::OnceCell;

use super::config::{BackendSettings, Choice, QueueBackend, StoreBackend, ThrottleBackend, WakeupBackend};
use super::plans::specs;
use super::throttle_records::{THROTTLES, ThrottleRecords};

/// The fleet's collections.
#[derive(Clone)]
pub(crate) struct Collections {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) milestones: Arc<dyn Milestones>,
    pub(crate) zones: Arc<dyn Zones>,
    pub(crate) answers: Arc<dyn RefreshAnswers>,
}

impl Collections {
    fn of<S: Rules + Discovers + Players + Directory + Milestones + Zones + RefreshAnswers + 'static>(
        store: S,
    ) -> Collections {
        let store = Arc::new(store);
        Collections {
            rules: store.clone(),
            discovers: store.clone(),
            players: store.clone(),
            directory: store.clone(),
            milestones: store.clone(),
            zones: store.clone(),
            answers: store,
        }
    }
}

/// What stands behind the ports of this process.
pub(crate) struct Backends {
    choice: Choice,
    pub(super) home: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    embedded: Option<Embedded>,
    aws: Option<Aws>,
    mongo: Option<Mongo>,
    // One each for a process: a pool shares its writes among its callers, and a throttle remembers what it has found.
    pool: OnceCell<Arc<dyn KeyPool>>,
    collections: OnceCell<Collections>,
    throttle: OnceCell<Arc<dyn Throttle>>,
}

impl Backends {
    /// The backends that `settings` choose. Files are opened, and created if need be; no server is asked anything yet.
    pub(crate) async fn open(
        settings: &BackendSettings,
        home: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Backends> {
        settings.check(&[]).map_err(|error| anyhow!(error))?;
        let choice = settings.choice();
        let mut backends = Backends::new(choice, home, clock.clone())?;
        if choice.has_aws() {
            let aws = Aws::connect(settings.aws.clone(), clock).await;
            backends.aws = Some(aws.map_err(|error| anyhow!(error))?);
        }
        if choice.has_mongo() {
            backends.mongo = Some(Mongo::connect(&settings.mongo).await?);
        }
        Ok(backends)
    }

    /// SQLite behind everything, whatever the environment says.
    pub(crate) fn local(home: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Backends> {
        Backends::new(Choice::LOCAL, home, clock)
    }

    fn new(choice: Choice, home: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Backends> {
        let embedded = choice.has_sqlite().then(|| {
            Embedded::open(home, Mode::Shared, clock.clone())
                .with_context(|| format!("STINT_HOME: cannot use the folder {}", home.display()))
        });
        Ok(Backends {
            choice,
            home: home.to_owned(),
            clock,
            embedded: embedded.transpose()?,
            aws: None,
            mongo: None,
            pool: OnceCell::new(),
            collections: OnceCell::new(),
            throttle: OnceCell::new(),
        })
    }

    /// A queue.
    pub(super) fn queue(&self, name: &str, settings: QueueSettings) -> anyhow::Result<Arc<dyn Queue>> {
        Ok(match self.choice.queues {
            QueueBackend::Sqlite => self.embedded()?.queue(name, settings),
            QueueBackend::Sqs => self.aws()?.queue(name, settings),
        })
    }

    /// How the queues prove a loan that an event source mapping took out.
    pub(super) fn receipt(&self) -> fn(&Record) -> Receipt {
        match self.choice.queues {
            QueueBackend::Sqlite => |record| Receipt(record.receipt_handle.clone()),
            QueueBackend::Sqs => |record| {
                let Record { receipt_handle, message_id, body, .. } = record;
                stint_aws::receipt(receipt_handle, message_id, record.receive_count(), body)
            },
        }
    }

    /// The wake-ups.
    pub(super) fn wakeups(&self) -> anyhow::Result<Arc<dyn Wakeups>> {
        Ok(match self.choice.wakeups {
            WakeupBackend::Sqlite => self.embedded()?.wakeups(),
            WakeupBackend::Scheduler => self.aws()?.wakeups().map_err(|error| anyhow!(error))?,
        })
    }

    /// The throttles.
    pub(super) async fn throttle(&self) -> anyhow::Result<Arc<dyn Throttle>> {
        let throttle = self.throttle.get_or_try_init(async || {
            Ok::<Arc<dyn Throttle>, anyhow::Error>(match self.choice.throttle {
                ThrottleBackend::Sqlite => self.embedded()?.throttle(),
                ThrottleBackend::Lambda => {
                    let memory = ThrottleRecords(MongoRecords::new(self.mongo()?, THROTTLES));
                    let fed = specs().filter(|spec| spec.queue().is_some());
                    let steered: Vec<&str> = fed.map(|spec| spec.name).collect();
                    self.aws()?.throttle(Arc::new(memory), &steered).map_err(|error| anyhow!(error))?
                }
            })
        });
        throttle.await.cloned()
    }

    /// The breakers' records: where all processes of the installation find them.
    pub(crate) fn breakers(&self) -> anyhow::Result<Arc<dyn Breakers>> {
        Ok(match &self.mongo {
            Some(mongo) => Arc::new(MongoBreakers::new(mongo)),
            None => self.embedded()?.breakers(),
        })
    }

    /// The key pool.
    pub(super) async fn pool(&self, settings: LedgerSettings) -> anyhow::Result<Arc<dyn KeyPool>> {
        let pool = self.pool.get_or_try_init(async || {
            Ok::<Arc<dyn KeyPool>, anyhow::Error>(match self.choice.key_pool {
                StoreBackend::Sqlite => self.embedded()?.key_pool(settings),
                StoreBackend::Mongo => Arc::new(MongoKeyPool::open(self.mongo()?, settings, self.clock.clone()).await?),
            })
        });
        pool.await.cloned()
    }

    /// The fleet's collections.
    pub(super) async fn collections(&self) -> anyhow::Result<Collections> {
        let collections = self.collections.get_or_try_init(async || {
            Ok::<Collections, anyhow::Error>(match self.choice.stores {
                StoreBackend::Sqlite => Collections::of(SqliteStore::open(self.embedded()?, self.clock.clone())?),
                StoreBackend::Mongo => Collections::of(MongoStore::open(self.mongo()?, self.clock.clone()).await?),
            })
        });
        collections.await.cloned()
    }

    /// The folder's adapters.
    pub(super) fn embedded(&self) -> anyhow::Result<&Embedded> {
        self.embedded.as_ref().context("nothing is kept in STINT_HOME")
    }

    /// Whether others than this folder's processes share the queues.
    pub(super) fn has_shared_queues(&self) -> bool {
        self.choice.queues == QueueBackend::Sqs
    }

    /// Whether wake-ups and throttles are those of this machine, which a host of this machine must have.
    pub(super) fn is_hosted_here(&self) -> bool {
        !self.choice.calls_functions()
    }

    fn aws(&self) -> anyhow::Result<&Aws> {
        self.aws.as_ref().context("no account of AWS is connected")
    }

    fn mongo(&self) -> anyhow::Result<&Mongo> {
        self.mongo.as_ref().context("no MongoDB is connected")
    }
}
