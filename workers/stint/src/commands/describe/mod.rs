//! Describes every fleet, worker, queue and setting as data. Infrastructure and documentation are generated from it.

mod document;
mod fleets;
mod settings;

use std::fmt::Write;

use clap::ValueEnum;
use serde::Serialize;

use crate::context::Context;
use crate::table::Table;
use fleets::{FleetDescription, TriggerDescription};
use settings::{Section, sections};

/// What to describe.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint describe\n  stint describe --json | jq '.fleets[].workers[].name'\n  stint \
                        describe --settings env > .env"
)]
pub(crate) struct Arguments {
    /// Print the settings alone: as the page of the documentation, or as a file of environment variables.
    #[arg(long, value_enum, value_name = "FORM")]
    settings: Option<Form>,

    /// Print the routes of all fleets as an OpenAPI document, as `up` serves it at /openapi.json.
    #[arg(long, conflicts_with = "settings")]
    openapi: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// docs/configuration.md
    Markdown,
    /// .env.example
    Env,
}

#[derive(Serialize)]
struct Description {
    version: &'static str,
    fleets: Vec<FleetDescription>,
    /// Grouped by the heading that `--help` shows them under.
    settings: Vec<Section>,
}

#[derive(Serialize)]
struct Document {
    document: String,
}

/// Prints the description.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<()> {
    if arguments.openapi {
        return context.output.result(&fleets::openapi(), |document| format!("{document:#}\n"));
    }
    let document = match arguments.settings {
        Some(Form::Markdown) => document::markdown(&sections()),
        Some(Form::Env) => document::env(&sections()),
        None => {
            let version = env!("CARGO_PKG_VERSION");
            let description = Description { version, fleets: fleets::fleets(), settings: sections() };
            return context.output.result(&description, to_text);
        }
    };
    context.output.result(&Document { document }, |document| document.document.clone())
}

fn to_text(description: &Description) -> String {
    let mut text = format!("stint {}\n", description.version);
    for fleet in &description.fleets {
        // Writing to a string cannot fail.
        let _ = write_fleet(&mut text, fleet);
    }
    for section in &description.settings {
        let mut table = Table::new(["  setting", "default", "meaning"]);
        for setting in &section.settings {
            let default = setting.default.clone().unwrap_or_else(|| "-".into());
            table.row([format!("  {}", setting.variable), default, document::first_sentence(&setting.help)]);
        }
        let _ = write!(text, "\n{}\n{table}", section.title);
    }
    text.push_str(
        "\nA setting is an environment variable or, in lower case and with dashes, a flag of the commands that \
                   take it; docs/configuration.md has them in full.\n",
    );
    text
}

fn write_fleet(text: &mut String, fleet: &FleetDescription) -> std::fmt::Result {
    writeln!(text, "\nFleet {}", fleet.fleet)?;
    let mut table = Table::new(["  worker", "started", ">at once", ">time-out", "what it does"]);
    for worker in &fleet.workers {
        let triggers: Vec<String> = worker.triggers.iter().map(TriggerDescription::to_text).collect();
        let (at_once, timeout) = (worker.concurrency.to_string(), format!("{} s", worker.timeout_seconds));
        table.row([format!("  {}", worker.name), triggers.join(", "), at_once, timeout, worker.summary.to_owned()]);
    }
    write!(text, "{table}")?;
    if !fleet.listeners.is_empty() {
        let mut table = Table::new(["  listener", "runs on", "what it does"]);
        for listener in &fleet.listeners {
            table.row([format!("  {}", listener.name), listener.runs_on().to_owned(), listener.summary.to_owned()]);
        }
        write!(text, "\n{table}")?;
    }
    let mut table = Table::new(["  queue", ">batch", ">visibility", ">receives", "feeds"]);
    for queue in &fleet.queues {
        let visibility = format!("{} s", queue.visibility_timeout_seconds);
        let (batch, receives) = (queue.batch.to_string(), queue.max_receives.to_string());
        table.row([format!("  {}", queue.queue), batch, visibility, receives, queue.feeds.to_owned()]);
    }
    write!(text, "\n{table}")?;
    write_routes(text, fleet)
}

fn write_routes(text: &mut String, fleet: &FleetDescription) -> std::fmt::Result {
    let mut table = Table::new(["  route", "worker", "what it does"]);
    for worker in &fleet.workers {
        for route in worker.triggers.iter().flat_map(TriggerDescription::routes) {
            let route_name = format!("  {} {}", route.method, route.path);
            table.row([route_name, worker.name.to_owned(), route.summary.to_owned()]);
        }
    }
    if table.is_empty() { Ok(()) } else { write!(text, "\n{table}") }
}
