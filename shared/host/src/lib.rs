//! Hosts call workers: [`LocalHost`] runs all of them in one process.

#![warn(missing_docs)]

pub mod config;
mod counters;
mod invoke;
mod local;
mod system_clock;
pub mod telemetry;

pub use counters::{Counters, Totals};
pub use local::{Changed, LocalHost, Ports};
pub use system_clock::SystemClock;
