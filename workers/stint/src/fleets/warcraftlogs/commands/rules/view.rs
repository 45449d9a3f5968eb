//! A rule as shown to the user.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::after;
use stint_warcraftlogs::names;
use stint_warcraftlogs::store::{Chunk, Pass, Pause, RuleStatus};

use super::options::RuleOptions;
use crate::format::number;
use crate::time_format::{clock_time, format_time};

/// A rule, its progress, and when it is due.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RuleView {
    pub(crate) id: String,
    pub(crate) raid: u32,
    pub(crate) raid_name: Option<&'static str>,
    pub(crate) difficulty: u32,
    pub(crate) start_page: u32,
    pub(crate) end_page: u32,
    #[serde(flatten)]
    pub(crate) options: RuleOptions,
    pub(crate) state: RuleState,
    /// Pages read in the current pass.
    pub(crate) pages_read: Option<u32>,
    /// Pages that the pass is to read. Fewer than the rule's range once a page past the end was seen.
    pub(crate) pages: u32,
    pub(crate) last_run: Option<Timestamp>,
    /// `None` if the rule never ran, so that it is due at once.
    pub(crate) next_due: Option<Timestamp>,
    /// `None` for a rule that is paused until it is changed.
    pub(crate) resting_until: Option<Timestamp>,
    pub(crate) resting_because: Option<String>,
    /// Why the result of reading its pages is implausible.
    pub(crate) doubt: Option<String>,
    /// Whether an operator has accepted the result. The next discovery then takes the pages as they are.
    pub(crate) accepted: bool,
}

/// The state of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuleState {
    /// A discovery is reading its pages.
    Running,
    /// Its pass was interrupted, and continues with the next discovery.
    Interrupted,
    /// It is not read for a while.
    Resting,
    /// The next discovery reads it.
    Due,
    /// It was read, and is not due yet.
    Fresh,
}

impl RuleView {
    /// Returns the rule at `now`, if rules are due again after `delay`.
    pub(crate) fn new(status: &RuleStatus, delay: Duration, now: Timestamp) -> RuleView {
        let rule = &status.rule;
        let next_due = rule.last_run.map(|last_run| after(last_run, delay));
        let resting = status.pause.as_ref().filter(|pause| pause.until > now);
        let state = if status.leased_until.is_some_and(|until| until > now) {
            RuleState::Running
        } else if resting.is_some() {
            RuleState::Resting
        } else if status.pass.is_some() {
            RuleState::Interrupted
        } else if next_due.is_none_or(|due| due <= now) {
            RuleState::Due
        } else {
            RuleState::Fresh
        };
        let end = status.pass.as_ref().and_then(|pass| pass.end).map_or(rule.end_page, |end| end.saturating_sub(1));
        let pages = (end + 1).saturating_sub(rule.start_page);
        RuleView {
            id: rule.id.clone(),
            raid: rule.raid,
            raid_name: names::raid_name(rule.raid),
            difficulty: rule.difficulty,
            start_page: rule.start_page,
            end_page: rule.end_page,
            options: RuleOptions::of(rule),
            state,
            pages_read: status.pass.as_ref().map(|pass| pages.saturating_sub(unread(pass))),
            pages,
            last_run: rule.last_run,
            next_due,
            resting_until: resting.filter(|pause| !pause.is_until_changed()).map(|pause| pause.until),
            resting_because: resting.map(|pause| pause.reason.clone()),
            doubt: status.doubt.as_ref().map(|doubt| doubt.reason.clone()),
            accepted: status.accepted,
        }
    }

    /// Applies the pause of the upstream that all rules share: a rule that would be read is paused as well.
    pub(crate) fn with_upstream_pause(mut self, upstream: Option<&Pause>) -> RuleView {
        if let Some(pause) = upstream
            && matches!(self.state, RuleState::Due | RuleState::Interrupted)
        {
            self.state = RuleState::Resting;
            self.resting_until = Some(pause.until);
            self.resting_because = Some(pause.reason.clone());
        }
        self
    }

    /// Returns whether its pause ends only when the rule is changed.
    pub(crate) fn rests_until_changed(&self) -> bool {
        self.state == RuleState::Resting && self.resting_until.is_none()
    }

    /// Formats the raid: `Castle Nathria (26)`.
    pub(crate) fn raid_text(&self) -> String {
        names::raid(self.raid)
    }

    /// Formats the difficulty: `heroic`.
    pub(crate) fn difficulty_text(&self) -> String {
        names::difficulty(self.difficulty)
    }

    /// Formats the state: `reading, 120 of 600 pages`.
    pub(crate) fn state_text(&self, now: Timestamp) -> String {
        let progress = || {
            let read = number(self.pages_read.unwrap_or_default().into());
            format!("{read} of {} pages", number(self.pages.into()))
        };
        match (self.state, self.resting_until, self.next_due) {
            (RuleState::Running, ..) => format!("reading, {}", progress()),
            (RuleState::Interrupted, ..) => format!("interrupted at {}", progress()),
            (RuleState::Resting, Some(until), _) => {
                let reason = self.resting_because.as_deref().unwrap_or("no reason was kept");
                format!("resting until {}: {reason}", format_time(until, now))
            }
            (RuleState::Resting, ..) => {
                format!(
                    "resting until it is changed: {}",
                    self.resting_because.as_deref().unwrap_or("no reason was kept")
                )
            }
            (RuleState::Due, _, Some(due)) => format!("due since {}", clock_time(due, now)),
            (RuleState::Due, ..) if self.accepted => "due, accepted as it is".into(),
            (RuleState::Due, ..) => "due, never read yet".into(),
            (RuleState::Fresh, _, Some(due)) => format!("fresh, due {}", format_time(due, now)),
            (RuleState::Fresh, ..) => "fresh".into(),
        }
    }
}

/// Returns how many pages before the end the pass has not read.
fn unread(pass: &Pass) -> u32 {
    let left = |chunk: &Chunk| {
        let last = pass.end.map_or(chunk.last, |end| chunk.last.min(end.saturating_sub(1)));
        (last + 1).saturating_sub(chunk.next)
    };
    pass.chunks.iter().map(left).sum()
}

#[cfg(test)]
mod tests {
    use stint_warcraftlogs::store::{PassSummary, Rule};

    use super::*;

    fn status(pass: Option<Pass>) -> RuleStatus {
        let rule =
            Rule { id: "0".repeat(24), raid: 26, difficulty: 3, start_page: 1, end_page: 600, ..Rule::default() };
        RuleStatus { rule, leased_until: None, pause: None, pass, doubt: None, accepted: false }
    }

    #[test]
    fn progress_counts_pages_of_every_chunk_up_to_the_end() {
        let chunks =
            vec![Chunk { next: 101, last: 200 }, Chunk { next: 221, last: 400 }, Chunk { next: 401, last: 600 }];
        let pass = Pass { started_at: Timestamp::UNIX_EPOCH, chunks, end: None, seen: PassSummary::default() };
        let shown =
            |end| RuleView::new(&status(Some(Pass { end, ..pass.clone() })), Duration::ZERO, Timestamp::UNIX_EPOCH);
        assert_eq!((shown(None).pages_read, shown(None).pages), (Some(120), 600));
        assert_eq!((shown(Some(251)).pages_read, shown(Some(251)).pages), (Some(120), 250));
    }

    #[test]
    fn a_rule_that_never_ran_is_due() {
        let view = RuleView::new(&status(None), Duration::from_secs(3600), Timestamp::UNIX_EPOCH);
        assert_eq!((view.state, view.next_due), (RuleState::Due, None));
    }
}
