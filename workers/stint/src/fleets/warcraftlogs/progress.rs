//! Shows the progress of a running fleet: bars on a terminal, lines otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::between;
use stint_core::ledger::{KeyState, KeyStatus};
use stint_core::ports::{Counts, PortResult};
use stint_core::worker::WorkerId;

use super::stores::Stores;
use crate::output::Output;
use crate::progress_bars::{ProgressBar, ProgressStyle};

/// The time between two lines that only report that work continues, at the start.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// How long lines are printed at [`FIRST_INTERVAL`], for a person who watches the start.
const START: Duration = Duration::from_secs(120);

/// The time between two lines after the start. A service's log keeps each of them.
const INTERVAL: Duration = Duration::from_secs(60);

/// The time between two lines while nothing changes.
const IDLE_INTERVAL: Duration = Duration::from_secs(3_600);

/// A running fleet at one moment.
pub(crate) struct Snapshot {
    pub(crate) now: Timestamp,
    /// The messages in all queues.
    pub(crate) queue: Counts,
    pub(crate) parked: u64,
    pub(crate) done: u64,
    pub(crate) concurrency: u32,
    pub(crate) keys: Vec<KeyStatus>,
}

impl Snapshot {
    /// Reads the stores.
    pub(crate) async fn take(stores: &Stores, worker: &WorkerId, limit: u32, now: Timestamp) -> PortResult<Snapshot> {
        let counts = stores.players.counts().await?;
        let (mut queued, mut parked) = (Counts::default(), 0);
        for queue in stores.queues() {
            queued = sum(queued, queue.counts().await?);
            parked += stores.pool.count_parked(queue.name()).await?;
        }
        Ok(Snapshot {
            now,
            queue: queued,
            parked,
            done: counts.ranked + counts.dropped,
            concurrency: stores.throttle.read(worker).await?.effective(limit),
            keys: stores.pool.keys().await?,
        })
    }

    /// Returns whether nothing is left to fetch.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.unfinished() == 0 && self.parked == 0
    }

    fn amounts(&self) -> Amounts {
        (self.done, self.queue, self.parked, self.concurrency)
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{} players done, {} queued, {} in flight, {} parked, concurrency {}",
            self.done,
            self.queue.visible + self.queue.delayed,
            self.queue.in_flight,
            self.parked,
            self.concurrency
        );
        for (position, key) in self.keys.iter().filter(|key| !key.limit.is_zero()).enumerate() {
            text.push_str(if position == 0 { "; " } else { ", " });
            text.push_str(&self.key(key));
        }
        text
    }

    fn key(&self, key: &KeyStatus) -> String {
        let left = key.limit.saturating_sub(key.spent).saturating_sub(key.held);
        match key.state {
            KeyState::Stale => format!("{} was not read yet", key.key),
            _ => {
                format!("{} has {left} of {} points, resets in {} s", key.key, key.limit, self.seconds_to(key.reset_at))
            }
        }
    }

    fn seconds_to(&self, instant: Timestamp) -> u64 {
        between(self.now, instant).as_secs()
    }
}

fn sum(one: Counts, other: Counts) -> Counts {
    Counts {
        visible: one.visible + other.visible,
        in_flight: one.in_flight + other.in_flight,
        delayed: one.delayed + other.delayed,
        dead_letters: one.dead_letters + other.dead_letters,
    }
}

/// Displays snapshots as they are taken.
pub(crate) struct Progress {
    output: Output,
    bars: Option<Bars>,
    lines: Lines,
    was_dry: bool,
}

/// Decides when a line is printed.
#[derive(Default)]
struct Lines {
    started_at: Option<Timestamp>,
    last: Option<(Timestamp, Amounts)>,
}

/// What changes while there is work: players done, messages, parked messages, and concurrency.
type Amounts = (u64, Counts, u64, u32);

impl Lines {
    /// Returns whether to print a line for this snapshot. If so, the next one is due an interval later.
    fn is_due(&mut self, snapshot: &Snapshot) -> bool {
        let (now, amounts) = (snapshot.now, snapshot.amounts());
        let at_start = between(*self.started_at.get_or_insert(now), now) < START;
        let is_due = self.last.is_none_or(|(printed_at, printed)| {
            let interval = match (printed == amounts, at_start) {
                (true, _) => IDLE_INTERVAL,
                (false, true) => FIRST_INTERVAL,
                (false, false) => INTERVAL,
            };
            between(printed_at, now) >= interval
        });
        if is_due {
            self.last = Some((now, amounts));
        }
        is_due
    }
}

