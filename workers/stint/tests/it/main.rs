//! The real binary, as a user runs it.

mod data;
mod demo;
mod describe;
mod errors;
mod help;
mod keys;
mod kill;
mod lookup;
mod program;
mod queue;
mod rules;
mod status;
mod throttle;
mod world;
