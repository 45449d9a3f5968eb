//! What stands behind each port: one setting each, or a profile for all of them.

use clap::{Args, Parser, ValueEnum};
use stint_aws::AwsSettings;
use stint_mongo::MongoSettings;
use stint_warcraftlogs::config::SettingsError;

/// What stands behind the ports.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backends")]
pub(crate) struct BackendSettings {
    /// What stands behind every port that no setting below names.
    #[arg(long, env = "STINT_PROFILE", value_name = "STINT_PROFILE", value_enum, default_value_t = Profile::Local)]
    pub(crate) profile: Profile,

    /// The queues.
    #[arg(long, env = "STINT_QUEUES", value_name = "STINT_QUEUES", value_enum)]
    pub(crate) queues: Option<QueueBackend>,

    /// Wake-ups. `stint up` keeps its own schedules, and so needs sqlite.
    #[arg(long, env = "STINT_WAKEUPS", value_name = "STINT_WAKEUPS", value_enum)]
    pub(crate) wakeups: Option<WakeupBackend>,

    /// The concurrency of workers. `stint up` obeys only sqlite.
    #[arg(long, env = "STINT_THROTTLE", value_name = "STINT_THROTTLE", value_enum)]
    pub(crate) throttle: Option<ThrottleBackend>,

    /// The keys' shared budget, and the messages that wait for points.
    #[arg(long, env = "STINT_KEY_POOL", value_name = "STINT_KEY_POOL", value_enum)]
    pub(crate) key_pool: Option<StoreBackend>,

    /// The collections of warcraftlogs: rules, discovered players, ranks. The chain of poe-stashes is where queues are: in
    /// `STINT_HOME`, or with SQS in the bucket of `POE_BLOBS`.
    #[arg(long, env = "STINT_STORES", value_name = "STINT_STORES", value_enum)]
    pub(crate) stores: Option<StoreBackend>,

    #[command(flatten)]
    pub(crate) aws: AwsSettings,

    #[command(flatten)]
    pub(crate) mongo: MongoSettings,
}

/// A choice for all ports at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// SQLite in the folder `STINT_HOME`: nothing to install.
    Local,
    /// SQS, EventBridge Scheduler, Lambda's event source mappings, and MongoDB.
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
    /// The event source mappings of Lambda functions. What they were told is kept in MongoDB.
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

/// What stands behind each port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) queues: QueueBackend,
    pub(crate) wakeups: WakeupBackend,
    pub(crate) throttle: ThrottleBackend,
    pub(crate) key_pool: StoreBackend,
    pub(crate) stores: StoreBackend,
}

impl Choice {
    pub(super) const LOCAL: Choice = Choice {
        queues: QueueBackend::Sqlite,
        wakeups: WakeupBackend::Sqlite,
        throttle: ThrottleBackend::Sqlite,
        key_pool: StoreBackend::Sqlite,
        stores: StoreBackend::Sqlite,
    };

    const AWS: Choice = Choice {
        queues: QueueBackend::Sqs,
        wakeups: WakeupBackend::Scheduler,
        throttle: ThrottleBackend::Lambda,
        key_pool: StoreBackend::Mongo,
        stores: StoreBackend::Mongo,
    };

    /// Whether anything is kept in `STINT_HOME`.
    pub(crate) fn has_sqlite(&self) -> bool {
        self.queues == QueueBackend::Sqlite
            || self.wakeups == WakeupBackend::Sqlite
            || self.throttle == ThrottleBackend::Sqlite
            || self.key_pool == StoreBackend::Sqlite
            || self.stores == StoreBackend::Sqlite
    }

    /// Whether anything is kept in MongoDB.
    pub(crate) fn has_mongo(&self) -> bool {
        self.key_pool == StoreBackend::Mongo
            || self.stores == StoreBackend::Mongo
            || self.throttle == ThrottleBackend::Lambda
    }

    /// Whether anything is asked of AWS.
    pub(crate) fn has_aws(&self) -> bool {
        self.queues == QueueBackend::Sqs || self.calls_functions()
    }

    /// Whether the workers are functions that AWS calls.
    pub(crate) fn calls_functions(&self) -> bool {
        self.wakeups == WakeupBackend::Scheduler || self.throttle == ThrottleBackend::Lambda
    }
}

impl BackendSettings {
    /// The settings of the environment. An error names the variable.
    pub(crate) fn from_environment() -> Result<BackendSettings, SettingsError> {
        BackendsAlone::try_parse_from(["stint"])
            .map(|parsed| parsed.backends)
            .map_err(|error| SettingsError::from(&error))
    }

    /// What stands behind each port: what its setting says, or else the profile.
    pub(crate) fn choice(&self) -> Choice {
        let profile = match self.profile {
            Profile::Local => Choice::LOCAL,
            Profile::Aws => Choice::AWS,
        };
        Choice {
            queues: self.queues.unwrap_or(profile.queues),
            wakeups: self.wakeups.unwrap_or(profile.wakeups),
            throttle: self.throttle.unwrap_or(profile.throttle),
            key_pool: self.key_pool.unwrap_or(profile.key_pool),
            stores: self.stores.unwrap_or(profile.stores),
        }
    }

    /// Checks that everything is set which the choice needs, but for the settings that come `later`. An error names what
    /// is missing.
    pub(crate) fn check(&self, later: &[&str]) -> Result<(), String> {
        let choice = self.choice();
        if choice.has_mongo() && !later.contains(&"MONGODB_URI") {
            self.mongo.uri()?;
        }
        if choice.calls_functions() {
            self.aws.function()?;
        }
        if choice.wakeups == WakeupBackend::Scheduler {
            self.aws.scheduler_role()?;
        }
        Ok(())
    }
}

#[derive(Parser)]
struct BackendsAlone {
    #[command(flatten)]
    backends: BackendSettings,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the server that `scripts/test` names in the environment.
    fn settings(arguments: &[&str]) -> BackendSettings {
        let mut backends = BackendsAlone::parse_from([&["stint"], arguments].concat()).backends;
        backends.mongo.mongodb_uri = None;
        backends
    }

    #[test]
    fn a_setting_of_its_own_wins_over_the_profile() {
        assert_eq!(settings(&[]).choice(), Choice::LOCAL);
        let mixed = settings(&["--profile", "aws", "--queues", "sqlite"]).choice();
        assert_eq!(mixed, Choice { queues: QueueBackend::Sqlite, ..Choice::AWS });
        let mixed = settings(&["--stores", "mongo"]).choice();
        assert_eq!(mixed, Choice { stores: StoreBackend::Mongo, ..Choice::LOCAL });
    }

    #[test]
    fn what_a_choice_needs_is_asked_for_by_name() {
        let missing = |arguments: &[&str], later: &[&str]| settings(arguments).check(later).unwrap_err();
        assert!(missing(&["--key-pool", "mongo"], &[]).starts_with("MONGODB_URI is not set: "));
        assert!(missing(&["--throttle", "lambda"], &["MONGODB_URI"]).starts_with("STINT_AWS_FUNCTION is not set: "));
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:stint-{}";
        let scheduler = ["--wakeups", "scheduler", "--aws-function", function];
        assert!(missing(&scheduler, &[]).starts_with("STINT_AWS_SCHEDULER_ROLE is not set: "));
        assert_eq!(settings(&["--queues", "sqs"]).check(&[]), Ok(()));
        assert_eq!(settings(&[]).check(&[]), Ok(()));
    }
}
