//! The cloud adapters on AWS: the queue port on SQS, wake-ups on EventBridge Scheduler, the throttle on Lambda's event
//! source mappings.
//!
//! [`Aws`] makes them from [`AwsSettings`]. What AWS cannot do as the ports have it is said where it is done:
//! * SQS shows no waiting message without receiving it, so `peek` is refused. Counts are estimates.
//! * EventBridge Scheduler counts in minutes and fires within one; it calls workers by itself, so there is no
//!   `WakeupSource`.
//! * A mapping's least concurrency is 2, and it obeys after a while: see [`MappingThrottle`].

#![warn(missing_docs)]

mod account;
pub mod config;
mod error;
mod queue;
mod secrets;
mod throttle;
mod wakeups;

pub use account::Aws;
pub use config::{AwsSettings, Template};
pub use queue::{SqsQueue, receipt};
pub use secrets::Secret;
pub use throttle::{Intent, MAPPING_LAG, MappingThrottle, ThrottleMemory, ThrottleRecord, Wanted};
pub use wakeups::{SchedulerWakeups, WakeupInput};
