//! A stand-in for what AWS Lambda does around a function: execution environments with real processes that ask a Runtime
//! API for events, reserved concurrency, and an event source mapping that polls a queue. For tests and measurements.
//!
//! [`Function`] starts a process when no idle one is there, hands it an event and waits for its answer; beyond its
//! reserved concurrency it answers 429. [`Poller`] takes batches from a [`Source`] and deletes what was done.
//! What time it is, and how long anything may take, is the caller's [`Clock`](stint_core::clock::Clock).
//!
//! `shared/simulation` has the same on virtual time, without processes and with AWS's own pace.

#![warn(missing_docs)]

mod environment;
mod function;
mod poller;
mod server;

pub use environment::{Launch, Started};
pub use function::{Function, InvokeError};
pub use poller::{Polled, Poller, QueueSource, Source, record};
