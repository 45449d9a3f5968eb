//! The input with which a schedule calls its function.

use serde::Deserialize;
use stint_core::worker::WorkerId;

/// EventBridge Scheduler replaces this by the time at which a firing was due.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
const DUE: &str = "<aws.scheduler.scheduled-time>";

/// The fields of a schedule's input that are read back.
#[derive(Deserialize)]
struct Input {
    worker: String,
}

/// Returns the input of a schedule as JSON, which is the event of the function that it calls.
pub(super) fn template(wakeup: &str, worker: &WorkerId) -> String {
    serde_json::json!({ "wakeup": wakeup, "worker": worker, "due": DUE }).to_string()
}

/// Returns the worker that an input names, or `None` if Stint did not write the input. Earlier versions left the fleet out.
pub(super) fn worker(input: &str) -> Option<String> {
    serde_json::from_str(input).ok().map(|Input { worker }| worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_names_its_worker() {
        let written = template("revive", &WorkerId::new("warcraftlogs", "reviver"));
        assert_eq!(worker(&written).as_deref(), Some("warcraftlogs/reviver"));
        assert_eq!(worker(&written.replace("warcraftlogs/", "")).as_deref(), Some("reviver"));
        assert_eq!(worker("{}"), None);
    }
}
