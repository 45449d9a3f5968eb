//! The local host on virtual time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod fleets;
mod listeners;
mod local;
mod paid_queue;
mod schedules;
mod store_outages;
mod waking;
