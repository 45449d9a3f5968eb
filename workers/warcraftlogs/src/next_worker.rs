//! How a worker starts the next one: by wake-ups, which both hosts have. Schedules make up for each wake-up that is
//! lost.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{after, between};
use stint_core::ports::{PortResult, Wakeups};
use stint_core::worker::Event;

use crate::store::{Milestones, Pause, RuleStatus};
use crate::worker;

/// Starts the next discovery. The id of the rule that was just read follows.
pub const NEXT_RULE: &str = "discover-after-";

/// Starts the next discovery, when this one found no rule that is due.
pub const NEXT_DUE: &str = "discover-when-due";

/// The same wake-up, set by a discovery that [`NEXT_DUE`] started.
pub const DUE_AGAIN: &str = "discover-again";

/// Starts the aggregator: all rules are fresh.
pub const ALL_FRESH: &str = "aggregate-discovered";

/// Starts the aggregator: the queue is empty.
pub const EMPTIED: &str = "aggregate-after-queue";

/// Starts the aggregator again, while the last messages are in flight.
pub const LAST_IN_FLIGHT: &str = "aggregate-after-last";

/// The same wake-up, set by an aggregator that [`LAST_IN_FLIGHT`] started.
pub const STILL_IN_FLIGHT: &str = "aggregate-again";

/// Starts the database generator: every queued player has been fetched.
pub const GENERATE: &str = "generate-databases";

/// All wake-ups by which a worker starts the next one: name, worker, and the workers that set it, which need permission
/// to. A name that ends in `-` is a prefix.
pub const WORKER_WAKEUPS: [(&str, &str, &[&str]); 8] = [
    (NEXT_RULE, "discover", &["discover"]),
    (NEXT_DUE, "discover", &["discover"]),
    (DUE_AGAIN, "discover", &["discover"]),
    (ALL_FRESH, "aggregator", &["discover"]),
    (EMPTIED, "aggregator", &["rank-fetcher"]),
    (LAST_IN_FLIGHT, "aggregator", &["aggregator"]),
    (STILL_IN_FLIGHT, "aggregator", &["aggregator"]),
    (GENERATE, "db-generator", &["aggregator"]),
];

/// The workers that determine by themselves whether there is something to do.
const WORKERS_TO_START: [&str; 3] = ["discover", "aggregator", "reviver"];

/// Starts a fleet: a new fleet starts working at once, and a fleet that was stopped with its concurrency at 0 resumes.
pub async fn start_fleet(wakeups: &dyn Wakeups, now: Timestamp) -> PortResult<()> {
    for name in WORKERS_TO_START {
        wakeups.once(&format!("start-{name}"), &worker(name), now).await?;
    }
    Ok(())
}

/// The ports with which a worker starts the next one.
#[derive(Clone)]
pub struct NextWorker {
    /// Where the next worker's wake-up is set.
    pub wakeups: Arc<dyn Wakeups>,
    /// Tells whether it was set already.
    pub milestones: Arc<dyn Milestones>,
}

/// The wake-up to set for `wakeup` in a run that `fired` started. It is never the same one: Scheduler deletes a wake-up
/// after it fired, even if it was rewritten meanwhile.
fn alternate_wakeup<'a>(fired: Option<&str>, wakeup: &'a str) -> &'a str {
    if fired != Some(wakeup) {
        return wakeup;
    }
    match wakeup {
        NEXT_DUE => DUE_AGAIN,
        LAST_IN_FLIGHT => STILL_IN_FLIGHT,
        rule if rule.starts_with(NEXT_RULE) => NEXT_DUE,
        // These are the only wake-ups that a worker sets for itself.
        other => other,
    }
}

impl NextWorker {
    /// Does the same as [`start`](NextWorker::start), from a run of `event`, which that very wake-up may have started:
    /// then an equivalent one is set instead.
    pub(crate) async fn start_from(&self, event: &Event, wakeup: &str, at: Timestamp) -> PortResult<()> {
        self.start(alternate_wakeup(event.wakeup(), wakeup), at).await
    }

    /// Sets `wakeup`, one of [`WORKER_WAKEUPS`], for `at`; it starts the worker it belongs to.
    pub(crate) async fn start(&self, wakeup: &str, at: Timestamp) -> PortResult<()> {
        let known = WORKER_WAKEUPS.iter().find(|(name, ..)| wakeup.starts_with(name));
        let name = known.map(|(_, name, _)| *name).unwrap_or_default();
        self.wakeups.once(wakeup, &worker(name), at).await
    }
}

/// Returns when a rule can next be claimed, if there is one: it is due `delay` after its last run, and neither paused
/// nor claimed at that time.
pub fn next_claim(rules: &[RuleStatus], delay: Duration) -> Option<Timestamp> {
    let claimable = |status: &RuleStatus| {
        let due = status.rule.last_run.map_or(Timestamp::MIN, |last_run| after(last_run, delay));
        let pause_over = status.pause.as_ref().map_or(Timestamp::MIN, |pause| pause.until);
        due.max(pause_over).max(status.leased_until.unwrap_or(Timestamp::MIN))
    };
    rules.iter().map(claimable).min()
}

