//! Adds up the results of a simulation, and compares the ledger with the stand-in's own records.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use stint_core::clock::{Clock, after, between};
use stint_core::ledger::{KeyId, KeyStatus, Tail};
use stint_core::points::Points;
use stint_simulation::Fault;
use stint_simulation::lambda::Usage;
use stint_simulation::prices::{Prices, Used};
use stint_standins::warcraftlogs::{Counters, StandinKey, WindowCounters};
use stint_warcraftlogs::budget::{Counted, REVIVE};
use stint_warcraftlogs::store::Freshness;

use super::observations::Observations;
use super::result::{
    Capacity, Cloud, Flow, KeyResult, RankAges, RemainingWork, SimulationResult, WakeDelay, WindowResult,
};
use super::scenario::Scenario;
use super::simulated_fleet::SimulatedFleet;
use super::text;
use crate::fleets::warcraftlogs::report::{Budget, FleetReport, Invocations, Players, Queue};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the whole report except the wall time.
pub(super) fn report(
    scenario: &Scenario,
    fleet: &SimulatedFleet,
    observed: &Observations,
) -> anyhow::Result<FleetReport> {
    fleet.standin.wait_until_idle();
    let (counters, options) = {
        let upstream = fleet.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        (upstream.counters(), upstream.options().clone())
    };
    if let Some(broken) = fleet.pool.violation() {
        bail!("the ledger is wrong: {broken}");
    }
    for key in fleet.pool.statuses() {
        check(fleet, &key, &counters)?;
    }
    let keys: Vec<KeyResult> =
        options.keys.iter().map(|key| key_result(key, scenario, fleet, observed, &counters)).collect();
    let totals = fleet.stores.totals();
    let lost = fleet.stores.lost(|show| {
        fleet.queue.each_body(&mut *show);
        fleet.pool.each_parked(show);
    });
    let mut report = FleetReport {
        players: Players {
            discovered: totals.discovered,
            queued: totals.queued,
            ranked: totals.ranked,
            dropped: totals.dropped,
            lost,
        },
        budget: budget(&keys, &counters),
        queue: queue(fleet),
        invocations: invocations(fleet),
        virtual_seconds: scenario.hours.as_secs_f64(),
        ..FleetReport::default()
    };
    let mut result = SimulationResult {
        fits: totals.all_done_at.is_some(),
        done_after_seconds: totals.all_done_at.map(|done| between(fleet.started, done).as_secs_f64()),
        flow: flow(fleet, &keys, totals.first_rank_at),
        capacity: capacity(scenario, &counters, totals.completed, options.window),
        ages: ages(fleet),
        left: remaining_work(fleet, observed),
        keys,
        wakeups: wakeups(fleet),
        cloud: cloud(scenario, fleet),
        faults: faults(scenario, &counters),
        ..SimulationResult::default()
    };
    result.verdict = text::verdict(scenario, &result);
    report.simulation = Some(Box::new(result));
    Ok(report)
}

/// Fails if the ledger and the stand-in disagree. The ledger may only be short by the amount it reports itself: calls
/// whose charge no reading has shown. With a setting that tries the last points of a window, the cost of the last call
/// is unknown, because the upstream refuses to report it.
fn check(fleet: &SimulatedFleet, key: &KeyStatus, counters: &Counters) -> anyhow::Result<()> {
    let (settings, windows) = (fleet.settings(), fleet.pool.history(&key.key));
    let spent: Points = windows.iter().map(|window| window.spent).sum::<Points>().saturating_add(key.spent);
    let tried = if settings.wcl_tail == Tail::Strict { 0 } else { windows.len() as u64 + 1 };
    let unsure: Points = windows.iter().map(|window| window.unconfirmed).sum::<Points>().saturating_add(key.held);
    let unsure = unsure.saturating_add(settings.unit().saturating_mul(tried));
    let key_counters = counters.keys.iter().find(|key_counters| key_counters.id == key.key.0);
    let charged: Points = key_counters
        .map(|key_counters| key_counters.windows.iter().map(|window| window.charged).sum())
        .unwrap_or_default();
    let held = fleet.budget_holds();
    ensure!(
        spent <= charged && (!held || charged <= spent.saturating_add(unsure)),
        "the records disagree: {} was charged {charged} points, and the ledger has {spent} ± {unsure}",
        key.key
    );
    Ok(())
}

