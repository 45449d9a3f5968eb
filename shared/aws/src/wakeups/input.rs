//! The input with which a schedule calls its function.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// EventBridge Scheduler replaces this by the time at which a firing was due.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
const DUE: &str = "<aws.scheduler.scheduled-time>";

/// The event of a function that a wake-up calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeupInput {
    /// The wake-up's name.
    pub wakeup: String,
    /// The worker to run.
    pub worker: String,
    /// When it was due.
    pub due: Timestamp,
}

/// Returns the input of a schedule as JSON.
pub(super) fn template(wakeup: &str, worker: &str) -> String {
    serde_json::json!({ "wakeup": wakeup, "worker": worker, "due": DUE }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firing_is_read_as_scheduler_fills_it_in() {
        let filled = template("revive", "reviver").replace(DUE, "2026-11-20T10:00:00Z");
        let input: WakeupInput = serde_json::from_str(&filled).unwrap();
        assert_eq!((input.wakeup.as_str(), input.worker.as_str()), ("revive", "reviver"));
        assert_eq!(input.due, "2026-11-20T10:00:00Z".parse().unwrap());
    }
}
