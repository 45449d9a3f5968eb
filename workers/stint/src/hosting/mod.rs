//! Runs fleets under a host: all workers on this machine, one worker by hand, or one worker as a function.

mod http;
mod installation;
mod local;
mod stopping;
mod watch;

#[cfg(feature = "aws")]
pub(crate) use installation::build_function;
pub(crate) use installation::{Installation, OpenFleet, build_worker};
pub(crate) use local::run_local;
pub(crate) use stopping::{STOPPING_MESSAGE, drain, wait_for_signal};
pub(crate) use watch::{PollInterval, WatchOptions};
