//! Runs the real workers on virtual time, to tell whether the work fits, when it is done, what expires and what it
//! costs.

mod audit;
mod chart;
mod directory;
mod milestones;
mod observations;
mod population_stores;
pub(super) mod result;
mod rules;
mod scenario;
mod seeds;
mod simulated_fleet;
mod standin_transport;
mod text;
mod upstream;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use futures::FutureExt;
use stint_core::clock::{after, between};
use stint_core::points::Points;
use stint_simulation::Faults;
use stint_warcraftlogs::budget::BudgetStrategy;
use stint_warcraftlogs::config::Settings;

use super::report::FleetReport;
use crate::context::Context;
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::progress_bars::{ProgressBar, ProgressStyle};
use crate::settings::from_environment;
use crate::usage::WrongUsage;
use observations::Observations;
use scenario::Scenario;
use simulated_fleet::SimulatedFleet;

/// The longest simulation, in hours: a year.
const MAX_HOURS: f64 = 24.0 * 366.0;

/// Warcraft Logs: will the players fit into the keys' points, when are they done, what expires, what does it cost.
#[derive(clap::Args)]
#[command(
    after_help = "Everything happens on virtual time: the real workers and the real ledger, against a stand-in of \
                        the upstream, in a model of AWS. Settings of the fleet (such as WCL_CALL_BUDGET) apply here too.\n\n\
                        Examples:\n  stint simulate --players 20000 --key 18000,3600 --hours 24\n  \
                        stint simulate --players 1000000 --key 72000,72000,72000 --hours 720 --chart month.svg\n  \
                        stint simulate --players 400 --key 900,600,400 --hours 12 --faults all --seeds 500 --vary"
)]
pub(super) struct Arguments {
    /// How many players the upstream knows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    players: u32,
    /// The keys, by their points per window, separated by commas.
    #[arg(long = "key", required = true, value_delimiter = ',', value_parser = parse_limit)]
    keys: Vec<Points>,
    /// How long, in hours; fractions are fine.
    #[arg(long, value_parser = parse_hours)]
    hours: Duration,
    /// How points are rationed; BUDGET_STRATEGY by default.
    #[arg(long, value_enum)]
    strategy: Option<BudgetStrategy>,
    /// How many rank fetchers may run at once; CONCURRENCY_LIMIT by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    workers: Option<u32>,
    /// The same seed prints the same report.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run this many seeds, starting with this one, and report their worst and their median.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: u64,
    /// Let each seed draw its own set-up: up to these players, keys, hours and workers, and other resets.
    #[arg(long)]
    vary: bool,
    /// The faults to simulate: none, all, or some of duplicates,5xx,429-rate,429-points,slow-store,kills,lost-wakeups.
    /// Messages always arrive out of order, as on AWS.
    #[arg(long, default_value = "none")]
    faults: Faults,
    /// Draw points, concurrency and queue over time into this file.
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,
}

impl Arguments {
    fn scenario(&self) -> Scenario {
        Scenario {
            players: self.players,
            keys: self.keys.clone(),
            phases: Vec::new(),
            hours: self.hours,
            strategy: self.strategy,
            workers: self.workers,
            seed: self.seed,
            faults: self.faults.clone(),
            randomised: self.vary,
            exclusive: true,
        }
    }
}

#[async_trait(?Send)]
impl FleetCommand for Arguments {
    async fn run(self, _: &'static dyn Fleet, context: &Context) -> anyhow::Result<()> {
        let chart = &self.chart;
        if let Some(file) = chart.as_ref().filter(|file| file.extension().is_none_or(|kind| kind != "svg")) {
            return Err(WrongUsage::error(format!("--chart: {} does not end in .svg", file.display())));
        }
        if self.seeds > 1 {
            if chart.is_some() {
                return Err(WrongUsage::error(
                    "--chart draws one seed: leave out --seeds, and name the seed with --seed",
                ));
            }
            return run_seeds(self.seeds, &self.scenario(), context);
        }
        run_one(chart.as_deref(), &self.scenario().for_seed(), context)
    }
}