/// Returns every window of a key that lies in the simulated time, including windows without calls.
fn key_result(
    key: &StandinKey,
    scenario: &Scenario,
    fleet: &SimulatedFleet,
    observed: &Observations,
    counters: &Counters,
) -> KeyResult {
    let length = Duration::from_secs(fleet.settings().wcl_window_seconds);
    let end = after(fleet.started, scenario.hours);
    let key_counters = counters.keys.iter().find(|key_counters| key_counters.id == key.id);
    let known: BTreeMap<Timestamp, WindowCounters> = key_counters
        .into_iter()
        .flat_map(|key_counters| &key_counters.windows)
        .map(|window| (window.start, *window))
        .collect();
    let starts = std::iter::successors(Some(after(fleet.started, key.phase)), |start| Some(after(*start, length)));
    let windows = starts.take_while(|start| after(*start, length) <= end).map(|start| {
        let reset = after(start, length);
        let spent = known.get(&start).map_or(Points::ZERO, |window| window.charged);
        WindowResult {
            reset_at_seconds: between(fleet.started, reset).as_secs_f64(),
            spent,
            expired: key.limit.saturating_sub(spent),
            backlog: observed.had_backlog(start, reset),
            due: observed.had_due(reset),
        }
    });
    KeyResult { key: KeyId(key.id.clone()).0, limit: key.limit, windows: windows.collect() }
}

/// Returns the totals over all whole windows, from the upstream's records.
fn budget(keys: &[KeyResult], counters: &Counters) -> Budget {
    let mut budget = Budget {
        spent: counters.charged,
        overspent: counters.overspent,
        refused_calls: counters.refused_calls,
        ..Budget::default()
    };
    let (mut busy_limit, mut busy_spent) = (Points::ZERO, Points::ZERO);
    for key in keys {
        for window in &key.windows {
            budget.limit = budget.limit.saturating_add(key.limit);
            budget.expired = budget.expired.saturating_add(window.expired);
            if window.backlog {
                busy_limit = busy_limit.saturating_add(key.limit);
                busy_spent = busy_spent.saturating_add(window.spent.min(key.limit));
            }
        }
    }
    if !busy_limit.is_zero() {
        budget.utilisation = busy_spent.to_float() / busy_limit.to_float();
    }
    budget
}

/// Returns whether the fleet worked whenever there was work.
fn flow(fleet: &SimulatedFleet, keys: &[KeyResult], first_rank_at: Option<Timestamp>) -> Flow {
    let seconds = |at: Timestamp| between(fleet.started, at).as_secs_f64();
    let first_rank = first_rank_at.map(seconds);
    let mut flow = Flow {
        first_rank_after_seconds: first_rank,
        databases_after_seconds: fleet.milestones.generated().into_iter().map(seconds).collect(),
        ..Flow::default()
    };
    let (mut limit, mut spent) = (Points::ZERO, Points::ZERO);
    for (key, window) in keys.iter().flat_map(|key| key.windows.iter().map(move |window| (key, window))) {
        if first_rank.is_none_or(|first| window.reset_at_seconds <= first) {
            flow.expired_before_first_rank = flow.expired_before_first_rank.saturating_add(window.expired);
        }
        if window.due {
            flow.expired_while_due = flow.expired_while_due.saturating_add(window.expired);
            limit = limit.saturating_add(key.limit);
            spent = spent.saturating_add(window.spent.min(key.limit));
        }
    }
    if !limit.is_zero() {
        flow.utilisation_while_due = spent.to_float() / limit.to_float();
    }
    flow
}

fn queue(fleet: &SimulatedFleet) -> Queue {
    let (sqs, mapping) = (fleet.queue.usage(), fleet.mapping.usage());
    let parked = fleet.budget.counts.total(Counted::Parked);
    // A parked message was deleted too, but its player was served later, directly from the parked messages.
    let succeeded = (mapping.done + fleet.budget.counts.total(Counted::Resumed)).saturating_sub(parked);
    Queue {
        received: sqs.received,
        succeeded,
        receives_per_success: sqs.received as f64 / succeeded.max(1) as f64,
        parked,
        dead_letters: fleet.queue.exact_counts().dead_letters,
    }
}

