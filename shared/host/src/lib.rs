//! Hosts call workers: [`LocalHost`] runs all of them in one process, and [`LambdaHost`] runs one of them as a
//! function.

#![warn(missing_docs)]

pub mod config;
mod counters;
mod dispose;
pub mod http;
mod intake;
mod invoke;
#[cfg(feature = "lambda")]
mod lambda;
pub mod listeners;
mod local;
mod schedules;
mod store_gate;
mod system_clock;
pub mod telemetry;

pub use counters::{Counters, Totals};
pub use invoke::invoke;
#[cfg(feature = "lambda")]
pub use lambda::{Feed, LambdaHost, MARGIN, SqsRecord, serve};
pub use local::{Changed, LocalHost, Observer, Ports};
pub use system_clock::SystemClock;
