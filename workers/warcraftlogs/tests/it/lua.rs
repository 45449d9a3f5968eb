//! The Lua databases: every player is read back as written, in Rust and in the real interpreter.

mod extras;
mod interpreter;
mod lookup;
mod options;
pub(crate) mod players;
mod refusals;
mod round_trip;
