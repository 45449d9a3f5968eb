//! What each worker does or waits for, in words with numbers.

use jiff::Timestamp;
use stint_core::clock::{after, before};
use stint_core::ledger::KeyStatus;
use stint_core::points::Points;
use stint_core::worker::{Spec, Worker};
use stint_warcraftlogs::aggregator::{Aggregator, unfinished};
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::reviver::Reviver;

use super::WorkerStatus;
use super::facts::Facts;
use crate::commands::keys::KeyView;
use crate::commands::rules::{RuleState, RuleView};
use crate::commands::throttle::ThrottleView;
use crate::moment::when;
use crate::wiring::WARCRAFTLOGS;
use crate::words::{count, number, points};

/// Beyond its time-out, a worker whose time has come and gone is not running: nobody runs the fleet.
const GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// Every worker, in the order of the data's way.
pub(super) fn workers(facts: &Facts, rules: &[RuleView], settings: &Settings, now: Timestamp) -> Vec<WorkerStatus> {
    let status = |spec: &Spec| {
        let throttle = ThrottleView::new(spec, facts.throttle(spec));
        let says = if throttle.paused {
            format!("paused by hand; `stint throttle resume {}` ends it", spec.name)
        } else {
            says(spec, facts, rules, settings, now)
        };
        WorkerStatus { throttle, queue: spec.queue().map(|queue| queue.queue), next_run: facts.next_run(spec), says }
    };
    WARCRAFTLOGS.iter().map(status).collect()
}

/// What is missing before the fleet can work, and how to mend it.
pub(super) fn hints(facts: &Facts, settings: &Settings, now: Timestamp) -> Vec<String> {
    let mut hints = Vec::new();
    if facts.rules.is_empty() {
        hints.push(
            "there are no discovery rules; add one: stint rules add --raid 26 --difficulty heroic --end-page 600"
                .into(),
        );
    }
    if facts.keys_in_use().next().is_none() && settings.wcl_keys.is_empty() {
        hints.push("there are no API keys; set WCL_KEYS to id:secret".into());
    }
    let late = |spec: &Spec| facts.next_run(spec).is_some_and(|at| after(after(at, spec.timeout), GRACE) < now);
    if facts.wakeups.is_empty() {
        hints.push("the fleet was never started here; start it: stint up".into());
    } else if let Some(spec) = WARCRAFTLOGS.iter().find(|spec| late(spec)) {
        let due = facts.next_run(spec).map(|at| when(at, now)).unwrap_or_default();
        hints.push(format!("{} was due {due} and did not run: is `stint up` running?", spec.name));
    }
    if facts.queue.counts.dead > 0 {
        let dead = count(facts.queue.counts.dead, "dead letter", "dead letters");
        hints
            .push(format!("{dead}: see why with `stint queue peek --dead`, send them back with `stint queue redrive`"));
    }
    hints
}

fn says(spec: &Spec, facts: &Facts, rules: &[RuleView], settings: &Settings, now: Timestamp) -> String {
    match spec.name {
        name if name == Discover::SPEC.name => discover(rules, now),
        name if name == Aggregator::SPEC.name => aggregator(facts, rules, settings, now),
        name if name == RankFetcher::SPEC.name => rank_fetcher(facts, settings, now),
        name if name == Reviver::SPEC.name => reviver(facts, now),
        name if name == DbGenerator::SPEC.name => db_generator(facts),
        _ => "nothing is known of it".into(),
    }
}

fn of(rule: &RuleView) -> String {
    format!("{} in {}", rule.raid_in_words(), rule.difficulty_in_words())
}

