//! The schedules of a fleet as shown to the user.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::Schedule;

use crate::time_format::format_time;

/// A schedule, and when the worker that it starts was last done, as far as that is on record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScheduleView {
    #[serde(flatten)]
    pub(crate) schedule: Schedule,
    /// When the worker last completed something that the fleet's stores record; `None` if they record nothing of it.
    pub(crate) last_done: Option<Timestamp>,
}

/// Writes a row for each schedule.
pub(crate) fn write_schedules(text: &mut String, schedules: &[ScheduleView], now: Timestamp) -> std::fmt::Result {
    for (position, ScheduleView { schedule, last_done }) in schedules.iter().enumerate() {
        let title = if position == 0 { "schedules" } else { "" };
        let next = match (schedule.enabled, schedule.next_due) {
            (false, _) => ", DISABLED".to_owned(),
            (true, Some(at)) => format!(", next due {}", format_time(at, now)),
            (true, None) => String::new(),
        };
        let done = last_done.map(|at| format!(", last done {}", format_time(at, now))).unwrap_or_default();
        let Schedule { name, worker, expression, .. } = schedule;
        writeln!(text, "{title:<12}{name} starts {}: {expression}{next}{done}", worker.name)?;
    }
    Ok(())
}

/// Returns what an operator should do about schedules that do not fire. `schedules` are those of a fleet of functions.
pub(crate) fn schedule_hints(schedules: &[ScheduleView]) -> Vec<String> {
    let is_recurring = |view: &ScheduleView| !view.schedule.expression.starts_with("at(");
    let mut hints = Vec::new();
    if !schedules.iter().any(is_recurring) {
        hints.push(
            "EventBridge Scheduler has no recurring schedule of the fleet in the group STINT_AWS_RECURRING_GROUP: apply infra/, and \
             take that setting from `terraform output`"
                .to_owned(),
        );
    }
    let disabled = schedules.iter().filter(|view| !view.schedule.enabled);
    hints.extend(disabled.map(|view| {
        let Schedule { name, group, worker, .. } = &view.schedule;
        let group = group.as_deref().unwrap_or_default();
        format!("the schedule {name} of the group {group} is disabled, so {} is not started: enable it", worker.name)
    }));
    hints
}

#[cfg(test)]
mod tests {
    use stint_core::worker::WorkerId;

    use super::*;

    fn view(name: &str, expression: &str, enabled: bool) -> ScheduleView {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let schedule = Schedule {
            name: name.to_owned(),
            group: Some("group".to_owned()),
            worker: WorkerId::new("warcraftlogs", "discover"),
            expression: expression.to_owned(),
            enabled,
            next_due: enabled.then_some(now),
        };
        ScheduleView { schedule, last_done: None }
    }

    #[test]
    fn what_does_not_fire_is_said() {
        let recurring = view("discover", "rate(30 minutes)", true);
        assert_eq!(schedule_hints(std::slice::from_ref(&recurring)), [""; 0]);
        let hints = schedule_hints(&[view("revive", "at(2026-11-20T10:00:00)", true)]);
        assert!(hints[0].contains("no recurring schedule") && hints.len() == 1, "{hints:?}");
        let hints = schedule_hints(&[recurring, view("nightly", "cron(0 9 * * ? *)", false)]);
        assert!(hints[0].starts_with("the schedule nightly of the group group is disabled"), "{hints:?}");
        let mut text = String::new();
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        write_schedules(&mut text, &[view("nightly", "cron(0 9 * * ? *)", false)], now).unwrap();
        assert_eq!(text, "schedules   nightly starts discover: cron(0 9 * * ? *), DISABLED\n");
    }
}
