//! The selected backends, each opened when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
#[cfg(feature = "aws")]
use stint_aws::ThrottleMemory;
use stint_core::alarms::{AlarmingBreakers, LogSink, StoredAlarms};
use stint_core::clock::Clock;
use stint_core::ledger::LedgerSettings;
#[cfg(feature = "aws")]
use stint_core::ports::Receipt;
use stint_core::ports::{
    AlarmRecords, AlarmSink, Alarms, Breakers, KeyPool, Leases, Queue, QueueSettings, RateLimits, Schedule, Throttle,
    Wakeups,
};
use stint_core::worker::WorkerId;
use stint_embedded::{Embedded, Folder, Mode};
#[cfg(feature = "aws")]
use stint_host::SqsRecord;
use tokio::sync::OnceCell;

use super::alarms;
use super::aws::{self, Aws};
use super::config::{
    BackendChoice, BackendNeeds, BackendSettings, OptionalPorts, QueueBackend, StoreBackend, ThrottleBackend,
    WakeupBackend,
};
use super::mongo::{self, Mongo};
use super::throttles;

/// The database that stores the collections of a fleet.
pub(crate) enum Database<'a> {
    /// SQLite files in the folder.
    Sqlite(&'a Embedded),
    /// A MongoDB server.
    #[cfg(feature = "mongodb")]
    Mongo(&'a Mongo),
}

/// The backends behind the ports of this process.
pub(crate) struct Backends {
    choice: BackendChoice,
    pub(crate) home: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    /// The workers that are fed by a queue.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only AWS steers the workers that a queue feeds"))]
    queue_workers: Vec<WorkerId>,
    /// The workers whose records in MongoDB may still be stored under their names alone.
    #[cfg_attr(
        not(all(feature = "aws", feature = "mongodb")),
        expect(dead_code, reason = "only throttles of functions have records in MongoDB")
    )]
    pub(super) unqualified: Vec<WorkerId>,
    embedded: Option<Embedded>,
    aws: Option<Aws>,
    /// Where alarms go.
    alarm_sinks: Vec<Arc<dyn AlarmSink>>,
    mongo: Option<Mongo>,
    // One of each per process: a key pool combines its callers' writes, and a throttle caches what it has read.
    pool: OnceCell<Arc<dyn KeyPool>>,
    throttle: OnceCell<Arc<dyn Throttle>>,
}

