//! The fleet as a whole on virtual time, and its stores on every backend.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod crashing;
mod disagreeing;
mod following;
mod indexing;
mod limits;
mod missing;
mod mutations;
mod outages;
mod recorded;
mod restarting;
mod starting;
mod stores;
mod tail;
mod watching;
mod world;
