//! The adapters for AWS: the queue port on SQS, wake-ups on EventBridge Scheduler, the throttle on Lambda's event source
//! mappings, and what stores on DynamoDB share.
//!
//! [`Aws`] creates them from [`AwsSettings`]. They differ from the ports' contracts where AWS has no equivalent:
//! * SQS shows no waiting message without receiving it, so `peek` is refused. Counts are estimates.
//! * EventBridge Scheduler counts in minutes and fires within one. It calls workers itself, so there is no
//!   `WakeupSource`.
//! * A mapping's lowest concurrency is 2, and a change takes effect after a delay: see [`MappingThrottle`].

#![warn(missing_docs)]

mod account;
mod alarms;
pub mod config;
pub mod dynamodb;
mod error;
mod queue;
mod secrets;
pub mod testing;
mod throttle;
mod wakeups;

pub use account::{Aws, with_client};
pub use alarms::SnsSink;
pub use config::{AwsSettings, FunctionTemplate, Template};
pub use dynamodb::{Dynamo, DynamoError};
pub use queue::{SqsQueue, receipt};
pub use secrets::Secret;
pub use throttle::{
    DesiredState, MAPPING_LAG, MappingThrottle, PendingWrite, ReservedThrottle, ThrottleMemory, ThrottleRecord,
};
pub use wakeups::SchedulerWakeups;
