//! The AWS adapters pass the conformance suites against the emulator, except for the tests that `emulator.rs` lists
//! with reasons.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use stint_aws::{Aws, ReservedThrottle};
use stint_core::clock::ManualClock;
use stint_core::ports::{MAX_BODY, PortResult, Queue, QueueSettings, Throttle, WakeupSource, Wakeups};
use stint_testkit::{QueueWorld, ThrottleWorld, Time, WakeupWorld};

use crate::emulator::{ACCOUNT, ROLE, create_role, skip_rest, unused, url};
use crate::memory::Memory;
use crate::throttle::WORKER;
use crate::{REGION, account, function};

/// A part of the emulator that no other test uses.
pub(crate) struct EmulatorWorld {
    pub(crate) aws: Aws,
    pub(crate) config: SdkConfig,
    pub(crate) prefix: String,
    /// The clock of the adapter and of the emulator.
    clock: ManualClock,
    time: ServiceTime,
    memory: Arc<Memory>,
    queues: Mutex<BTreeSet<String>>,
}

impl EmulatorWorld {
    pub(crate) async fn new() -> EmulatorWorld {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let prefix = unused();
        let (aws, config) = account(&url().unwrap(), &prefix, Arc::new(clock.clone())).await;
        let time = ServiceTime(clock.clone());
        EmulatorWorld { aws, config, prefix, clock, time, memory: Arc::default(), queues: Mutex::default() }
    }

    pub(crate) async fn with_wakeups() -> EmulatorWorld {
        let world = EmulatorWorld::new().await;
        let client = aws_sdk_scheduler::Client::new(&world.config);
        client.create_schedule_group().name(&world.prefix).send().await.unwrap();
        world
    }

    /// Creates a world with a queue and a function that it feeds. The mapping starts disabled, because otherwise the
    /// emulator would take the messages.
    pub(crate) async fn with_throttles() -> EmulatorWorld {
        let world = EmulatorWorld::new().await;
        create_role();
        let queue = format!("{}-work", world.prefix);
        aws_sdk_sqs::Client::new(&world.config).create_queue().queue_name(&queue).send().await.unwrap();
        let lambda = aws_sdk_lambda::Client::new(&world.config);
        // An empty zip archive.
        let code = FunctionCode::builder().zip_file(Blob::new([b"PK\x05\x06".as_slice(), &[0; 18]].concat())).build();
        let name = format!("{}-{}-{}", world.prefix, WORKER.fleet, WORKER.name);
        let create = lambda.create_function().function_name(name).runtime(Runtime::Providedal2023).handler("bootstrap");
        create.role(ROLE).code(code).send().await.unwrap();
        let mapping = lambda.create_event_source_mapping().function_name(function(&world.prefix, &WORKER));
        let source = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}");
        mapping.event_source_arn(source).enabled(false).send().await.unwrap();
        world
    }

    pub(crate) fn reserved_throttle(&self) -> Arc<ReservedThrottle> {
        self.aws.reserved_throttle(self.memory.clone(), &[WORKER], &[WORKER]).unwrap()
    }

    /// Creates the queue and its dead-letter queue as infrastructure does.
    async fn create_queue(&self, name: &str, settings: QueueSettings) {
        let client = aws_sdk_sqs::Client::new(&self.config);
        let (live, dead) = (format!("{}-{name}", self.prefix), format!("{}-{name}-dead-letters", self.prefix));
        let size = MAX_BODY.to_string();
        let create = client.create_queue().queue_name(&dead).attributes(QueueAttributeName::MaximumMessageSize, &size);
        create.send().await.unwrap();
        let policy = format!(
            r#"{{"deadLetterTargetArn": "arn:aws:sqs:{REGION}:{ACCOUNT}:{dead}", "maxReceiveCount": {}}}"#,
            settings.max_receives
        );
        let create = client.create_queue().queue_name(live).attributes(QueueAttributeName::MaximumMessageSize, size);
        create.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    }
}

/// The time of a service. It passes and is never set: a jump of a machine's clock hides no message in SQS.
struct ServiceTime(ManualClock);

#[async_trait]
impl Time for ServiceTime {
    fn now(&self) -> Timestamp {
        Time::now(&self.0)
    }

    async fn pass(&self, duration: Duration) -> bool {
        self.0.pass(duration).await
    }
}

#[async_trait]
impl QueueWorld for EmulatorWorld {
    async fn queue(&self, name: &str, settings: QueueSettings) -> PortResult<Arc<dyn Queue>> {
        let is_new = self.queues.lock().unwrap().insert(name.to_owned());
        if is_new {
            self.create_queue(name, settings).await;
        }
        Ok(self.aws.queue(name, settings))
    }

    fn time(&self) -> &dyn Time {
        &self.time
    }

    fn counts_are_exact(&self) -> bool {
        false
    }
}

#[async_trait]
impl WakeupWorld for EmulatorWorld {
    async fn wakeups(&self) -> PortResult<Arc<dyn Wakeups>> {
        Ok(self.aws.wakeups().unwrap())
    }

    /// Nine of the suite's tests are about firing. The simulation covers how a fleet uses it.
    async fn source(&self) -> PortResult<Option<Arc<dyn WakeupSource>>> {
        skip_rest("EventBridge Scheduler calls the worker by itself, and the emulator fires nothing");
        Ok(None)
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

#[async_trait]
impl ThrottleWorld for EmulatorWorld {
    async fn throttle(&self) -> PortResult<Arc<dyn Throttle>> {
        Ok(self.aws.throttle(self.memory.clone(), &[WORKER]).unwrap())
    }
}

/// The same world, in which the function is throttled by its reserved concurrency.
struct ReservedWorld(EmulatorWorld);

impl ReservedWorld {
    async fn new() -> ReservedWorld {
        ReservedWorld(EmulatorWorld::with_throttles().await)
    }
}

#[async_trait]
impl ThrottleWorld for ReservedWorld {
    async fn throttle(&self) -> PortResult<Arc<dyn Throttle>> {
        Ok(self.0.reserved_throttle())
    }
}

mod queue {
    stint_testkit::queue_suite!(crate::emulator::run, crate::conformance::EmulatorWorld::new());
}
mod wakeups {
    stint_testkit::wakeups_suite!(crate::emulator::run, crate::conformance::EmulatorWorld::with_wakeups());
}
mod throttle {
    stint_testkit::throttle_suite!(crate::emulator::run, crate::conformance::EmulatorWorld::with_throttles());
}
mod reserved {
    stint_testkit::throttle_suite!(crate::emulator::run, crate::conformance::ReservedWorld::new());
}
