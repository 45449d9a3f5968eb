//! The `warcraftlogs` fleet against its stand-in upstream, from discovery to databases: `stint up --until-drained`, and what
//! came of it.

mod books;
mod stage;

use anyhow::{bail, ensure};
use serde_json::Value;
use stint_core::clock::between;
use stint_core::points::Points;
use stint_core::worker::{Stop, Worker};
use stint_host::Totals;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::Tallied;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;

use super::{Arguments, Context};
use crate::commands::up::{Looks, Until, here};
use crate::report::{Database, Invocations, Players, Queue, Report};
use crate::wiring::{Diary, Fleet, Installation};
use stage::Stage;

/// Runs the demo.
pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<()> {
    let stage = Stage::set(arguments, context).await?;
    let installation = Installation::build(&stage.plans, &stage.settings, &stage.backends, Stop::default()).await?;
    let fleet = installation.warcraftlogs().await?;
    stage.add_rules(&*fleet.stores.rules, arguments.players).await?;
    let begun = stage.context.clock.now();
    let until = Until { drained: true, looks: Looks::often() };
    let ran = here(&stage.plans, &installation, &stage.settings, until, &stage.context).await?;
    if ran.interrupted {
        bail!("interrupted; what was fetched so far is in {}", stage.out.display());
    }
    let report = report(&stage, &fleet, &installation.diary, ran.totals).await?;
    let seconds = between(begun, stage.context.clock.now()).as_secs_f64();
    let report = Report { virtual_seconds: seconds, wall_seconds: seconds, ..report };
    context.output.result(&report, Report::in_words)?;
    context.output.line(&stage.farewell(&fleet).await?);
    ensure!(report.players.lost == 0, "{} players are lost", report.players.lost);
    Ok(())
}

/// Adds up what came of a run, and compares it with the stand-in's books.
async fn report(stage: &Stage, fleet: &Fleet, diary: &Diary, totals: Totals) -> anyhow::Result<Report> {
    let (aggregator, discover) = (diary.of(Aggregator::SPEC.name), diary.of(Discover::SPEC.name));
    let queued = aggregator.sum("queued");
    let now = stage.context.clock.now();
    let emptied = fleet.stores.milestones.reached().await?.emptied;
    let (from, to) = (aggregator.since("queued").unwrap_or(now), emptied.unwrap_or(now));
    let (seconds, players) = (between(from, to).as_secs_f64(), stage.players());
    let (pages, rules) = (discover.sum("pages"), fleet.stores.rules.list().await?.documents.len());
    stage.context.output.line(&format!(
        "discovered {} players on {pages} ranking pages, by {rules} rules; fetched in {seconds:.1} s, {:.0} players a second",
        players.len(),
        queued as f64 / seconds.max(f64::EPSILON)
    ));
    // The last calls' charge shows only in a later reading.
    fleet.budget.read_counters(Points::MAX).await?;
    let budget = books::audit(stage, fleet, from, to).await?;
    let (ranked, dropped) = books::fates(fleet, &players).await?;
    let counts = fleet.stores.queue.counts().await?;
    let tally = &fleet.budget.tally;
    let waiting = counts.unfinished() + counts.dead;
    let parked = tally.total(Tallied::Parked);
    // A parked message was acknowledged too, but its player was served later, straight from where it was parked.
    let succeeded = (totals.succeeded + tally.total(Tallied::Resumed)).saturating_sub(parked);
    let discovered = players.len() as u64;
    Ok(Report {
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
            dead_letters: counts.dead,
        },
        invocations: Invocations { total: totals.invocations, wasted: totals.wasted },
        databases: databases(&diary.of(DbGenerator::SPEC.name).last.unwrap_or_default()),
        ..Report::default()
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
