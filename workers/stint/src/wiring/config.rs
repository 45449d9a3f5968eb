//! Selects the backend behind each port: one setting each, or a profile for all.

use clap::{Args, ValueEnum};
use secrecy::SecretString;
#[cfg(feature = "aws")]
use stint_aws::AwsSettings;
use stint_core::worker::{WorkerId, WorkerSpec};
#[cfg(feature = "mongodb")]
use stint_mongo::MongoSettings;

use crate::built::{Clouds, built_without_cloud};
use crate::settings::{self, SettingsError};

/// What stands behind the ports.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backends")]
pub(crate) struct BackendSettings {
    /// The backends of all ports that have no setting of their own below.
    #[arg(long, env = "STINT_PROFILE", value_name = "STINT_PROFILE", value_enum, default_value_t = Profile::Local)]
    pub(crate) profile: Profile,

    /// The queues.
    #[arg(long, env = "STINT_QUEUES", value_name = "STINT_QUEUES", value_enum)]
    pub(crate) queues: Option<QueueBackend>,

    /// Wake-ups. `stint up` keeps its own schedules, and therefore requires sqlite.
    #[arg(long, env = "STINT_WAKEUPS", value_name = "STINT_WAKEUPS", value_enum)]
    pub(crate) wakeups: Option<WakeupBackend>,

    /// The concurrency of workers. `stint up` supports only sqlite.
    #[arg(long, env = "STINT_THROTTLE", value_name = "STINT_THROTTLE", value_enum)]
    pub(crate) throttle: Option<ThrottleBackend>,

    /// The keys' shared budget, and the messages that wait for points.
    #[arg(long, env = "STINT_KEY_POOL", value_name = "STINT_KEY_POOL", value_enum)]
    pub(crate) key_pool: Option<StoreBackend>,

    /// The collections of fleets that use a database. A record that all processes sharing a queue need is stored where
    /// the queues are: in `STINT_HOME`, or with SQS in the fleet's bucket.
    #[arg(long, env = "STINT_STORES", value_name = "STINT_STORES", value_enum)]
    pub(crate) stores: Option<StoreBackend>,

    /// The address to which each alarm is posted as JSON, with a `text` that chat services show. A secret, because such
    /// addresses contain a token.
    #[arg(long, env = "ALARM_WEBHOOK_URL", value_name = "ALARM_WEBHOOK_URL", hide_env_values = true)]
    #[arg(help_heading = "Alarms")]
    pub(crate) alarm_webhook_url: Option<SecretString>,

    /// The ARN of the SNS topic to which each alarm is published.
    #[cfg(feature = "aws")]
    #[arg(long, env = "ALARM_TOPIC_ARN", value_name = "ALARM_TOPIC_ARN", help_heading = "Alarms")]
    pub(crate) alarm_topic_arn: Option<String>,

    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub(crate) aws: AwsSettings,

    #[cfg(feature = "mongodb")]
    #[command(flatten)]
    pub(crate) mongo: MongoSettings,
}

/// A choice for all ports at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// SQLite in the folder `STINT_HOME`: nothing to install.
    Local,
    /// SQS, EventBridge Scheduler, Lambda's event source mappings, and MongoDB for the fleets that use a database.
    Aws,
}

/// What stands behind queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueueBackend {
    /// A file in `STINT_HOME`.
    Sqlite,
    /// Amazon SQS.
    Sqs,
}

/// What stands behind wake-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WakeupBackend {
    /// A file in `STINT_HOME`.
    Sqlite,
    /// EventBridge Scheduler, which calls the workers' functions.
    Scheduler,
}

/// What stands behind throttles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ThrottleBackend {
    /// A file in `STINT_HOME`.
    Sqlite,
    /// The event source mappings of Lambda functions. Their state is recorded in MongoDB, or in the bucket of a fleet without
    /// a database.
    Lambda,
}

/// What stands behind the key pool or the fleet's collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreBackend {
    /// A file in `STINT_HOME`.
    Sqlite,
    /// MongoDB.
    Mongo,
}

/// Ports that only some fleets use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptionalPorts {
    /// The key pool.
    pub(crate) key_pool: bool,
    /// Collections in a database.
    pub(crate) stores: bool,
    /// Records of throttles and breakers in a database, if they are not in files.
    pub(crate) records: bool,
    /// Wake-ups beside the schedules of its workers: one worker starts another.
    pub(crate) wakeups: bool,
}

impl OptionalPorts {
    /// Returns the ports that either uses.
    pub(crate) fn and(self, other: OptionalPorts) -> OptionalPorts {
        OptionalPorts {
            key_pool: self.key_pool || other.key_pool,
            stores: self.stores || other.stores,
            records: self.records || other.records,
            wakeups: self.wakeups || other.wakeups,
        }
    }
}

/// What fleets need of the backends.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackendNeeds {
    pub(crate) ports: OptionalPorts,
    /// The workers that are fed by a queue.
    pub(crate) queue_workers: Vec<WorkerId>,
    /// The workers whose records in a database were stored under their names alone by earlier versions.
    pub(crate) unqualified: Vec<WorkerId>,
}

