//! The Lua databases: every player is read back as written, in Rust and in the real interpreter.

mod extras;
mod interpreter;
mod lookup;
mod options;
mod refusals;
mod round_trip;
pub(crate) mod world;
