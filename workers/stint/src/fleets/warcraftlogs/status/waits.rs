//! Describes what each worker does or waits for, with numbers.

use jiff::Timestamp;
use stint_core::clock::{after, before};
use stint_core::ledger::{KeyRefusal, KeyStatus};
use stint_core::points::Points;
use stint_core::worker::{Worker, WorkerSpec};
use stint_warcraftlogs::aggregator::{Aggregator, unfinished};
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::refresher::Refresher;
use stint_warcraftlogs::reviver::Reviver;
use stint_warcraftlogs::store::Backlog;

use super::WorkerStatus;
use super::input::StatusInput;
use crate::fleets::warcraftlogs::commands::rules::{RuleState, RuleView, hint};
use crate::fleets::warcraftlogs::outages::upstreams_of_discovery;
use crate::fleets::warcraftlogs::points::{refresh_waits_for_points, waits_for_reset};
use crate::fleets::warcraftlogs::specs::WORKERS;
use crate::format::{count, number, points};
use crate::time_format::format_time;
use crate::views::queue::QueueView;
use crate::views::schedules::schedule_hints;
use crate::views::throttle::ThrottleView;

/// If a worker is late by more than its time-out and this grace, no process runs the fleet.
const GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// Returns every worker, in the order in which data flows through them.
pub(super) fn workers(
    input: &StatusInput,
    rules: &[RuleView],
    settings: &Settings,
    now: Timestamp,
) -> Vec<WorkerStatus> {
    let status = |spec: &WorkerSpec| {
        let throttle = ThrottleView::new(spec, input.throttle(spec));
        let says = if throttle.paused {
            format!("paused by an operator; `stint throttle resume wcl/{}` resumes it", spec.name)
        } else {
            describe_worker(spec, input, rules, settings, now)
        };
        WorkerStatus { throttle, queue: spec.queue().map(|queue| queue.queue), next_run: input.next_run(spec), says }
    };
    WORKERS.iter().map(status).collect()
}

/// Returns what is missing before the fleet can work, and the remedies.
pub(super) fn hints(input: &StatusInput, settings: &Settings, now: Timestamp) -> Vec<String> {
    let mut hints = Vec::new();
    if input.rules.is_empty() {
        hints.push(
            "there are no discovery rules; add one: stint wcl rules add --raid 26 --difficulty heroic --end-page 600"
                .into(),
        );
    }
    hints.extend(input.rules.iter().filter(|status| status.doubt.is_some() && !status.accepted).map(hint));
    let paused_rules =
        input.rules.iter().filter_map(|status| status.pause.as_ref().filter(|pause| pause.is_until_changed()));
    hints.extend(paused_rules.map(|pause| format!("a discovery rule is resting: {}", pause.reason)));
    if input.keys_in_use().next().is_none() && settings.wcl_keys.is_empty() {
        hints.push("there are no API keys; set WCL_KEYS to id:secret".into());
    }
    for upstream in input.breakers.iter().filter(|upstream| upstream.banned) {
        hints.push(format!(
            "{} rejects this installation: find out why, because no retry can fix that. It is probed automatically",
            upstream.upstream
        ));
    }
    for KeyStatus { key, .. } in input.keys_in_use().filter(|key| key.refusal == Some(KeyRefusal::Credentials)) {
        hints.push(format!(
            "the upstream does not accept {key}: fix or remove it in WCL_KEYS, then try it at once with `stint wcl keys resume \
             {key}`"
        ));
    }
    hints.extend(start_hints(input, now));
    // Commands without a queue name mean the backlog.
    for (QueueView { queue, counts, .. }, name) in [(&input.queue, ""), (&input.refreshes, " wcl-refresh-players")] {
        if counts.dead_letters > 0 {
            let dead = count(counts.dead_letters, "dead letter", "dead letters");
            hints.push(format!(
                "{dead} of {queue}: see why with `stint queue peek{name} --dead`, send them back with `stint queue \
                 redrive{name}`"
            ));
        }
    }
    hints
}

/// Returns what is wrong with the schedules, and what to do.
fn start_hints(input: &StatusInput, now: Timestamp) -> Vec<String> {
    let mut hints = if input.calls_functions { schedule_hints(&input.schedule_views()) } else { Vec::new() };
    if input.schedules.is_empty() && !input.calls_functions {
        hints.push("the fleet was never started here; start it: stint up".into());
    }
    let late = |spec: &WorkerSpec| input.next_run(spec).is_some_and(|at| after(after(at, spec.timeout), GRACE) < now);
    if let Some(spec) = WORKERS.iter().find(|spec| late(spec)) {
        let due = input.next_run(spec).map(|at| format_time(at, now)).unwrap_or_default();
        let remedy = if input.calls_functions { "look at the log of its function" } else { "is `stint up` running?" };
        hints.push(format!("{} was due {due} and did not run: {remedy}", spec.name));
    }
    hints
}

fn describe_worker(
    spec: &WorkerSpec,
    input: &StatusInput,
    rules: &[RuleView],
    settings: &Settings,
    now: Timestamp,
) -> String {
    match spec.name {
        name if name == Discover::SPEC.name => {
            discover(rules, input.outage(upstreams_of_discovery(settings), now), now)
        }
        name if name == Aggregator::SPEC.name => aggregator(input, rules, settings, now),
        name if name == RankFetcher::SPEC.name => {
            let wait = input.outage(&[UPSTREAM], now).or_else(|| waits_for_points(input, settings.unit(), now));
            fetcher(&input.queue, wait, "its queue is empty")
        }
        name if name == Refresher::SPEC.name => {
            let keys: Vec<&KeyStatus> = input.keys_in_use().collect();
            let wait = refresh_waits_for_points(&keys, settings.unit(), now);
            let wait = input.outage(&[UPSTREAM], now).or(wait);
            fetcher(&input.refreshes, wait, "no refresh is requested")
        }
        name if name == Reviver::SPEC.name => reviver(input, now),
        name if name == DbGenerator::SPEC.name => db_generator(input),
        _ => "no data".into(),
    }
}