impl BackendNeeds {
    /// Returns the needs of a fleet with these workers.
    pub(crate) fn of(ports: OptionalPorts, workers: &[WorkerSpec]) -> BackendNeeds {
        let queue_workers = workers.iter().filter(|spec| spec.queue().is_some()).map(WorkerSpec::id);
        BackendNeeds { ports, queue_workers: queue_workers.collect(), unqualified: Vec::new() }
    }

    /// Returns the same for a fleet whose workers had records in a database before records named the fleet.
    pub(crate) fn with_earlier_records(self, workers: &[WorkerSpec]) -> BackendNeeds {
        BackendNeeds { unqualified: workers.iter().map(WorkerSpec::id).collect(), ..self }
    }

    /// Returns the combined needs of several fleets.
    pub(crate) fn of_all(fleets: impl IntoIterator<Item = BackendNeeds>) -> BackendNeeds {
        fleets.into_iter().fold(BackendNeeds::default(), |mut all, fleet| {
            all.ports = all.ports.and(fleet.ports);
            all.queue_workers.extend(fleet.queue_workers);
            all.unqualified.extend(fleet.unqualified);
            all
        })
    }
}

/// The backend behind each port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackendChoice {
    pub(crate) queues: QueueBackend,
    pub(crate) wakeups: WakeupBackend,
    pub(crate) throttle: ThrottleBackend,
    pub(crate) key_pool: StoreBackend,
    pub(crate) stores: StoreBackend,
}

impl BackendChoice {
    pub(super) const LOCAL: BackendChoice = BackendChoice {
        queues: QueueBackend::Sqlite,
        wakeups: WakeupBackend::Sqlite,
        throttle: ThrottleBackend::Sqlite,
        key_pool: StoreBackend::Sqlite,
        stores: StoreBackend::Sqlite,
    };

    const AWS: BackendChoice = BackendChoice {
        queues: QueueBackend::Sqs,
        wakeups: WakeupBackend::Scheduler,
        throttle: ThrottleBackend::Lambda,
        key_pool: StoreBackend::Mongo,
        stores: StoreBackend::Mongo,
    };

    /// Returns whether fleets with these `ports` share any file in `STINT_HOME`.
    pub(crate) fn has_sqlite(&self, ports: OptionalPorts) -> bool {
        self.queues == QueueBackend::Sqlite
            || self.wakeups == WakeupBackend::Sqlite
            || self.throttle == ThrottleBackend::Sqlite
            || (ports.key_pool && self.key_pool == StoreBackend::Sqlite)
            || (ports.stores && self.stores == StoreBackend::Sqlite)
    }

    /// Returns whether fleets with these `ports` store anything in MongoDB.
    pub(crate) fn has_mongo(&self, ports: OptionalPorts) -> bool {
        (ports.key_pool && self.key_pool == StoreBackend::Mongo)
            || (ports.stores && self.stores == StoreBackend::Mongo)
            || (ports.records && self.throttle == ThrottleBackend::Lambda)
    }

    /// Returns whether any backend is an AWS service.
    pub(crate) fn has_aws(&self) -> bool {
        self.queues == QueueBackend::Sqs || self.calls_functions()
    }

    /// Checks that a build with these `clouds` has the chosen backends, for fleets with these `ports`. An error names the missing
    /// feature.
    fn check(&self, ports: OptionalPorts, clouds: Clouds) -> Result<(), String> {
        if self.has_aws() && !clouds.aws {
            return Err(built_without_cloud("AWS", "aws"));
        }
        if self.has_mongo(ports) && !clouds.mongo {
            return Err(built_without_cloud("MongoDB", "mongodb"));
        }
        Ok(())
    }

    /// Returns whether the workers are Lambda functions.
    pub(crate) fn calls_functions(&self) -> bool {
        self.wakeups == WakeupBackend::Scheduler || self.throttle == ThrottleBackend::Lambda
    }
}

impl BackendSettings {
    /// Returns the settings from the environment. An error names the variable.
    pub(crate) fn from_environment() -> Result<BackendSettings, SettingsError> {
        settings::from_environment()
    }

    /// Returns the topic to which alarms are published.
    pub(crate) fn alarm_topic(&self) -> Option<&str> {
        #[cfg(feature = "aws")]
        return self.alarm_topic_arn.as_deref();
        #[cfg(not(feature = "aws"))]
        None
    }

    /// Returns the backend behind each port: its own setting, or else the profile's.
    pub(crate) fn choice(&self) -> BackendChoice {
        let profile = match self.profile {
            Profile::Local => BackendChoice::LOCAL,
            Profile::Aws => BackendChoice::AWS,
        };
        BackendChoice {
            queues: self.queues.unwrap_or(profile.queues),
            wakeups: self.wakeups.unwrap_or(profile.wakeups),
            throttle: self.throttle.unwrap_or(profile.throttle),
            key_pool: self.key_pool.unwrap_or(profile.key_pool),
            stores: self.stores.unwrap_or(profile.stores),
        }
    }

