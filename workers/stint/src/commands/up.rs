//! Runs fleets on this machine until they are stopped.

use anyhow::ensure;
use stint_core::worker::StopSignal;
use stint_host::Totals;
use stint_host::config::HttpSettings;

use super::upkeep::check_after_unclean_stop;
use crate::context::Context;
use crate::fleets::fleet::Fleet;
use crate::fleets::settings::{FleetSettings, UnparsedSettings};
use crate::fleets::{FLEETS, each_once, parse_fleet, settings_of};
use crate::hosting::{Installation, OpenFleet, PollInterval, WatchOptions, run_local};
use crate::wiring::{BackendNeeds, BackendSettings};

/// Which fleets to run, and until when.
#[derive(clap::Args)]
#[command(after_help = "Every setting is also an environment variable; see docs/configuration.md.")]
pub(crate) struct Arguments {
    /// The fleets; without any, all fleets whose required settings are set.
    #[arg(value_name = "FLEET", value_parser = parse_fleet)]
    fleets: Vec<&'static dyn Fleet>,

    /// Stop when no work is left: no rule is due, no player waits anywhere, and the databases are written. If only
    /// resting work is left, such as a rule after a ban, it is named and the exit code is 1.
    #[arg(long)]
    until_drained: bool,

    #[command(flatten)]
    settings: UnparsedSettings,

    #[command(flatten)]
    backends: BackendSettings,

    #[command(flatten)]
    http: HttpSettings,
}

/// Runs until Ctrl-C or SIGTERM, then drains.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let requested = if arguments.fleets.is_empty() { FLEETS } else { &arguments.fleets };
    let settings = &arguments.settings.parse(&settings_of(requested))?;
    let fleets = runnable(&arguments.fleets, settings)?;
    check_after_unclean_stop(context)?;
    let needs = BackendNeeds::of_all(fleets.iter().map(|fleet| fleet.needs()));
    let backends = context.backends(&arguments.backends, needs).await?;
    let opened = fleets.into_iter().map(|fleet| OpenFleet::new(fleet, settings, &backends)).collect();
    let installation = Installation::build(opened, settings, &backends, StopSignal::default()).await?;
    let listening = installation.listen(&arguments.http).await?;
    let options = WatchOptions {
        until_drained: arguments.until_drained,
        interval: PollInterval::for_queues(arguments.backends.choice().queues),
    };
    let summary = run_local(&installation, listening, options, context).await?;
    context.output.result(&summary, |summary| {
        let Totals { invocations, succeeded, .. } = summary.totals;
        format!("stopped after {invocations} invocations and {succeeded} messages done\n")
    })
}

/// Returns the fleets in `named`, whose required settings must all be set. If it is empty, returns the fleets whose
/// required settings are set.
fn runnable(named: &[&'static dyn Fleet], settings: &FleetSettings) -> anyhow::Result<Vec<&'static dyn Fleet>> {
    for fleet in named {
        let missing = fleet.missing(settings);
        ensure!(missing.is_none(), "{}", missing.unwrap_or_default());
    }
    if !named.is_empty() {
        return Ok(each_once(named));
    }
    let ready: Vec<_> = FLEETS.iter().copied().filter(|fleet| fleet.missing(settings).is_none()).collect();
    let missing: Vec<String> =
        FLEETS.iter().filter_map(|fleet| Some(format!("{}: {}", fleet.name(), fleet.missing(settings)?))).collect();
    ensure!(!ready.is_empty(), "no fleet can run; {}", missing.join("; "));
    Ok(ready)
}