impl Backends {
    /// Opens the backends that `settings` select, for fleets with these `needs`. Files are opened, and created if
    /// needed; no server is contacted yet.
    pub(crate) async fn open(
        settings: &BackendSettings,
        needs: BackendNeeds,
        home: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Backends> {
        let BackendNeeds { ports, queue_workers, unqualified } = needs;
        settings.check(ports, &[]).map_err(|error| anyhow!(error))?;
        let choice = settings.choice();
        let mut backends =
            Backends { queue_workers, unqualified, ..Backends::new(choice, ports, home, clock.clone())? };
        if choice.has_aws() || settings.alarm_topic().is_some() {
            backends.aws = Some(aws::connect(settings, clock.clone()).await?);
        }
        backends.alarm_sinks = alarms::sinks(settings, backends.aws.as_ref(), &clock)?;
        if choice.has_mongo(ports) {
            backends.mongo = Some(mongo::connect(settings, clock).await?);
        }
        Ok(backends)
    }

    /// Opens SQLite for every port, ignoring the environment.
    pub(crate) fn local(home: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Backends> {
        Backends::new(BackendChoice::LOCAL, OptionalPorts::default(), home, clock)
    }

    fn new(
        choice: BackendChoice,
        ports: OptionalPorts,
        home: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Backends> {
        let embedded = choice
            .has_sqlite(ports)
            .then(|| Embedded::open(home, Mode::Shared, clock.clone()).with_context(|| cannot_use(home)));
        Ok(Backends {
            choice,
            home: home.to_owned(),
            clock,
            queue_workers: Vec::new(),
            unqualified: Vec::new(),
            embedded: embedded.transpose()?,
            aws: None,
            alarm_sinks: vec![Arc::new(LogSink)],
            mongo: None,
            pool: OnceCell::new(),
            throttle: OnceCell::new(),
        })
    }

    /// Returns a queue.
    pub(crate) fn queue(&self, name: &str, settings: QueueSettings) -> anyhow::Result<Arc<dyn Queue>> {
        Ok(match self.choice.queues {
            QueueBackend::Sqlite => self.embedded()?.queue(name, settings),
            QueueBackend::Sqs => aws::queue(self.aws()?, name, settings),
        })
    }

    /// Returns how a message that an event source mapping received is acknowledged.
    #[cfg(feature = "aws")]
    pub(crate) fn receipt(&self) -> fn(&SqsRecord) -> Receipt {
        match self.choice.queues {
            QueueBackend::Sqlite => |record| Receipt(record.receipt_handle.clone()),
            QueueBackend::Sqs => aws::receipt,
        }
    }

    /// Returns the wake-ups.
    pub(crate) fn wakeups(&self) -> anyhow::Result<Arc<dyn Wakeups>> {
        Ok(match self.choice.wakeups {
            WakeupBackend::Sqlite => self.embedded()?.wakeups(),
            WakeupBackend::Scheduler => aws::wakeups(self.aws()?)?,
        })
    }

    /// Returns everything that will start a worker by time: here, or in the groups of EventBridge Scheduler.
    pub(crate) async fn schedules(&self) -> anyhow::Result<Vec<Schedule>> {
        match (self.choice.wakeups, &self.embedded) {
            (WakeupBackend::Scheduler, _) => aws::schedules(self.aws()?).await,
            (WakeupBackend::Sqlite, Some(embedded)) => Ok(embedded.wakeups().schedules().await?),
            (WakeupBackend::Sqlite, None) => Ok(Vec::new()),
        }
    }

    /// Returns the throttles. If they are those of Lambda functions, the function of `reserved` is throttled by its reserved
    /// concurrency instead of its mapping.
    pub(crate) async fn throttle(&self, reserved: Option<&WorkerId>) -> anyhow::Result<Arc<dyn Throttle>> {
        let throttle = self.throttle.get_or_try_init(async || {
            Ok::<Arc<dyn Throttle>, anyhow::Error>(match self.choice.throttle {
                ThrottleBackend::Sqlite => self.embedded()?.throttle(),
                ThrottleBackend::Lambda => throttles::steering(self, reserved)?,
            })
        });
        throttle.await.cloned()
    }

    /// Returns throttles of Lambda functions that store their settings in `memory`, for a fleet without MongoDB.
    #[cfg(feature = "aws")]
    pub(crate) fn steering(
        &self,
        memory: Arc<dyn ThrottleMemory>,
        reserved: Option<&WorkerId>,
    ) -> anyhow::Result<Arc<dyn Throttle>> {
        let (aws, workers) = (self.aws()?, &self.queue_workers);
        let throttle: Result<Arc<dyn Throttle>, String> = match reserved {
            Some(reserved) => {
                aws.reserved_throttle(memory, workers, std::slice::from_ref(reserved)).map(|throttle| throttle as _)
            }
            None => aws.throttle(memory, workers).map(|throttle| throttle as _),
        };
        throttle.map_err(|error| anyhow!(error))
    }

    /// Returns whether throttles control Lambda functions.
    #[cfg(feature = "aws")]
    pub(crate) fn steers_functions(&self) -> bool {
        self.choice.throttle == ThrottleBackend::Lambda
    }

    /// Returns whether nothing is stored in `STINT_HOME`.
    pub(crate) fn is_without_files(&self) -> bool {
        self.embedded.is_none()
    }

    /// Returns the rate limits of routes, which all processes of the installation share.
    pub(crate) fn rate_limits(&self) -> anyhow::Result<Arc<dyn RateLimits>> {
        Ok(self.embedded()?.rate_limits()?)
    }

    /// Returns the breakers, whose records all processes of the installation share.
    pub(crate) fn breakers(&self) -> anyhow::Result<Arc<dyn Breakers>> {
        Ok(match &self.mongo {
            Some(mongo) => mongo::breakers(mongo),
            None => self.embedded()?.breakers(),
        })
    }

    /// Returns the alarms' records, which all processes of the installation share.
    pub(crate) fn alarm_records(&self) -> anyhow::Result<Arc<dyn AlarmRecords>> {
        Ok(match &self.mongo {
            Some(mongo) => mongo::alarms(mongo),
            None => self.embedded()?.alarms(),
        })
    }

    /// Returns the alarms on these records, which go to the recipients that the settings name.
    pub(crate) fn alarms(&self, records: Arc<dyn AlarmRecords>) -> Arc<dyn Alarms> {
        Arc::new(StoredAlarms::new(records, self.alarm_sinks.clone(), self.clock.clone()))
    }

    /// Returns breakers whose outages raise alarms of `fleet`.
    pub(crate) fn alarming(
        &self,
        breakers: Arc<dyn Breakers>,
        records: Arc<dyn AlarmRecords>,
        fleet: &str,
    ) -> Arc<dyn Breakers> {
        Arc::new(AlarmingBreakers::new(breakers, self.alarms(records), fleet, self.clock.clone()))
    }

    /// Returns the leases, which all hosts of the installation share.
    pub(crate) fn leases(&self) -> anyhow::Result<Arc<dyn Leases>> {
        Ok(match &self.mongo {
            Some(mongo) => mongo::leases(mongo, self.clock.clone()),
            None => self.embedded()?.leases(),
        })
    }

    /// Returns the key pool.
    pub(crate) async fn pool(&self, settings: LedgerSettings) -> anyhow::Result<Arc<dyn KeyPool>> {
        let pool = self.pool.get_or_try_init(async || {
            Ok::<Arc<dyn KeyPool>, anyhow::Error>(match self.choice.key_pool {
                StoreBackend::Sqlite => self.embedded()?.key_pool(settings)?,
                StoreBackend::Mongo => mongo::key_pool(self.mongo()?, settings, self.clock.clone()).await?,
            })
        });
        pool.await.cloned()
    }

    /// Returns the key pool for a command that only looks. No file is created.
    pub(crate) async fn read_only_pool(&self, settings: LedgerSettings) -> anyhow::Result<Arc<dyn KeyPool>> {
        match self.choice.key_pool {
            StoreBackend::Sqlite => Ok(self.embedded()?.key_pool_to_look_at(settings)?),
            StoreBackend::Mongo => self.pool(settings).await,
        }
    }

    /// Returns the database for the collections of a fleet.
    pub(crate) fn database(&self) -> anyhow::Result<Database<'_>> {
        Ok(match self.choice.stores {
            StoreBackend::Sqlite => Database::Sqlite(self.embedded()?),
            StoreBackend::Mongo => mongo::database(self.mongo()?),
        })
    }

    /// Returns the folder for a fleet's own files of SQLite, which is created if necessary. A fleet may need it whatever
    /// stands behind the ports.
    pub(crate) fn folder(&self) -> anyhow::Result<Folder> {
        match &self.embedded {
            Some(embedded) => Ok(embedded.folder().clone()),
            None => Folder::open(&self.home, Mode::Shared).with_context(|| cannot_use(&self.home)),
        }
    }

    /// Returns the adapters on the folder.
    pub(crate) fn embedded(&self) -> anyhow::Result<&Embedded> {
        self.embedded.as_ref().context("no port uses STINT_HOME")
    }

    /// Returns whether the queues are shared with processes outside this folder.
    pub(crate) fn has_shared_queues(&self) -> bool {
        self.choice.queues == QueueBackend::Sqs
    }

    /// Returns whether wake-ups and throttles are those of this machine, as a local host requires.
    pub(crate) fn is_hosted_here(&self) -> bool {
        !self.choice.calls_functions()
    }

    fn aws(&self) -> anyhow::Result<&Aws> {
        self.aws.as_ref().context("AWS is not connected")
    }

    pub(super) fn mongo(&self) -> anyhow::Result<&Mongo> {
        self.mongo.as_ref().context("MongoDB is not connected")
    }
}

fn cannot_use(home: &Path) -> String {
    format!("STINT_HOME: cannot use the folder {}", home.display())
}
