//! Shows what runs, what waits, and why. It reads only the stores, so it works whichever process runs the fleets.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::ensure;
use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::PortError;
use stint_embedded::Embedded;

use super::selection::{fleets, needs, setup_commands};
use crate::context::Context;
use crate::escape::one_line;
use crate::fleets::fleet::{Fleet, FleetStatus};
use crate::fleets::settings::FleetSettings;
use crate::fleets::{parse_fleet, settings_of};
use crate::views::alarms::{AlarmView, write_alarms};
use crate::views::listeners::write_listeners;
use crate::wiring::{BackendSettings, Backends, RunningListener, running_listeners};

/// The only choice is the fleets.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint status\n  watch -n 5 stint status\n  stint status --json | jq '.fleets[].workers'"
)]
pub(crate) struct Arguments {
    /// The fleets; without any, all that were ever set up.
    #[arg(value_name = "FLEET", value_parser = parse_fleet)]
    fleets: Vec<&'static dyn Fleet>,

    /// Only check that a process runs these fleets here, or any fleet if none is named: exit code 0 if so, and 1 if not. A
    /// container's health check calls this.
    #[arg(long)]
    health: bool,
}

/// The state of an installation at one moment.
#[derive(Serialize)]
struct Status {
    home: PathBuf,
    now: Timestamp,
    /// The open alarms of these fleets.
    alarms: Vec<AlarmView>,
    fleets: Vec<FleetStatus>,
    /// Left out if no process runs one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listeners: Vec<RunningListener>,
}

/// The processes that run fleets here.
#[derive(Serialize)]
struct Health {
    healthy: bool,
    processes: Vec<String>,
}

/// Shows the state of the fleets.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    if arguments.health {
        let health = check_health(&arguments.fleets, context).await?;
        let text = format!("healthy: run by {}\n", health.processes.join(", "));
        return context.output.result(&health, |_| text);
    }
    let (status, text) = read(&arguments, context).await?;
    context.output.result(&status, |_| text)
}

/// Returns the processes that run `fleets` here; fails if a fleet is run by none. Looks only at the records of processes in
/// the folder, which a process that stands still does not renew, and not at upstreams: a restart would not help them.
async fn check_health(named: &[&'static dyn Fleet], context: &Context) -> anyhow::Result<Health> {
    ensure!(Embedded::is_at(&context.home), "unhealthy: nothing ever ran in {}", context.home.display());
    let hosts = Backends::local(&context.home, context.clock.clone())?.embedded()?.hosts();
    let running = hosts.running(context.clock.now()).await?;
    ensure!(!running.is_empty(), "unhealthy: no process runs fleets in {}", context.home.display());
    for fleet in named {
        let is_run = running.iter().any(|host| host.fleets.iter().any(|name| name == fleet.name()));
        ensure!(is_run, "unhealthy: no process runs {} in {}", fleet.name(), context.home.display());
    }
    let processes = running.into_iter().map(|host| format!("process {}", host.id)).collect();
    Ok(Health { healthy: true, processes })
}

/// Returns the state of the fleets as data and as text.
async fn read(arguments: &Arguments, context: &Context) -> anyhow::Result<(Status, String)> {
    let backends = BackendSettings::from_environment()?;
    let selected = fleets(&arguments.fleets, &backends);
    let needs = needs(&selected);
    let is_installed = context.is_installed(needs.ports)?;
    ensure!(
        context.home.is_dir() || is_installed,
        "there is no folder {}: start with {}, or select another folder with --home or STINT_HOME",
        context.home.display(),
        setup_commands(&selected)
    );
    let (settings, now) = (FleetSettings::from_environment(&settings_of(&selected))?, context.clock.now());
    // An empty folder stays empty: a read-only command creates nothing.
    let backends = if is_installed { Some(context.backends(&backends, needs).await?) } else { None };
    let mut statuses = Vec::new();
    for fleet in &selected {
        let status = match fleet.status(&settings, backends.as_ref(), now).await {
            Err(error) if is_unavailable(&error) => Some(unavailable(fleet.name(), &error)?),
            status => status?,
        };
        ensure!(
            status.is_some() || arguments.fleets.is_empty(),
            "{} was never started here; start with {}",
            fleet.name(),
            fleet.setup_commands()
        );
        statuses.extend(status.map(|status| (*fleet, status)));
    }
    // A fleet that was never set up is shown only if no other is, so that its hints say how to begin.
    if arguments.fleets.is_empty() && statuses.iter().any(|(_, status)| status.is_set_up) {
        statuses.retain(|(_, status)| status.is_set_up);
    }
    let mut alarms = Vec::new();
    if let Some(backends) = &backends {
        for (fleet, _) in &statuses {
            let records = fleet.alarm_records(&settings, backends)?;
            alarms.extend(AlarmView::of_fleet(&*records, fleet.name()).await?);
        }
    }
    let home = std::path::absolute(&context.home).unwrap_or_else(|_| context.home.clone());
    let mut listeners = match &backends {
        Some(backends) => running_listeners(backends, now).await?,
        None => Vec::new(),
    };
    listeners.retain(|running| statuses.iter().any(|(fleet, _)| running.listener.fleet == fleet.name()));
    let mut pages = Vec::new();
    for (fleet, status) in &statuses {
        let mut page = format!("{} in {}\n\n{}", fleet.name(), home.display(), status.text);
        write_listeners(&mut page, fleet.name(), &listeners, now)?;
        pages.push(page);
    }
    let mut text = String::new();
    write_alarms(&mut text, &alarms, now)?;
    text.push_str(&pages.join("\n"));
    let fleets = statuses.into_iter().map(|(_, status)| status).collect();
    Ok((Status { home, now, alarms, listeners, fleets }, text))
}

/// The state of a fleet whose stores cannot be reached.
#[derive(Serialize)]
struct Unavailable<'a> {
    fleet: &'a str,
    /// Why its stores cannot be reached.
    unavailable: String,
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<PortError>().is_some_and(PortError::is_unavailable))
}

