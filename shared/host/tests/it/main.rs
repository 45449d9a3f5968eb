//! The local host on virtual time, and the hosts that serve HTTP on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod fleets;
mod http;
mod listeners;
mod local;
mod paid_queue;
mod schedules;
mod store_outages;
mod waking;
