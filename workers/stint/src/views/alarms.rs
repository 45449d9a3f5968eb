//! Open alarms as shown to the user.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::{AlarmRecord, AlarmRecords, PortResult};

use crate::escape::one_line;
use crate::time_format::format_time;

/// An open alarm in the output of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AlarmView {
    /// The fleet, or its worker as `fleet/worker`.
    source: String,
    name: String,
    text: String,
    since: Timestamp,
    /// When the last message was sent.
    told_at: Option<Timestamp>,
    /// Why that one did not reach every recipient.
    failure: Option<String>,
}

impl AlarmView {
    /// Returns the open alarms of a fleet, the oldest first.
    pub(crate) async fn of_fleet(records: &dyn AlarmRecords, fleet: &str) -> PortResult<Vec<AlarmView>> {
        let is_own = |record: &AlarmRecord| record.id.source.split('/').next() == Some(fleet);
        let open = records.list().await?.into_iter().filter(|record| record.is_open() && is_own(record));
        let mut views: Vec<AlarmView> = open.map(AlarmView::from).collect();
        views.sort_by(|one, two| (one.since, &one.source, &one.name).cmp(&(two.since, &two.source, &two.name)));
        Ok(views)
    }

    fn to_text(&self, now: Timestamp) -> String {
        let AlarmView { source, name, .. } = self;
        let told = match self.told_at {
            Some(told_at) => format!("last told {}", format_time(told_at, now)),
            None => "not told yet".to_owned(),
        };
        let failure = self.failure.as_ref().map(|reason| format!("; not delivered: {}", one_line(reason)));
        format!(
            "{source} {name} since {}, {told}: {}{}",
            format_time(self.since, now),
            one_line(&self.text),
            failure.unwrap_or_default()
        )
    }
}

impl From<AlarmRecord> for AlarmView {
    fn from(record: AlarmRecord) -> AlarmView {
        let AlarmRecord { id, text, since, told_at, failure, .. } = record;
        AlarmView { source: id.source, name: id.name, text, since, told_at, failure }
    }
}

/// Writes a row for each open alarm, and an empty one after them. Writes nothing if there is none.
pub(crate) fn write_alarms(text: &mut String, alarms: &[AlarmView], now: Timestamp) -> std::fmt::Result {
    for (position, view) in alarms.iter().enumerate() {
        let title = if position == 0 { "ALARMS" } else { "" };
        writeln!(text, "{title:<12}{}", view.to_text(now))?;
    }
    if !alarms.is_empty() {
        writeln!(text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use stint_core::clock::{Clock, ManualClock};
    use stint_core::ports::{AlarmId, Alarms};
    use stint_embedded::Embedded;

    use super::*;

    #[test]
    fn open_alarms_of_a_fleet_are_shown_with_their_age() {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(clock);
        let embedded = Embedded::in_memory(clock.clone()).unwrap();
        let alarms = stint_core::alarms::StoredAlarms::new(embedded.alarms(), Vec::new(), clock.clone());
        for (source, name) in [("warcraftlogs", "api"), ("warcraftlogs/discover", "refused"), ("poe-stashes", "pages")]
        {
            block_on(alarms.raise(&AlarmId::new(source, name).unwrap(), "down\u{1b}[1m:\nstatus 502")).unwrap();
        }
        block_on(alarms.clear(&AlarmId::new("warcraftlogs", "api").unwrap())).unwrap();
        let views = block_on(AlarmView::of_fleet(&*embedded.alarms(), "warcraftlogs")).unwrap();
        let mut text = String::new();
        write_alarms(&mut text, &views, clock.now()).unwrap();
        assert!(text.starts_with("ALARMS      warcraftlogs/discover refused since "), "{text}");
        assert!(text.contains("last told ") && text.ends_with(": down\\u001b[1m: status 502\n\n"), "{text}");
        let mut text = String::new();
        write_alarms(&mut text, &[], clock.now()).unwrap();
        assert_eq!(text, "");
    }
}