fn rule_name(rule: &RuleView) -> String {
    format!("{} in {}", rule.raid_text(), rule.difficulty_text())
}

/// Describes the discovery worker. `rules` are sorted by state, running ones first. `outage` delays all of them.
fn discover(rules: &[RuleView], outage: Option<String>, now: Timestamp) -> String {
    let is_unfinished = |rule: &RuleView| !matches!(rule.state, RuleState::Fresh | RuleState::Resting);
    if let Some(outage) = outage.filter(|_| rules.iter().any(is_unfinished)) {
        return outage;
    }
    let next_due = rules.iter().filter_map(|rule| rule.next_due).min();
    match (rules.first(), next_due) {
        (None, _) => "waits for a discovery rule".into(),
        (Some(rule), _) if rule.state == RuleState::Running => format!("{}: {}", rule_name(rule), rule.state_text(now)),
        (Some(rule), Some(due)) if rule.state == RuleState::Fresh => {
            format!("nothing to do: every rule is fresh, the next is due {}", format_time(due, now))
        }
        (Some(rule), _) if rule.state == RuleState::Resting => {
            let other = rules.iter().find(|rule| matches!(rule.state, RuleState::Due | RuleState::Interrupted));
            let rule = other.unwrap_or(rule);
            format!("{} is {}", rule_name(rule), rule.state_text(now))
        }
        (Some(rule), _) => format!("{} is {}", rule_name(rule), rule.state_text(now)),
    }
}

fn aggregator(input: &StatusInput, rules: &[RuleView], settings: &Settings, now: Timestamp) -> String {
    let Backlog { due, waiting, fresh } = input.backlog;
    if due == 0 {
        let others = match (waiting, fresh) {
            (0, 0) => "no discovered player waits".into(),
            (0, _) => format!("{} fresh", count(fresh, "discovered player is", "discovered players are")),
            (_, 0) => format!("{} in the queue", count(waiting, "discovered player is", "discovered players are")),
            _ => format!("of the discovered players {} are in the queue and {} fresh", number(waiting), number(fresh)),
        };
        return format!("nothing to do: {others}");
    }
    let all = count(due + waiting + fresh, "discovered player", "discovered players");
    let players = format!("{} of {all} {} due", number(due), if due == 1 { "is" } else { "are" });
    let Some(reason) = unfinished(&input.rules, before(now, settings.discovery_delay()), now) else {
        return format!("ready: {players}");
    };
    // The worker itself only knows that it must wait; the rule's own view has names and local times.
    let rule = rules.iter().find(|rule| rule.state != RuleState::Fresh && !rule.rests_until_changed());
    let reason = rule.map_or(reason, |rule| format!("{}: {}", rule_name(rule), rule.state_text(now)));
    format!("waits for {reason}; meanwhile {players}")
}

/// Describes what is to be done for `queue`, or what it waits for; `idle` is used if there is nothing.
fn fetcher(queue: &QueueView, wait: Option<String>, idle: &str) -> String {
    let QueueView { counts, parked, .. } = queue;
    let work = match (counts.unfinished(), *parked) {
        (0, 0) => return format!("nothing to do: {idle}"),
        (unfinished, 0) => count(unfinished, "message", "messages"),
        (0, parked) => count(parked, "parked message", "parked messages"),
        (unfinished, parked) => format!("{} and {} parked", count(unfinished, "message", "messages"), number(parked)),
    };
    if let Some(wait) = wait {
        return format!("{wait}; {work} to go");
    }
    if counts.in_flight > 0 {
        return format!("works on {} of {work}", number(counts.in_flight));
    }
    format!("ready: {work} to go")
}

/// Returns the key that will next have room for the backlog, if none has room now.
fn waits_for_points(input: &StatusInput, needed: Points, now: Timestamp) -> Option<String> {
    if input.keys_in_use().any(|key| key.free >= needed) {
        return None;
    }
    let next = input.keys_in_use().min_by_key(|key| (key.limit.is_zero(), key.grants_at(needed)));
    let Some(key) = next.filter(|key| key.grants_at(needed) < key.renews_at) else {
        return Some(waits_for_reset(next, |key| key.free, needed, now));
    };
    let (name, kept) = (&key.key, points(key.reserved));
    Some(format!(
        "waits for {name}: it reserves {kept} points for refreshes until {}",
        format_time(key.released_at, now)
    ))
}

fn reviver(input: &StatusInput, now: Timestamp) -> String {
    let wakeup = input.schedules.iter().find(|schedule| schedule.name == REVIVE);
    match wakeup.and_then(|wakeup| wakeup.next_due) {
        Some(at) => {
            let parked = input.queue.parked + input.refreshes.parked;
            let unpark = match parked {
                _ if input.outage(&[UPSTREAM], now).is_some() => "probe the API".to_owned(),
                0 => "look for points".to_owned(),
                parked => format!("un-park {}", count(parked, "message", "messages")),
            };
            format!("wakes {} to {unpark}", format_time(at, now))
        }
        None => "nothing to do: no message waits for points".into(),
    }
}

fn db_generator(input: &StatusInput) -> String {
    match input.players.ranked {
        0 => "nothing to do: no player is ranked yet".into(),
        ranked => format!("ready: {} to write", count(ranked, "player", "players")),
    }
}
