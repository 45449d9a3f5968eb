//! The shared commands, one file each. A fleet's own commands are in the fleet's folder.

pub(crate) mod data;
pub(crate) mod describe;
#[cfg(feature = "aws")]
pub(crate) mod lambda;
#[cfg(not(feature = "aws"))]
#[path = "no_lambda.rs"]
pub(crate) mod lambda;
pub(crate) mod per_fleet;
pub(crate) mod queue;
pub(crate) mod run;
mod selection;
pub(crate) mod status;
pub(crate) mod throttle;
pub(crate) mod up;
pub(crate) mod upkeep;
