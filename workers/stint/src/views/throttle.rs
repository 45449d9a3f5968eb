//! A throttle as shown to the user.

use serde::Serialize;
use stint_core::ports::Concurrency;
use stint_core::worker::WorkerSpec;

/// How many invocations of a worker may run at once, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ThrottleView {
    pub(crate) worker: &'static str,
    /// The concurrency that applies if none was set.
    pub(crate) default: u32,
    pub(crate) set: Option<u32>,
    pub(crate) paused: bool,
    pub(crate) effective: u32,
    /// An additional reason why the worker is held back: the upstream that it calls is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<String>,
}

impl ThrottleView {
    /// Returns the view of a worker's `concurrency`.
    pub(crate) fn new(spec: &WorkerSpec, concurrency: Concurrency) -> ThrottleView {
        let Concurrency { limit: set, paused } = concurrency;
        let effective = concurrency.effective(spec.concurrency);
        ThrottleView { worker: spec.name, default: spec.concurrency, set, paused, effective, waits: None }
    }
}
