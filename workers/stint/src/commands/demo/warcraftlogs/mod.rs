//! The `warcraftlogs` fleet against its stand-in upstream, from discovery to databases.

mod books;
mod stage;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use stint_core::clock::between;
use stint_core::points::Points;
use stint_core::worker::Event;
use stint_warcraftlogs::budget::Tallied;

use super::{Arguments, Context};
use crate::progress::{Progress, Snapshot};
use crate::report::{Database, Invocations, Players, Queue, Report};
use stage::Stage;

/// Between two looks at a running fleet.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs the demo.
pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<()> {
    let stage = Stage::set(arguments, context).await?;
    let played = play(&stage, context).await;
    stage.strike().await;
    let report = played?;
    context.output.result(&report, Report::in_words)?;
    context.output.line(&stage.farewell().await?);
    ensure!(report.players.lost == 0, "{} players are lost", report.players.lost);
    Ok(())
}

async fn play(stage: &Stage, context: &Context) -> anyhow::Result<Report> {
    let begun = context.clock.now();
    let discovered = discover(stage, context).await?;
    let queued = run_worker(stage, "aggregator").await?["queued"].as_u64().unwrap_or_default();
    context.output.line(&format!("queued {queued} players, one message each; fetching their ranks"));
    let backlog_from = context.clock.now();
    fetch(stage, context, discovered.len() as u64).await?;
    let backlog_to = context.clock.now();
    let seconds = between(backlog_from, backlog_to).as_secs_f64();
    let rate = queued as f64 / seconds.max(f64::EPSILON);
    context.output.line(&format!("fetched in {seconds:.1} s, {rate:.0} players a second"));
    // The last calls' charge shows only in a later reading.
    stage.fleet.budget.read_counters(Points::MAX).await?;
    let generated = run_worker(stage, "db-generator").await?;
    let books = books::audit(stage, backlog_from, backlog_to).await?;
    let (ranked, dropped) = books::fates(stage, &discovered).await?;
    let totals = stage.fleet.host.counters().totals();
    let counts = stage.fleet.stores.queue.counts().await?;
    let tally = &stage.fleet.budget.tally;
    let waiting = counts.unfinished() + counts.dead;
    let parked = tally.total(Tallied::Parked);
    // A parked message was acknowledged too, but its player was served later, straight from where it was parked.
    let succeeded = (totals.succeeded + tally.total(Tallied::Resumed)).saturating_sub(parked);
    Ok(Report {
        players: Players {
            discovered: discovered.len() as u64,
            queued,
            ranked,
            dropped,
            lost: (discovered.len() as u64).saturating_sub(ranked + dropped + waiting),
        },
        budget: books,
        queue: Queue {
            received: totals.received,
            succeeded,
            receives_per_success: totals.received as f64 / succeeded.max(1) as f64,
            parked,
            dead_letters: counts.dead,
        },
        invocations: Invocations { total: totals.invocations, wasted: totals.wasted },
        databases: databases(&generated),
        virtual_seconds: between(begun, context.clock.now()).as_secs_f64(),
        wall_seconds: between(begun, context.clock.now()).as_secs_f64(),
        simulation: None,
    })
}

/// Runs the discovery until no rule is due, as its schedule would over a few hours.
async fn discover(stage: &Stage, context: &Context) -> anyhow::Result<std::collections::BTreeSet<u64>> {
    let mut pages = 0;
    loop {
        let report = run_worker(stage, "discover").await?;
        if report["rule"].is_null() {
            break;
        }
        ensure!(report["finished"] == json!(true), "discovery stopped: {}", report["stopped"]);
        pages += report["pages"].as_u64().unwrap_or_default();
    }
    let discovered = books::discovered(stage).await?;
    let rules = stage.fleet.stores.rules.list().await?.documents.len();
    let players = discovered.len();
    context.output.line(&format!("discovered {players} players on {pages} ranking pages, by {rules} rules"));
    Ok(discovered)
}

/// Waits until every message is done or dead, and shows how it goes.
async fn fetch(stage: &Stage, context: &Context, total: u64) -> anyhow::Result<()> {
    let mut progress = Progress::new(&context.output, Some(total));
    loop {
        let budget = &stage.fleet.budget;
        let now = context.clock.now();
        let snapshot = Snapshot::take(&stage.fleet.stores, &budget.worker, budget.concurrency_limit, now).await?;
        progress.show(&snapshot);
        if snapshot.is_drained() {
            progress.finish();
            return Ok(());
        }
        if stage.is_interrupted() {
            progress.finish();
            bail!("interrupted; what was fetched so far is in {}", stage.out.display());
        }
        context.clock.sleep(LOOK_EVERY).await;
    }
}

async fn run_worker(stage: &Stage, worker: &str) -> anyhow::Result<Value> {
    let outcome = stage.fleet.host.run(stint_warcraftlogs::FLEET, worker, Event::Manual(Value::Null)).await;
    Ok(outcome.with_context(|| format!("{worker} failed"))?.report)
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