fn run_one(chart: Option<&Path>, scenario: &Scenario, context: &Context) -> anyhow::Result<()> {
    let begun = context.clock.now();
    let bar = progress(context, scenario.hours.as_secs(), "{bar:30} {percent} % simulated, {eta} left");
    let (settings, on_progress) = (from_environment()?, |passed: Duration| bar.set_position(passed.as_secs()));
    // Workers log with virtual times, which would be misleading in the log.
    let silent = tracing::subscriber::NoSubscriber::default();
    let simulated = tracing::subscriber::with_default(silent, || simulate(scenario, settings, &on_progress));
    let (mut report, observed) = simulated?;
    bar.finish_and_clear();
    if let Some((file, result)) = chart.zip(report.simulation.as_ref()) {
        chart::draw(file, scenario, result, &observed)?;
    }
    report.wall_seconds = between(begun, context.clock.now()).as_secs_f64();
    context.output.result(&report, text::to_text)
}

fn run_seeds(seeds: u64, scenario: &Scenario, context: &Context) -> anyhow::Result<()> {
    let begun = context.clock.now();
    let bar = progress(context, seeds, "{bar:30} {pos} of {len} seeds, {eta} left");
    let mut summary = seeds::run(scenario, seeds, &from_environment()?, &|| bar.inc(1));
    bar.finish_and_clear();
    summary.wall_seconds = between(begun, context.clock.now()).as_secs_f64();
    context.output.result(&summary, seeds::to_text)?;
    ensure!(summary.failed.is_empty(), "{} of {seeds} seeds failed", summary.failed.len());
    Ok(())
}

/// Runs a scenario with its own seed, and returns the report. `wall_seconds` is left at zero.
fn simulate(
    scenario: &Scenario,
    settings: Settings,
    on_progress: &dyn Fn(Duration),
) -> anyhow::Result<(FleetReport, Observations)> {
    let fleet = SimulatedFleet::new(scenario, settings)?;
    let (observed, deployed) = (RefCell::new(Observations::default()), RefCell::new(Ok(())));
    let tasks = vec![
        fleet.deploy().map(|result| drop(deployed.replace(result))).boxed_local(),
        fleet.scheduler.run(&fleet.functions).boxed_local(),
        fleet.mapping.run().boxed_local(),
        observations::observe(&fleet, scenario.hours, &observed, on_progress).boxed_local(),
    ];
    stint_simulation::run(&fleet.clock, tasks, after(fleet.started, scenario.hours))?;
    deployed.into_inner()?;
    let observed = observed.into_inner();
    let report = audit::report(scenario, &fleet, &observed)?;
    Ok((report, observed))
}

/// Returns a progress bar on stderr, if stderr is a terminal.
fn progress(context: &Context, length: u64, template: &str) -> ProgressBar {
    if !context.output.is_interactive() {
        return ProgressBar::hidden();
    }
    let bar = context.output.progress_bars().add(ProgressBar::new(length));
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn parse_limit(text: &str) -> Result<Points, String> {
    let points: Points = text.parse()?;
    let whole = points.micros().is_multiple_of(Points::whole(1).micros());
    if points.is_zero() || !whole {
        Err(format!("'{text}' is not a whole number of points above 0"))
    } else {
        Ok(points)
    }
}

fn parse_hours(text: &str) -> Result<Duration, String> {
    let hours = text.trim().parse::<f64>().ok().filter(|hours| *hours > 0.0 && *hours <= MAX_HOURS);
    let hours = hours.ok_or_else(|| format!("'{text}' is not a number of hours above 0 and up to {MAX_HOURS}"))?;
    Ok(Duration::from_secs_f64((hours * 3_600.0).round().max(1.0)))
}

#[cfg(test)]
mod tests;