/// `rules` are sorted by state: what runs comes first.
fn discover(rules: &[RuleView], now: Timestamp) -> String {
    let next_due = rules.iter().filter_map(|rule| rule.next_due).min();
    match (rules.first(), next_due) {
        (None, _) => "waits for a discovery rule".into(),
        (Some(rule), _) if rule.state == RuleState::Running => format!("{}: {}", of(rule), rule.state_in_words(now)),
        (Some(rule), Some(due)) if rule.state == RuleState::Fresh => {
            format!("nothing to do: every rule is fresh, the next is due {}", when(due, now))
        }
        (Some(rule), _) if rule.state == RuleState::Resting => {
            let other = rules.iter().find(|rule| matches!(rule.state, RuleState::Due | RuleState::Interrupted));
            let rule = other.unwrap_or(rule);
            format!("{} is {}", of(rule), rule.state_in_words(now))
        }
        (Some(rule), _) => format!("{} is {}", of(rule), rule.state_in_words(now)),
    }
}

fn aggregator(facts: &Facts, rules: &[RuleView], settings: &Settings, now: Timestamp) -> String {
    if facts.discovers == 0 {
        return "nothing to do: no discovered player waits".into();
    }
    let players = count(facts.discovers, "player waits", "players wait");
    let Some(reason) = unfinished(&facts.rules, before(now, settings.discovery_delay()), now) else {
        return format!("ready: {players} for its next run");
    };
    // The worker decides whether to wait; the rule's own view says it with names and local times.
    let rule = rules.iter().find(|rule| rule.state != RuleState::Fresh);
    let reason = rule.map_or(reason, |rule| format!("{}: {}", of(rule), rule.state_in_words(now)));
    format!("waits for {reason}; meanwhile {players}")
}

fn rank_fetcher(facts: &Facts, settings: &Settings, now: Timestamp) -> String {
    let (counts, parked) = (&facts.queue.counts, facts.queue.parked);
    let unfinished = counts.unfinished();
    if unfinished + parked == 0 {
        return "nothing to do: its queue is empty".into();
    }
    let work = match (unfinished, parked) {
        (unfinished, 0) => count(unfinished, "message", "messages"),
        (0, parked) => count(parked, "parked message", "parked messages"),
        (unfinished, parked) => format!("{} and {} parked", count(unfinished, "message", "messages"), number(parked)),
    };
    if let Some(wait) = waits_for_points(facts, settings.wcl_call_budget, now) {
        return format!("{wait}; {work} to go");
    }
    if counts.in_flight > 0 {
        return format!("works on {} of {work}", number(counts.in_flight));
    }
    format!("ready: {work} to go")
}

/// The key that can lend next, if none can lend now.
fn waits_for_points(facts: &Facts, needed: Points, now: Timestamp) -> Option<String> {
    if facts.keys_in_use().any(|key| key.free >= needed) {
        return None;
    }
    let Some(key) = facts.keys_in_use().min_by_key(|key| (key.limit.is_zero(), key.renews_at)) else {
        return Some("waits for an API key: set WCL_KEYS to id:secret".into());
    };
    let KeyStatus { key: name, free, renews_at, .. } = key;
    let view = KeyView::new(key, now);
    if view.limit.is_none() {
        return Some(format!("waits for {name}, which was never read"));
    }
    let renews = if *renews_at > now { format!("resets {}", when(*renews_at, now)) } else { view.state_in_words(now) };
    let (needed, free) = (points(needed), points(*free));
    Some(format!("waits for {name}: {needed} points needed, {free} free, {renews}"))
}

fn reviver(facts: &Facts, now: Timestamp) -> String {
    match facts.wakeups.iter().find(|wakeup| wakeup.name == REVIVE) {
        Some(wakeup) => {
            format!("wakes {} to un-park {}", when(wakeup.at, now), count(facts.queue.parked, "message", "messages"))
        }
        None => "nothing to do: nobody waits for points".into(),
    }
}

fn db_generator(facts: &Facts) -> String {
    match facts.players.ranked {
        0 => "nothing to do: no player is ranked yet".into(),
        ranked => format!("ready: {} to write", count(ranked, "player", "players")),
    }
}
