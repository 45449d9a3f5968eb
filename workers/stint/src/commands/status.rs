//! Shows what runs, what waits, and why. It reads only the stores, so it works whichever process runs the fleets.

use std::path::PathBuf;

use anyhow::ensure;
use jiff::Timestamp;
use serde::Serialize;

use super::meant::{beginning, fleets, needs};
use crate::context::Context;
use crate::fleets::fleet::{Fleet, Standing};
use crate::fleets::settings::FleetSettings;
use crate::fleets::{named, settings_of};
use crate::wiring::BackendSettings;

/// The only choice is the fleets.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint status\n  watch -n 5 stint status\n  stint status --json | jq '.fleets[].workers'"
)]
pub(crate) struct Arguments {
    /// The fleets; without any, all that were ever set up.
    #[arg(value_name = "FLEET", value_parser = named)]
    fleets: Vec<&'static dyn Fleet>,
}

/// The state of an installation at one moment.
#[derive(Serialize)]
struct Status {
    home: PathBuf,
    now: Timestamp,
    fleets: Vec<Standing>,
}

/// Shows the state of the fleets.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let (status, words) = read(&arguments, context).await?;
    context.output.result(&status, |_| words)
}

/// Returns the state of the fleets as data and as text.
async fn read(arguments: &Arguments, context: &Context) -> anyhow::Result<(Status, String)> {
    let backends = BackendSettings::from_environment()?;
    let meant = fleets(&arguments.fleets, &backends);
    let needs = needs(&meant);
    let is_installed = context.is_installed(needs.uses)?;
    ensure!(
        context.home.is_dir() || is_installed,
        "there is no folder {}: begin with {}, or name another folder with --home or STINT_HOME",
        context.home.display(),
        beginning(&meant)
    );
    let (settings, now) = (FleetSettings::from_environment(&settings_of(&meant))?, context.clock.now());
    // An empty folder stays empty: a read-only command creates nothing.
    let backends = if is_installed { Some(context.backends(&backends, needs).await?) } else { None };
    let mut standings = Vec::new();
    for fleet in &meant {
        let standing = fleet.status(&settings, backends.as_ref(), now).await?;
        ensure!(
            standing.is_some() || arguments.fleets.is_empty(),
            "{} was never started here: begin with {}",
            fleet.name(),
            fleet.beginning()
        );
        standings.extend(standing.map(|standing| (*fleet, standing)));
    }
    // A fleet that was never set up is shown only if no other is, so that its hints say how to begin.
    if arguments.fleets.is_empty() && standings.iter().any(|(_, standing)| standing.is_set_up) {
        standings.retain(|(_, standing)| standing.is_set_up);
    }
    let home = std::path::absolute(&context.home).unwrap_or_else(|_| context.home.clone());
    let pages = standings
        .iter()
        .map(|(fleet, standing)| format!("{} in {}\n\n{}", fleet.name(), home.display(), standing.words));
    let words = pages.collect::<Vec<_>>().join("\n");
    let fleets = standings.into_iter().map(|(_, standing)| standing).collect();
    Ok((Status { home, now, fleets }, words))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stint_host::SystemClock;

    use super::*;
    use crate::output::Output;

    /// Uses the sample fleet. This file does not name it; only the list of fleets does.
    #[tokio::test]
    async fn a_new_fleet_is_shown() {
        let home = tempfile::tempdir().unwrap();
        let (output, clock) = (Output::new(true), Arc::new(SystemClock));
        let context = Context { home: home.path().to_owned(), output, clock };
        let sample = named("smp").unwrap();
        for fleets in [vec![sample], vec![sample, sample], vec![]] {
            let (status, words) = read(&Arguments { fleets }, &context).await.unwrap();
            let status = serde_json::to_value(&status).unwrap();
            assert_eq!(status["fleets"], serde_json::json!([{ "fleet": "sample", "samples": 3 }]));
            assert!(words.starts_with("sample in ") && words.ends_with("three samples"), "{words}");
        }
    }
}