    /// Checks that everything is set that this choice needs for fleets with these `ports`, except settings that are read
    /// `later`. An error names what is missing.
    pub(crate) fn check(&self, ports: OptionalPorts, later: &[&str]) -> Result<(), String> {
        let choice = self.choice();
        choice.check(ports, Clouds::HERE)?;
        #[cfg(not(feature = "mongodb"))]
        let _ = later;
        #[cfg(feature = "mongodb")]
        if choice.has_mongo(ports) && !later.contains(&"MONGODB_URI") {
            self.mongo.uri()?;
        }
        #[cfg(feature = "aws")]
        self.check_functions(choice, ports)?;
        Ok(())
    }

    #[cfg(feature = "aws")]
    fn check_functions(&self, choice: BackendChoice, ports: OptionalPorts) -> Result<(), String> {
        let sets_wakeups = ports.wakeups && choice.wakeups == WakeupBackend::Scheduler;
        if choice.throttle == ThrottleBackend::Lambda || sets_wakeups {
            self.aws.function()?;
        }
        if sets_wakeups {
            self.aws.scheduler_role()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    const ALL: OptionalPorts = OptionalPorts { key_pool: true, stores: true, records: true, wakeups: true };

    /// Parses the arguments without the server that `scripts/test` names in the environment.
    fn settings(arguments: &[&str]) -> BackendSettings {
        let command = BackendSettings::augment_args(clap::Command::new("stint"));
        let matches = command.get_matches_from([&["stint"], arguments].concat());
        let mut backends = BackendSettings::from_arg_matches(&matches).unwrap();
        backends.mongo.mongodb_uri = None;
        backends
    }

    #[test]
    fn a_single_setting_overrides_the_profile() {
        assert_eq!(settings(&[]).choice(), BackendChoice::LOCAL);
        let mixed = settings(&["--profile", "aws", "--queues", "sqlite"]).choice();
        assert_eq!(mixed, BackendChoice { queues: QueueBackend::Sqlite, ..BackendChoice::AWS });
        let mixed = settings(&["--stores", "mongo"]).choice();
        assert_eq!(mixed, BackendChoice { stores: StoreBackend::Mongo, ..BackendChoice::LOCAL });
    }

    #[test]
    fn a_backend_that_was_not_built_is_an_error_that_names_its_feature() {
        let check = |choice: BackendChoice, aws, mongo| choice.check(ALL, Clouds { aws, mongo });
        assert_eq!(check(BackendChoice::LOCAL, false, false), Ok(()));
        assert_eq!(check(BackendChoice::AWS, true, true), Ok(()));
        let without = |what, feature| {
            Err(format!(
                "this program was built without {what}: build it with --features {feature}, or with --features cloud for \
                 every cloud backend"
            ))
        };
        assert_eq!(check(BackendChoice::AWS, false, false), without("AWS", "aws"));
        assert_eq!(check(BackendChoice::AWS, true, false), without("MongoDB", "mongodb"));
        let queues_alone = BackendChoice { queues: QueueBackend::Sqs, ..BackendChoice::LOCAL };
        assert_eq!(check(queues_alone, false, true), without("AWS", "aws"));
    }

    #[test]
    fn missing_settings_of_a_choice_are_named() {
        let missing = |arguments: &[&str], later: &[&str]| settings(arguments).check(ALL, later).unwrap_err();
        assert!(missing(&["--key-pool", "mongo"], &[]).starts_with("MONGODB_URI is not set: "));
        assert!(missing(&["--throttle", "lambda"], &["MONGODB_URI"]).starts_with("STINT_AWS_FUNCTION is not set: "));
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:stint-{fleet}-{worker}";
        let scheduler = ["--wakeups", "scheduler", "--aws-function", function];
        assert!(missing(&scheduler, &[]).starts_with("STINT_AWS_SCHEDULER_ROLE is not set: "));
        assert_eq!(settings(&["--queues", "sqs"]).check(ALL, &[]), Ok(()));
        let role = ["--aws-scheduler-role", "arn:aws:iam::123456789012:role/stint"];
        let deployed = settings(&[&["--profile", "aws", "--aws-function", function][..], &role].concat());
        assert!(deployed.check(ALL, &[]).unwrap_err().starts_with("MONGODB_URI is not set: "));
        let without_role = settings(&["--profile", "aws", "--aws-function", function]);
        assert_eq!(
            without_role.check(OptionalPorts::default(), &[]),
            Ok(()),
            "a fleet without a database and without wake-ups"
        );
        assert!(
            settings(&["--profile", "aws"])
                .check(OptionalPorts::default(), &[])
                .unwrap_err()
                .starts_with("STINT_AWS_FUNCTION")
        );
        let folder = |arguments: &[&str], ports| settings(arguments).choice().has_sqlite(ports);
        assert!(!folder(&["--profile", "aws", "--key-pool", "sqlite", "--stores", "sqlite"], OptionalPorts::default()));
        assert!(folder(&["--profile", "aws", "--key-pool", "sqlite"], ALL) && folder(&[], OptionalPorts::default()));
        assert_eq!(settings(&[]).check(ALL, &[]), Ok(()));
    }
}
