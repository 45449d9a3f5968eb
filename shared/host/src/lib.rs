//! Hosts call workers: [`LocalHost`] runs all of them in one process.

#![warn(missing_docs)]

pub mod config;
mod counters;
mod invoke;
mod local;
pub mod telemetry;

pub use counters::{Counters, Totals};
pub use local::{Changed, LocalHost, Ports};
