//! Runs fleets under a host: all workers on this machine, one worker by hand, or one worker as a function.

mod here;
mod installation;
mod stopping;
mod watch;

pub(crate) use here::here;
#[cfg(feature = "aws")]
pub(crate) use installation::function;
pub(crate) use installation::{Installation, Opened, worker};
pub(crate) use stopping::{STOPPING, drained, interrupted};
pub(crate) use watch::{Looks, Until};