struct Bars {
    players: ProgressBar,
    keys: BTreeMap<String, ProgressBar>,
}

impl Progress {
    /// Shows progress towards `total` players. Without a total, only the keys have bars that fill.
    pub(crate) fn new(output: &Output, total: Option<u64>) -> Progress {
        let bars = output.is_interactive().then(|| {
            let players = output.progress_bars().add(match total {
                Some(total) => ProgressBar::new(total),
                None => ProgressBar::no_length(),
            });
            players.set_style(style("{prefix:14} {bar:30} {pos}/{len} {msg}"));
            players.set_prefix("players");
            Bars { players, keys: BTreeMap::new() }
        });
        Progress { output: output.clone(), bars, lines: Lines::default(), was_dry: false }
    }

    /// Shows one snapshot. Bars are always updated; a line is printed when the pool ran dry or recovered, and at
    /// intervals.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        let dry = snapshot.concurrency == 0;
        let was_dry = std::mem::replace(&mut self.was_dry, dry);
        if dry && !was_dry && !snapshot.is_drained() {
            let in_use = snapshot.keys.iter().filter(|key| key.state != KeyState::Retired);
            let wake = in_use.map(|key| key.renews_at).min();
            let seconds = wake.map_or(0, |wake| snapshot.seconds_to(wake));
            let waiting = snapshot.queue.unfinished() + snapshot.parked;
            self.output.line(&format!(
                "the pool is dry: concurrency 0, {waiting} players wait ({} parked), the reviver wakes in {seconds} s",
                snapshot.parked
            ));
        }
        if !dry && was_dry {
            self.output.line(&format!("points are available again: concurrency {}", snapshot.concurrency));
        }
        if let Some(bars) = &mut self.bars {
            bars.show(snapshot, &self.output);
        } else if self.lines.is_due(snapshot) {
            self.output.line(&snapshot.to_text());
        }
    }

    /// Removes the bars.
    pub(crate) fn finish(self) {
        if let Some(bars) = self.bars {
            bars.keys.values().for_each(ProgressBar::finish_and_clear);
            bars.players.finish_and_clear();
        }
    }
}

impl Bars {
    fn show(&mut self, snapshot: &Snapshot, output: &Output) {
        self.players.set_position(snapshot.done);
        self.players.set_message(format!(
            "done, {} queued, {} in flight, {} parked, concurrency {}",
            snapshot.queue.visible + snapshot.queue.delayed,
            snapshot.queue.in_flight,
            snapshot.parked,
            snapshot.concurrency
        ));
        for key in snapshot.keys.iter().filter(|key| !key.limit.is_zero()) {
            let bar = self.keys.entry(key.key.0.clone()).or_insert_with(|| {
                let bar = output.progress_bars().add(ProgressBar::new(0));
                bar.set_style(style("{prefix:14} {bar:30} {msg}"));
                bar.set_prefix(key.key.0.clone());
                bar
            });
            bar.set_length(key.limit.micros());
            bar.set_position(key.spent.saturating_add(key.held).micros());
            bar.set_message(snapshot.key(key));
        }
    }
}

/// Parses one of the fixed templates above. A template that cannot be parsed falls back to the plain bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use stint_core::clock::after;

    use super::*;

    /// Returns the seconds at which lines are printed in so many seconds, if `done` players are done by each second.
    fn printed(seconds: u64, done: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut lines = Lines::default();
        let snapshot = |second| Snapshot {
            now: after(Timestamp::UNIX_EPOCH, Duration::from_secs(second)),
            queue: Counts::default(),
            parked: 0,
            done: done(second),
            concurrency: 1,
            keys: Vec::new(),
        };
        (0..seconds).filter(|second| lines.is_due(&snapshot(*second))).collect()
    }

    #[test]
    fn lines_are_frequent_at_the_start_and_seldom_later() {
        let busy = printed(400, |second| second);
        assert_eq!(busy[..3], [0, 5, 10]);
        assert_eq!(busy[busy.len() - 5..], [115, 175, 235, 295, 355]);
    }

    #[test]
    fn an_idle_fleet_prints_a_line_an_hour() {
        assert_eq!(printed(8_000, |_| 7), [0, 3_600, 7_200]);
        assert_eq!(printed(4_000, |second| second / 3_000), [0, 3_000], "a change is printed at once");
    }
}
