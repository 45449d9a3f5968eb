//! Runs one invocation of a worker by hand.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use futures::future::{Either, select};
use serde::Serialize;
use serde_json::Value;
use stint_core::worker::{AnyWorker, Disposition, Event, Outcome, StopSignal, WorkerError};

use crate::context::Context;
use crate::fleets::settings::UnparsedSettings;
use crate::fleets::{FleetWorker, all_workers, first_queue_worker, parse_worker};
use crate::hosting::{self, STOPPING_MESSAGE, drain, wait_for_signal};
use crate::wiring::BackendSettings;

/// Which worker, and with what.
#[derive(clap::Args)]
#[command(after_help = examples())]
pub(crate) struct Arguments {
    /// The worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = parse_worker)]
    worker: FleetWorker,
    /// A file with the event as JSON, or - for standard input. A queue-driven worker accepts one message or a list.
    #[arg(long)]
    event: Option<PathBuf>,

    #[command(flatten)]
    settings: UnparsedSettings,

    #[command(flatten)]
    backends: BackendSettings,
}

/// The result of the invocation.
#[derive(Serialize)]
struct Summary {
    worker: String,
    report: Value,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
struct Failure {
    message: String,
    fate: &'static str,
    reason: String,
}

fn examples() -> String {
    let first = all_workers().find(|worker| worker.spec.queue().is_none()).map(|worker| worker.short_name());
    let fed = first_queue_worker().map(|worker| worker.short_name());
    let (first, fed) = (first.unwrap_or_default(), fed.unwrap_or_default());
    format!("Examples:\n  stint run {first}\n  stint run {fed} --event message.json")
}

/// Runs the worker and prints its report.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let Arguments { worker: FleetWorker { fleet, spec }, event, settings, backends } = arguments;
    let (worker, event) = (spec.name, event.as_deref().map(read).transpose()?.unwrap_or(Value::Null));
    let settings = settings.parse(&[fleet.settings()])?;
    let backends = context.backends(&backends, fleet.needs()).await?;
    let built = hosting::build_worker(fleet, spec, &settings, &backends).await?;
    let outcome = invoke(&*built, event, context).await?.with_context(|| format!("{worker} failed"))?;
    let summary = summary(worker, outcome);
    context.output.result(&summary, to_text)?;
    match summary.failures.len() {
        0 => Ok(()),
        failures => bail!("{failures} of the messages failed"),
    }
}

/// Runs the invocation. On Ctrl-C or SIGTERM the worker may finish its current step: a follower stores the pages that
/// are open.
async fn invoke(
    worker: &dyn AnyWorker,
    event: Value,
    context: &Context,
) -> anyhow::Result<Result<Outcome, WorkerError>> {
    let stop = StopSignal::default();
    let invocation = Box::pin(stint_host::invoke(worker, Event::Manual(event), &context.clock, &stop));
    match select(invocation, Box::pin(wait_for_signal())).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right((signal, invocation)) => {
            signal?;
            context.output.line(STOPPING_MESSAGE);
            stop.set();
            let outcome = drain(invocation, context).await;
            outcome.context("stopped before the work was finished; its holds expire by themselves")
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("cannot read the event from standard input")?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("cannot read the event in {}", path.display()))?;
    }
    serde_json::from_str(&text).with_context(|| format!("the event in {} is not JSON", path.display()))
}

fn summary(worker: &str, outcome: Outcome) -> Summary {
    let failures = outcome.exceptions.into_iter().map(|exception| {
        let (fate, reason) = match exception.disposition {
            Disposition::Retry { reason } => ("retry", reason),
            Disposition::Reject { reason } => ("rejected", reason),
        };
        Failure { message: exception.message_id, fate, reason }
    });
    Summary { worker: worker.to_owned(), report: outcome.report, failures: failures.collect() }
}

fn to_text(summary: &Summary) -> String {
    let mut text = format!("{} is done\n", summary.worker);
    for (name, value) in summary.report.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match value.as_array() {
            Some(entries) => entries.iter().for_each(|entry| text.push_str(&format!("  {name}: {}\n", plain(entry)))),
            None => text.push_str(&format!("  {name}: {}\n", plain(value))),
        }
    }
    for failure in &summary.failures {
        text.push_str(&format!("  {} {}: {}\n", failure.message, failure.fate, failure.reason));
    }
    text
}

/// Formats a value without JSON's punctuation: `region EU, players 280`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
