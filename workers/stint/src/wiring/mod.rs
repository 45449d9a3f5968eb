//! Selects the backend behind each port. Only this module knows both ports and backends.
//!
//! Each cloud backend has a file for builds with it, and a file `no_….rs` for builds without it, in which its type has no
//! values.

mod alarms;
#[cfg(feature = "aws")]
mod aws;
#[cfg(not(feature = "aws"))]
#[path = "no_aws.rs"]
mod aws;
mod backends;
mod config;
mod hosts;
mod listeners;
#[cfg(feature = "mongodb")]
mod mongo;
#[cfg(not(feature = "mongodb"))]
#[path = "no_mongo.rs"]
mod mongo;
mod report_log;
#[cfg(all(feature = "aws", feature = "mongodb"))]
mod throttles;
#[cfg(not(all(feature = "aws", feature = "mongodb")))]
#[path = "no_throttles.rs"]
mod throttles;

pub(crate) use backends::{Backends, Database};
pub(crate) use config::{BackendChoice, BackendNeeds, BackendSettings, OptionalPorts, QueueBackend};
pub(crate) use hosts::Hosts;
pub(crate) use listeners::{RunningListener, ports as listener_ports, running as running_listeners};
pub(crate) use report_log::ReportLog;
