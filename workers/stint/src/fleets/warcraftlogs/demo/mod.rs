//! Runs the `warcraftlogs` fleet against its stand-in upstream, from discovery to databases: `stint up
//! --until-drained`, followed by a report.

mod audit;
mod environment;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{bail, ensure};
use async_trait::async_trait;
use serde_json::Value;
use stint_core::clock::between;
use stint_core::points::Points;
use stint_core::worker::{StopSignal, Worker};
use stint_host::Totals;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::{Budget, Counted};
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;

use super::report::{Database, FleetReport, Invocations, Players, Queue};
use super::stores::Stores;
use super::workers::Workers;
use crate::context::Context;
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::fleets::settings::FleetSettings;
use crate::hosting::{Installation, OpenFleet, PollInterval, WatchOptions, run_local};
use crate::wiring::ReportLog;
use environment::DemoEnvironment;

/// Warcraft Logs: players from discovery to Lua databases, under the budgets of a few keys.
#[derive(clap::Args)]
#[command(
    after_help = "Everything runs on this machine: the upstream is a stand-in on loopback, and no real upstream is called.\n\nExample:\n  stint demo --players 3000 --seed 41 --json"
)]
pub(super) struct Arguments {
    /// How many players the stand-in knows.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    players: u32,
    /// How many keys share the work.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=200))]
    keys: u32,
    /// Points per key and window; without it, so many that the keys run dry two or three times.
    #[arg(long)]
    limit: Option<Points>,
    /// How long a key's window is, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(4..=3600))]
    window: u64,
    /// The longest response time of the stand-in, in milliseconds.
    #[arg(long, default_value_t = 250)]
    latency: u64,
    /// The same seed makes the same players, ranks and costs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the demo's state and results; the files of an earlier demo are replaced.
    #[arg(long, default_value = "./stint-demo")]
    out: PathBuf,
}

/// The fleet of a demo, built.
struct DemoFleet {
    stores: Stores,
    budget: Budget,
}

#[async_trait(?Send)]
impl FleetCommand for Arguments {
    async fn run(self, fleet: &'static dyn Fleet, context: &Context) -> anyhow::Result<()> {
        let environment = DemoEnvironment::start(&self, context).await?;
        let builder = Arc::new(Workers::new(&environment.settings, &environment.backends));
        let demo_fleet = DemoFleet { stores: builder.stores().await?, budget: builder.budget().await? };
        let settings = FleetSettings::of_one(environment.settings.clone());
        let opened = vec![OpenFleet { fleet, builder }];
        let installation = Installation::build(opened, &settings, &environment.backends, StopSignal::default()).await?;
        environment.add_rules(&*demo_fleet.stores.rules, self.players).await?;
        let begun = environment.context.clock.now();
        let options = WatchOptions { until_drained: true, interval: PollInterval::for_demo() };
        let ran = run_local(&installation, None, options, &environment.context).await?;
        if ran.interrupted {
            bail!("interrupted; what was fetched so far is in {}", environment.out.display());
        }
        let report = report(&environment, &demo_fleet, &installation.report_log, ran.totals).await?;
        let seconds = between(begun, environment.context.clock.now()).as_secs_f64();
        let report = FleetReport { virtual_seconds: seconds, wall_seconds: seconds, ..report };
        context.output.result(&report, FleetReport::to_text)?;
        context.output.line(&environment.closing_message(&demo_fleet).await?);
        ensure!(report.players.lost == 0, "{} players are lost", report.players.lost);
        Ok(())
    }
}

/// Adds up the results of a run, and compares them with the stand-in's records.
async fn report(
    environment: &DemoEnvironment,
    demo_fleet: &DemoFleet,
    report_log: &ReportLog,
    totals: Totals,
) -> anyhow::Result<FleetReport> {
    let (aggregator, discover) = (report_log.of(&Aggregator::SPEC.id()), report_log.of(&Discover::SPEC.id()));
    let queued = aggregator.total("queued");
    let now = environment.context.clock.now();
    let emptied = demo_fleet.stores.milestones.reached().await?.emptied;
    let (from, to) = (aggregator.first_above_zero("queued").unwrap_or(now), emptied.unwrap_or(now));
    let (seconds, players) = (between(from, to).as_secs_f64(), environment.players());
    let (pages, rules) = (discover.total("pages"), demo_fleet.stores.rules.list().await?.documents.len());
    environment.context.output.line(&format!(
        "discovered {} players on {pages} ranking pages, by {rules} rules; fetched in {seconds:.1} s, {:.0} players a second",
        players.len(),
        queued as f64 / seconds.max(f64::EPSILON)
    ));
    // The charge of the last calls appears only in a later reading.
    demo_fleet.budget.read_counters(Points::MAX).await?;
    let budget = audit::audit(environment, demo_fleet, from, to).await?;
    let (ranked, dropped) = audit::count_outcomes(demo_fleet, &players).await?;
    let counts = demo_fleet.stores.queue.counts().await?;
    let counted = &demo_fleet.budget.counts;
    let waiting = counts.unfinished() + counts.dead_letters;
    let parked = counted.total(Counted::Parked);
    // A parked message was acknowledged too, but its player was served later, directly from the parked messages.
    let succeeded = (totals.succeeded + counted.total(Counted::Resumed)).saturating_sub(parked);
    let discovered = players.len() as u64;
    Ok(FleetReport {
        players: Players {
            discovered,
            queued,
            ranked,
            dropped,
            lost: discovered.saturating_sub(ranked + dropped + waiting),
        },
        budget,
        queue: Queue {
            received: totals.received,
            succeeded,
            receives_per_success: totals.received as f64 / succeeded.max(1) as f64,
            parked,
            dead_letters: counts.dead_letters,
        },
        invocations: Invocations { total: totals.invocations, wasted: totals.wasted },
        databases: databases(&report_log.of(&DbGenerator::SPEC.id()).last.unwrap_or_default()),
        ..FleetReport::default()
    })
}

fn databases(generated: &Value) -> Vec<Database> {
    let regions = generated["regions"].as_array().into_iter().flatten();
    let database = |region: &Value| Database {
        region: region["region"].as_str().unwrap_or_default().to_owned(),
        path: region["path"].as_str().unwrap_or_default().into(),
        players: region["players"].as_u64().unwrap_or_default(),
        bytes: region["bytes"].as_u64().unwrap_or_default(),
    };
    regions.map(database).collect()
}
