//! Runs many simulations that differ in their seed in parallel, and summarises their results.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering as Order};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;
use stint_core::points::Points;
use stint_warcraftlogs::config::Settings;

use super::scenario::Scenario;
use super::simulate;
use crate::fleets::warcraftlogs::report::FleetReport;
use crate::format::{number, points};
use crate::table::Table;

/// The number of failed seeds that are reported individually.
const MAX_REPORTED: usize = 20;

/// The combined results of many seeds.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) first_seed: u64,
    pub(super) seeds: u64,
    /// Seeds that lost or overspent something, or whose records disagreed.
    pub(super) failed: Vec<Failed>,
    pub(super) lost: Spread<u64>,
    pub(super) overspent: Spread<Points>,
    pub(super) refused_calls: Spread<u64>,
    pub(super) dead_letters: Spread<u64>,
    /// Over the seeds that had work throughout a window; zero if there were none.
    pub(super) utilisation: Spread<f64>,
    pub(super) receives_per_success: Spread<f64>,
    /// Players ranked in all seeds together.
    pub(super) ranked: u64,
    /// How often each fault occurred in all seeds together.
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) virtual_seconds: f64,
    pub(super) wall_seconds: f64,
}

/// A seed that needs investigation.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) seed: u64,
    pub(super) reason: String,
    /// The command that reproduces it.
    pub(super) repeat: String,
}

/// The distribution of a value over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread<T> {
    pub(super) worst: T,
    pub(super) median: T,
}

/// One seed's command, and its report or error.
pub(super) struct SeedRun {
    pub(super) seed: u64,
    pub(super) command: String,
    pub(super) report: Result<FleetReport, String>,
}