fn unavailable(fleet: &str, error: &anyhow::Error) -> anyhow::Result<FleetStatus> {
    let status = Unavailable { fleet, unavailable: one_line(&format!("{error:#}")) };
    FleetStatus::new(&status, true, |status, text| {
        writeln!(text, "its stores cannot be reached: {}", status.unavailable)?;
        writeln!(text, "workers that need them receive nothing meanwhile, and go on by themselves")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stint_embedded::Host;

    use stint_host::SystemClock;

    use super::*;
    use crate::output::Output;

    #[test]
    fn stores_that_cannot_be_reached_are_a_state_and_not_a_failure() {
        let port = || PortError::unavailable("could not list the keys (MongoDB)", "no server\nanswers");
        assert!(is_unavailable(&anyhow::Error::from(port()).context("cannot read the fleet")));
        assert!(!is_unavailable(&PortError::backend("could not list the keys", "a bug").into()));
        let status = unavailable("sample", &port().into()).unwrap();
        let reason = "could not list the keys (MongoDB): no server answers";
        assert!(status.text.starts_with(&format!("its stores cannot be reached: {reason}\n")), "{}", status.text);
        let expected = serde_json::json!({ "fleet": "sample", "unavailable": reason });
        assert_eq!(serde_json::to_value(&status).unwrap(), expected);
    }

    /// Uses the sample fleet. This file does not name it; only the list of fleets does.
    #[tokio::test]
    async fn a_new_fleet_is_shown() {
        let home = tempfile::tempdir().unwrap();
        let (output, clock) = (Output::new(true), Arc::new(SystemClock));
        let context = Context { home: home.path().to_owned(), output, clock };
        let sample = parse_fleet("smp").unwrap();
        for fleets in [vec![sample], vec![sample, sample], vec![]] {
            let (status, text) = read(&Arguments { fleets, health: false }, &context).await.unwrap();
            let status = serde_json::to_value(&status).unwrap();
            assert_eq!(status["fleets"], serde_json::json!([{ "fleet": "sample", "samples": 3 }]));
            assert!(text.starts_with("sample in ") && text.ends_with("three samples"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_folder_is_healthy_while_a_process_says_so() {
        let home = tempfile::tempdir().unwrap();
        let (output, clock) = (Output::new(true), Arc::new(SystemClock));
        let context = Context { home: home.path().to_owned(), output, clock: clock.clone() };
        let fleet = [parse_fleet("smp").unwrap()];
        let error =
            async |fleets: &[&'static dyn Fleet]| check_health(fleets, &context).await.err().map(|e| e.to_string());
        assert!(error(&[]).await.unwrap().starts_with("unhealthy: nothing ever ran in "));
        let hosts = Backends::local(home.path(), clock.clone()).unwrap().embedded().unwrap().hosts();
        assert!(error(&[]).await.unwrap().starts_with("unhealthy: no process runs fleets in "));
        let host = Host::new(1, vec!["other".to_owned()], context.clock.now());
        hosts.heartbeat(&host, context.clock.now()).await.unwrap();
        assert_eq!(error(&[]).await, None);
        assert!(error(&fleet).await.unwrap().starts_with("unhealthy: no process runs sample in "));
    }
}
