//! The AWS account and region of the adapters, and how calls are made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use stint_core::clock::Clock;
use stint_core::ports::{QueueSettings, Schedule, Wakeups};
use stint_core::worker::WorkerId;
use stint_http::Transport;

use crate::alarms::SnsSink;
use crate::config::{AwsSettings, of_environment};
use crate::dynamodb::Dynamo;
use crate::queue::SqsQueue;
use crate::secrets::{Secret, read_secrets};
use crate::throttle::{MappingThrottle, ReservedThrottle, ThrottleMemory};
use crate::wakeups::{Groups, ScheduleReader, SchedulerWakeups};

/// The time-out of one attempt of a call, in addition to the wait that the call itself requests.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time-out of a call with all its retries, likewise. The invocation that waits for it has a deadline of its own.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the time-outs of a call that waits for `wait` at its server.
pub(crate) fn timeouts(wait: Duration) -> TimeoutConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(wait + ATTEMPT_TIMEOUT);
    timeouts.operation_timeout(wait + CALL_TIMEOUT).build()
}

/// Gives `config` the HTTP client for all calls to AWS, whose TLS uses the same cryptography as the other clients.
pub fn with_client(config: ConfigLoader) -> ConfigLoader {
    config.http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
}

/// An account and region of AWS, from which the adapters are created. A client is created with its adapter, so that a
/// function starts only the clients that it uses.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    settings: AwsSettings,
    clock: Arc<dyn Clock>,
}

impl Aws {
    /// Finds region and credentials as every AWS tool does: environment, profile, role. Credentials are loaded when the
    /// first call needs them; a missing region is an error here.
    pub async fn connect(settings: AwsSettings, clock: Arc<dyn Clock>) -> Result<Aws, String> {
        let config = with_client(of_environment(timeouts(Duration::ZERO))).load().await;
        if config.region().is_none() {
            return Err("AWS_REGION is not set: name the region of the queues and functions".to_owned());
        }
        Ok(Aws::new(config, settings, clock))
    }

    /// Creates an account whose calls use `config`.
    pub fn new(config: SdkConfig, settings: AwsSettings, clock: Arc<dyn Clock>) -> Aws {
        Aws { config, settings, clock }
    }

    /// Returns the queue `name`. Infrastructure has created it and its dead-letter queue; `settings` must match their
    /// attributes.
    pub fn queue(&self, name: &str, settings: QueueSettings) -> Arc<SqsQueue> {
        let client = aws_sdk_sqs::Client::new(&self.config);
        let names = (self.settings.aws_queue.fill(name), self.settings.aws_dead_letters.fill(name));
        Arc::new(SqsQueue::new(client, name, names, settings, self.clock.clone()))
    }

    /// Returns the wake-ups. An error names the missing setting.
    pub fn wakeups(&self) -> Result<Arc<SchedulerWakeups>, String> {
        let (function, role) = (self.settings.function()?, self.settings.scheduler_role()?);
        let client = aws_sdk_scheduler::Client::new(&self.config);
        let groups = Groups {
            wakeups: self.settings.aws_schedule_group.clone(),
            recurring: self.settings.aws_recurring_group.clone(),
        };
        Ok(Arc::new(SchedulerWakeups::new(client, groups, function, role, self.clock.clone())))
    }

    /// Returns the wake-ups, if the role that they need is set, and the recurring schedules that infrastructure has created. An
    /// error names the missing setting.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, String> {
        if self.settings.aws_scheduler_role.is_some() {
            return self.wakeups()?.schedules().await.map_err(|error| error.to_string());
        }
        let Some(group) = &self.settings.aws_recurring_group else { return Ok(Vec::new()) };
        let client = aws_sdk_scheduler::Client::new(&self.config);
        let reader = ScheduleReader { client, function: self.settings.function()?, clock: self.clock.clone() };
        reader.list(group).await.map_err(|error| error.to_string())
    }

    /// Returns the tables of DynamoDB. Infrastructure has created them. `AWS_ENDPOINT_URL_DYNAMODB` names another server.
    pub fn dynamodb(&self) -> Dynamo {
        Dynamo::new(&self.config, self.clock.clone())
    }

    /// Returns a topic that receives alarms, by its ARN.
    pub fn alarm_topic(&self, topic: &str) -> Arc<SnsSink> {
        Arc::new(SnsSink::new(aws_sdk_sns::Client::new(&self.config), topic.to_owned()))
    }

    /// Returns the values of SSM parameters by their full names, with one request over `transport`. An error names the
    /// missing parameters.
    pub async fn secrets(&self, names: &[String], transport: &dyn Transport) -> Result<Vec<Secret>, String> {
        read_secrets(&self.config, names, self.clock.now(), transport).await
    }

    /// Returns the throttles. `throttled` lists the workers that a queue feeds; each has an event source mapping. An
    /// error names the missing setting.
    pub fn throttle(
        &self,
        memory: Arc<dyn ThrottleMemory>,
        throttled: &[WorkerId],
    ) -> Result<Arc<MappingThrottle>, String> {
        let function = self.settings.function()?;
        let client = self.control_plane();
        let functions: BTreeMap<WorkerId, String> =
            throttled.iter().map(|worker| (worker.clone(), function.fill(worker))).collect();
        Ok(Arc::new(MappingThrottle::new(client, functions, memory, self.clock.clone())))
    }

    /// Returns the same throttles, except that the functions of the workers in `reserved` are throttled by their reserved
    /// concurrency.
    pub fn reserved_throttle(
        &self,
        memory: Arc<dyn ThrottleMemory>,
        throttled: &[WorkerId],
        reserved: &[WorkerId],
    ) -> Result<Arc<ReservedThrottle>, String> {
        let mappings = self.throttle(memory, throttled)?;
        Ok(Arc::new(ReservedThrottle::new(self.control_plane(), mappings, reserved, self.clock.clone())))
    }

    /// Returns a client of Lambda's control plane. The throttle itself waits between its attempts, on the clock and for
    /// longer than the SDK would.
    fn control_plane(&self) -> aws_sdk_lambda::Client {
        let config = self.config.to_builder().retry_config(RetryConfig::disabled()).build();
        aws_sdk_lambda::Client::new(&config)
    }
}
