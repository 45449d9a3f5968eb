//! Stand-ins for upstreams: plain, deterministic state behind a thin layer of HTTP.
//!
//! A stand-in is an [`Upstream`]: asked the same requests at the same instants, it gives the same answers, byte for
//! byte. It reads no clock and never waits; each [`Reply`] says how long it would have taken, and how its body comes. Two thin layers bring
//! it to a client: [`InProcess`] behind the port that a client sends through, on any clock, and [`serve`] behind a
//! real socket.

#![warn(missing_docs)]

mod draw;
mod in_process;
pub mod poe_stashes;
mod server;
mod transfer;
mod upstream;
pub mod warcraftlogs;

pub use in_process::InProcess;
pub use poe_stashes::PoeStashes;
pub use server::serve;
pub use transfer::Transfer;
pub use upstream::{Reply, Upstream};
pub use warcraftlogs::WarcraftLogs;