/// Runs `seeds` seeds, starting with the scenario's own, on all cores. `on_progress` is called after each.
pub(super) fn run(scenario: &Scenario, seeds: u64, settings: &Settings, on_progress: &(dyn Fn() + Sync)) -> Summary {
    let (next, runs) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        // Workers log with virtual times, which would be misleading in the log.
        let _silent = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
        loop {
            let number = next.fetch_add(1, Order::Relaxed);
            if number >= seeds {
                return;
            }
            let one = Scenario { seed: scenario.seed.wrapping_add(number), exclusive: false, ..scenario.clone() };
            let report = run_seed(&one, settings.clone());
            let one = SeedRun { seed: one.seed, command: one.to_string(), report };
            runs.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            on_progress();
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
    runs.sort_by_key(|one| one.seed.wrapping_sub(scenario.seed));
    Summary { first_seed: scenario.seed, seeds, ..summary(&runs) }
}

/// Runs one seed. An error or a panic of one seed does not stop the others.
fn run_seed(scenario: &Scenario, settings: Settings) -> Result<FleetReport, String> {
    let simulated = catch_unwind(AssertUnwindSafe(|| simulate(&scenario.for_seed(), settings, &|_| {})));
    match simulated {
        Ok(simulated) => simulated.map(|(report, _)| report).map_err(|error| format!("{error:#}")),
        Err(panic) => Err(format!("panicked: {}", message(&*panic))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

pub(super) fn summary(runs: &[SeedRun]) -> Summary {
    let failed = runs.iter().filter_map(|one| {
        let reason = reason(&one.report)?;
        Some(Failed { seed: one.seed, reason, repeat: one.command.clone() })
    });
    let reports: Vec<&FleetReport> = runs.iter().filter_map(|one| one.report.as_ref().ok()).collect();
    let mut faults = BTreeMap::new();
    for (name, times) in reports.iter().filter_map(|report| report.simulation.as_ref()).flat_map(|one| &one.faults) {
        *faults.entry(*name).or_default() += times;
    }
    let whole = |figure: fn(&FleetReport) -> u64| spread(reports.iter().map(|report| figure(report)), u64::cmp);
    Summary {
        failed: failed.collect(),
        lost: whole(|report| report.players.lost),
        overspent: spread(reports.iter().map(|report| report.budget.overspent), Points::cmp),
        refused_calls: whole(|report| report.budget.refused_calls),
        dead_letters: whole(|report| report.queue.dead_letters),
        utilisation: spread(
            reports.iter().map(|report| report.budget.utilisation).filter(|used| *used > 0.0),
            |one, other| other.total_cmp(one),
        ),
        receives_per_success: spread(reports.iter().map(|report| report.queue.receives_per_success), f64::total_cmp),
        ranked: reports.iter().map(|report| report.players.ranked).sum(),
        faults,
        virtual_seconds: reports.iter().map(|report| report.virtual_seconds).sum(),
        ..Summary::default()
    }
}

/// Returns why a seed failed, if it did.
fn reason(report: &Result<FleetReport, String>) -> Option<String> {
    let report = match report {
        Ok(report) => report,
        Err(error) => return Some(error.clone()),
    };
    let (lost, overspent) = (report.players.lost, report.budget.overspent);
    (lost > 0 || !overspent.is_zero())
        .then(|| format!("{} players lost, {} points overspent", number(lost), points(overspent)))
}

/// Returns the distribution of the values; `worse` orders two values by which is worse. Without values, returns the
/// default.
fn spread<T: Copy + Default>(figures: impl Iterator<Item = T>, worse: fn(&T, &T) -> Ordering) -> Spread<T> {
    let mut figures: Vec<T> = figures.collect();
    figures.sort_by(worse);
    let median = figures.get(figures.len() / 2).copied().unwrap_or_default();
    Spread { worst: figures.last().copied().unwrap_or_default(), median }
}

/// Formats the summary.
pub(super) fn to_text(summary: &Summary) -> String {
    let seeds = format!("{} seeds from {} on", number(summary.seeds), summary.first_seed);
    let verdict = match summary.failed.len() {
        0 => format!("yes: {seeds}, nothing lost, nothing overspent"),
        failed => format!("no: {seeds}, and {} of them failed", number(failed as u64)),
    };
    let faults: Vec<String> = summary.faults.iter().map(|(name, times)| format!("{} {name}", number(*times))).collect();
    let mut lines = vec![verdict, String::new(), table(summary).to_string()];
    lines.push(format!(
        "{} players ranked in {:.0} virtual hours",
        number(summary.ranked),
        summary.virtual_seconds / 3_600.0
    ));
    if !faults.is_empty() {
        lines.push(format!("faults: {}", faults.join(", ")));
    }
    for failed in summary.failed.iter().take(MAX_REPORTED) {
        lines.push(format!("\nseed {}: {}\n  {}", failed.seed, failed.reason, failed.repeat));
    }
    let more = summary.failed.len().saturating_sub(MAX_REPORTED);
    if more > 0 {
        lines.push(format!("\nand {} more; --json lists all", number(more as u64)));
    }
    lines.join("\n") + "\n"
}

fn table(summary: &Summary) -> Table {
    let mut table = Table::new(["over the seeds", ">worst", ">median"]);
    let mut row = |name: &str, worst: String, median: String| table.row([name.to_owned(), worst, median]);
    let whole = |figure: u64| number(figure);
    let per_cent = |share: f64| if share > 0.0 { format!("{:.2} %", share * 100.0) } else { "-".to_owned() };
    row("players lost", whole(summary.lost.worst), whole(summary.lost.median));
    row("points overspent", points(summary.overspent.worst), points(summary.overspent.median));
    row("calls refused", whole(summary.refused_calls.worst), whole(summary.refused_calls.median));
    row("dead letters", whole(summary.dead_letters.worst), whole(summary.dead_letters.median));
    row("utilisation", per_cent(summary.utilisation.worst), per_cent(summary.utilisation.median));
    let receives = summary.receives_per_success;
    row("receives per success", format!("{:.3}", receives.worst), format!("{:.3}", receives.median));
    table
}
