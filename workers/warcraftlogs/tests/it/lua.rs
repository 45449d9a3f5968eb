//! The Lua databases: what goes in comes out, in Rust and in the real interpreter.

mod extras;
mod interpreter;
mod lookup;
mod options;
mod refusals;
mod round_trip;
pub(crate) mod world;
