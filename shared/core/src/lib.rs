//! The core of Stint: workers, the ports they work through, the budget ledger, and time. It does no I/O and names no
//! vendor.
//!
//! Start with [`worker::Worker`], then [`ports`], then [`ledger`].

#![warn(missing_docs)]

pub mod alarms;
pub mod circuit;
pub mod clock;
pub mod http;
pub mod ledger;
pub mod ledger_store;
pub mod listener;
pub mod plan;
pub mod points;
pub mod ports;
pub mod registry;
pub mod schedule;
pub mod steps;
pub mod telemetry;
pub mod token_bucket;
pub mod worker;
mod worker_id;
