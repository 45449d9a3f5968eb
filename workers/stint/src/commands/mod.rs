//! The shared commands, one to a file. Those of one fleet are in its folder.

pub(crate) mod data;
pub(crate) mod describe;
pub(crate) mod lambda;
mod meant;
pub(crate) mod per_fleet;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod throttle;
pub(crate) mod up;
pub(crate) mod upkeep;
