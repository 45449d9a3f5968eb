//! The test kit of every adapter: one conformance suite per port, a driver of virtual time, processes that crash at a
//! chosen kill point, mutations of upstream answers, and a reader of exported telemetry.
//!
//! The suites are the executable specification of `stint_core::ports`. An adapter implements the world of a port and
//! names the suite once; each sentence of the contract becomes a test of that name:
//!
//! ```text
//! stint_testkit::queue_suite!(futures::executor::block_on, world());
//! ```

#![warn(missing_docs)]

pub mod alarms;
pub mod blobs;
pub mod breakers;
mod config;
pub mod drive;
mod fault_injector;
mod faults;
pub mod http;
pub mod key_pool;
pub mod kill_points;
pub mod leases;
mod mutations;
pub mod otlp;
pub mod queue;
pub mod rate_limits;
mod suite;
pub mod throttle;
pub mod wakeups;
mod workers;
mod world;

pub use config::extent;
pub use drive::{Companions, Driver, drive};
pub use fault_injector::FaultInjector;
pub use faults::FaultPlan;
pub use mutations::{Mutations, peak_megabytes};
pub use workers::Workers;
pub use world::{
    AlarmWorld, BlobWorld, BreakerWorld, KeyPoolWorld, LeaseWorld, QueueWorld, ThrottleWorld, Time, WakeupWorld,
};
