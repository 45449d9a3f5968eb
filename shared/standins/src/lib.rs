//! Stand-ins for upstreams: plain, deterministic state behind a thin layer of HTTP.
//!
//! A stand-in is an [`Upstream`]: for the same requests at the same instants it returns the same answers, byte for
//! byte. It reads no clock and never waits; each [`Reply`] says how long it would have taken, and how its body is
//! transferred. Two thin layers connect it to a client: [`InProcess`] implements the port that a client sends through,
//! on any clock, and [`serve`] listens on a real socket.

#![warn(missing_docs)]

mod in_process;
#[cfg(feature = "poe-stashes")]
pub mod poe_stashes;
mod random;
mod server;
mod transfer;
mod upstream;
#[cfg(feature = "warcraftlogs")]
pub mod warcraftlogs;

pub use in_process::InProcess;
#[cfg(feature = "poe-stashes")]
pub use poe_stashes::PoeStashes;
pub use server::serve;
pub use transfer::Transfer;
pub use upstream::{Reply, Upstream};
#[cfg(feature = "warcraftlogs")]
pub use warcraftlogs::WarcraftLogs;
