//! Listeners, for people.

use std::fmt::Write;

use jiff::Timestamp;
use stint_host::listeners::ListenerStatus;

use crate::time_format::format_time;
use crate::wiring::RunningListener;

/// Appends the listeners of a fleet to its page: a line for each process that runs one.
pub(crate) fn write_listeners(
    text: &mut String,
    fleet: &str,
    listeners: &[RunningListener],
    now: Timestamp,
) -> std::fmt::Result {
    let of_fleet: Vec<_> = listeners.iter().filter(|running| running.listener.fleet == fleet).collect();
    if of_fleet.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nListeners")?;
    for RunningListener { listener, process, state } in of_fleet {
        let since = format_time(state.since, now);
        let status = match state.status {
            ListenerStatus::Connecting => format!("connecting since {since}"),
            ListenerStatus::Connected => format!("connected since {since}"),
            ListenerStatus::Waiting { until } => format!("starts again at {}", format_time(until, now)),
            ListenerStatus::Standby => format!("on standby since {since}: another host runs it"),
        };
        write!(text, "  {} in process {process}: {status}", listener.name)?;
        if let Some(error) = &state.error {
            write!(text, "; {} failures, the last: {error}", state.failures)?;
        }
        writeln!(text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stint_core::clock::after;
    use stint_core::worker::WorkerId;
    use stint_host::listeners::ListenerState;

    use super::*;

    #[test]
    fn a_listener_that_waits_says_why_and_until_when() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let listener = |name, status, error: Option<&str>| RunningListener {
            listener: WorkerId::new("sample", name),
            process: "7".to_owned(),
            state: ListenerState { status, since: now, failures: 3, error: error.map(str::to_owned) },
        };
        let waiting = ListenerStatus::Waiting { until: after(now, Duration::from_secs(8)) };
        let listeners = [listener("ear", waiting, Some("refused")), listener("eye", ListenerStatus::Connected, None)];
        let mut text = String::new();
        write_listeners(&mut text, "sample", &listeners, now).unwrap();
        assert!(text.starts_with("\nListeners\n  ear in process 7: starts again at "), "{text}");
        assert!(
            text.contains("(in 8 s); 3 failures, the last: refused\n  eye in process 7: connected since"),
            "{text}"
        );
        let mut none = String::new();
        write_listeners(&mut none, "other", &listeners, now).unwrap();
        assert_eq!(none, "");
    }
}