/// Returns how long the rule that has waited longest has been due at `now`, zero if none is. A rule is due `delay` after
/// its last run, or since it was added. Whether it is read, or why not, does not matter, except for a rule that only a
/// person can continue: that one is reported as paused.
pub(crate) fn overdue(rules: &[RuleStatus], delay: Duration, now: Timestamp) -> Duration {
    let waits = rules.iter().filter(|status| !status.pause.as_ref().is_some_and(Pause::is_until_changed));
    let due = waits.map(|status| status.rule.last_run.map_or_else(|| added(&status.rule.id), |run| after(run, delay)));
    due.map(|due| between(due, now)).max().unwrap_or_default()
}

/// Returns when a rule was added: the first eight digits of its id are the seconds.
fn added(id: &str) -> Timestamp {
    let seconds = id.get(..8).and_then(|digits| i64::from_str_radix(digits, 16).ok());
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap_or(Timestamp::MAX)
    }

    fn rule(last_run: Option<i64>) -> RuleStatus {
        let text = r#"{"_id":"638190fc00bc58421e002c83","raid":26,"difficulty":3,"startPage":1,"endPage":600}"#;
        let mut rule: crate::store::Rule = serde_json::from_str(text).unwrap();
        rule.last_run = last_run.map(at);
        RuleStatus { rule, leased_until: None, pause: None, pass: None, doubt: None, accepted: false }
    }

    #[test]
    fn the_next_claim_is_when_a_rule_is_due_and_neither_paused_nor_leased() {
        let day = Duration::from_secs(24 * 3600);
        let paused = RuleStatus { pause: Some(Pause { until: at(30), reason: String::new() }), ..rule(Some(1)) };
        let leased = RuleStatus { leased_until: Some(at(7)), ..rule(None) };
        assert_eq!(next_claim(&[], day), None);
        assert_eq!(next_claim(&[rule(Some(2)), rule(Some(1))], day), Some(at(25)));
        assert_eq!(next_claim(&[paused.clone(), rule(Some(9))], day), Some(at(30)));
        assert_eq!(next_claim(&[paused, leased, rule(Some(9))], day), Some(at(7)));
        assert_eq!(next_claim(&[rule(None), rule(Some(9))], day), Some(Timestamp::MIN));
    }

    #[test]
    fn the_rule_that_waits_longest_is_overdue_and_one_that_waits_for_a_person_is_not() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let paused = |pause| RuleStatus { pause: Some(pause), ..rule(Some(0)) };
        let rests = paused(Pause { until: at(99), reason: String::new() });
        let person = paused(Pause::until_changed(String::new()));
        let measured = |rules: &[RuleStatus], hour| overdue(rules, hours(24), at(hour));
        assert_eq!((measured(&[], 30), measured(&[rule(Some(9))], 30)), (hours(0), hours(0)));
        assert_eq!(measured(&[rule(Some(9)), rule(Some(2)), person], 30), hours(4));
        assert_eq!(measured(&[rule(Some(9)), rests], 30), hours(6), "a ban is no reason to wait in silence");
        let added = "2022-11-26T04:07:24Z".parse().unwrap();
        assert_eq!(overdue(&[rule(None)], hours(24), after(added, hours(5))), hours(5), "by its id");
    }

    #[test]
    fn no_run_of_a_worker_sets_the_wake_up_that_has_started_it() {
        let worker =
            |wakeup: &str| WORKER_WAKEUPS.iter().find(|(name, ..)| wakeup.starts_with(name)).map(|known| known.1);
        for (wakeup, woken, set_by) in WORKER_WAKEUPS {
            let wakeup =
                if wakeup.ends_with('-') { format!("{wakeup}638190fc00bc58421e002c83") } else { wakeup.to_owned() };
            if !set_by.contains(&woken) || [DUE_AGAIN, STILL_IN_FLIGHT].contains(&&*wakeup) {
                continue;
            }
            assert_eq!(alternate_wakeup(None, &wakeup), wakeup);
            let other = alternate_wakeup(Some(&wakeup), &wakeup);
            assert!(other != wakeup && worker(other) == Some(woken), "{wakeup}: {other}");
            assert_eq!(alternate_wakeup(Some(other), &wakeup), wakeup, "and then the first one again");
        }
    }

    #[test]
    fn each_wake_up_is_known_by_its_beginning() {
        let rule = "discover-after-638190fc00bc58421e002c83";
        for name in [NEXT_DUE, DUE_AGAIN, ALL_FRESH, EMPTIED, LAST_IN_FLIGHT, STILL_IN_FLIGHT, GENERATE, rule] {
            let known = WORKER_WAKEUPS.iter().filter(|(known, ..)| name.starts_with(known));
            assert_eq!(known.count(), 1, "{name}");
        }
    }
}
