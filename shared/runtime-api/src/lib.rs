//! A stand-in for AWS Lambda around a function: execution environments with real processes that ask a Runtime API for
//! events, reserved concurrency, and an event source mapping that polls a queue. For tests and benchmarks.
//!
//! [`ProcessFunction`] sends an event to an idle process, or to a new one if there is none, and waits for its answer;
//! above the reserved concurrency it fails with status 429. [`EventSourceMapping`] receives batches from a [`Source`]
//! and deletes the messages that were processed. The time and all time limits come from the caller's
//! [`Clock`](stint_core::clock::Clock).
//!
//! `shared/simulation` models the same on virtual time, without processes and with AWS's own speed.

#![warn(missing_docs)]

mod environment;
mod function;
mod gateway;
mod poller;
mod server;

pub use environment::{Launch, Started};
pub use function::{InvokeError, ProcessFunction};
pub use gateway::{Front, GatewayFunction, serve_gateway};
pub use poller::{EventSourceMapping, PollStats, QueueSource, Source, record};