fn invocations(fleet: &SimulatedFleet) -> Invocations {
    let total = fleet.functions.iter().map(|function| function.usage().invocations).sum();
    Invocations { total, wasted: fleet.fetcher.usage().wasted }
}

fn capacity(scenario: &Scenario, counters: &Counters, completed: u64, window: Duration) -> Capacity {
    let windows_per_day = DAY.as_secs_f64() / window.as_secs_f64();
    let points_per_day = scenario.keys.iter().copied().sum::<Points>().to_float() * windows_per_day;
    let points_per_player = counters.charged.to_float() / completed.max(1) as f64;
    if completed == 0 || points_per_player <= 0.0 {
        return Capacity::default();
    }
    let players_per_day = points_per_day / points_per_player;
    let days_for_all = f64::from(scenario.players) / players_per_day;
    let days = scenario.hours.as_secs_f64() / DAY.as_secs_f64();
    Capacity {
        points_per_player,
        players_per_day,
        share_per_day: players_per_day / f64::from(scenario.players),
        days_for_all,
        keys_needed: (days_for_all / days * scenario.keys.len() as f64).ceil() as u64,
    }
}

fn ages(fleet: &SimulatedFleet) -> RankAges {
    let ages = fleet.stores.ages();
    RankAges { median_seconds: ages.median.as_secs_f64(), p95_seconds: ages.p95.as_secs_f64(), never: ages.never }
}

fn remaining_work(fleet: &SimulatedFleet, observed: &Observations) -> RemainingWork {
    let backlog = fleet.stores.backlog(&Freshness::at(fleet.clock.now(), fleet.settings().refresh_after()));
    RemainingWork {
        to_queue: backlog.due,
        fresh: backlog.fresh,
        queued: fleet.queue.exact_counts().unfinished(),
        parked: fleet.pool.parked(),
        most_queued: observed.most_queued,
        most_parked: observed.most_parked,
    }
}

fn wakeups(fleet: &SimulatedFleet) -> WakeDelay {
    let log = fleet.scheduler.log();
    let mut late: Vec<Duration> = log.iter().filter(|fired| fired.name == REVIVE).map(|fired| fired.late).collect();
    late.sort_unstable();
    let at = |index: usize| late.get(index).map_or(0.0, Duration::as_secs_f64);
    WakeDelay {
        fired: late.len() as u64,
        median_seconds: at(late.len() / 2),
        longest_seconds: at(late.len().saturating_sub(1)),
    }
}

fn cloud(scenario: &Scenario, fleet: &SimulatedFleet) -> Cloud {
    let fetcher = fleet.fetcher.usage();
    let all = fleet.functions.iter().map(|function| function.usage()).fold(Usage::default(), add);
    let used = Used {
        invocations: all.invocations,
        billed_millis: all.billed_millis,
        sqs_requests: fleet.queue.usage().requests,
        scheduled: fleet.scheduler.log().len() as u64,
    };
    Cloud {
        rank_fetcher: fetcher,
        others: Usage {
            invocations: all.invocations - fetcher.invocations,
            cold_starts: all.cold_starts - fetcher.cold_starts,
            throttled: all.throttled - fetcher.throttled,
            failed: all.failed - fetcher.failed,
            wasted: all.wasted - fetcher.wasted,
            billed_millis: all.billed_millis - fetcher.billed_millis,
        },
        mapping: fleet.mapping.usage(),
        sqs: fleet.queue.usage(),
        control_plane: fleet.throttle.usage(),
        bill: used.bill(&Prices::default(), scenario.hours),
    }
}

/// Returns the faults that occurred. The stand-in counts its own.
fn faults(scenario: &Scenario, counters: &Counters) -> BTreeMap<&'static str, u64> {
    scenario.faults.count(Fault::ServerErrors, counters.failed_calls);
    scenario.faults.count(Fault::RateLimits, counters.rate_limited_calls);
    scenario.faults.happened()
}

fn add(sum: Usage, usage: Usage) -> Usage {
    Usage {
        invocations: sum.invocations + usage.invocations,
        cold_starts: sum.cold_starts + usage.cold_starts,
        throttled: sum.throttled + usage.throttled,
        failed: sum.failed + usage.failed,
        wasted: sum.wasted + usage.wasted,
        billed_millis: sum.billed_millis + usage.billed_millis,
    }
}
