//! One worker as a function of AWS Lambda.

mod config;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use stint_aws::{Aws, Secret};
use stint_core::clock::Clock;
use stint_core::worker::StopSignal;
use stint_host::LambdaHost;
use stint_http::ReqwestTransport;

use crate::context::Context;
use crate::fleets::{FleetWorker, all_workers, listener_error, parse_worker};
use crate::hosting::build_function;
use crate::settings::from_environment;
use crate::wiring::{BackendSettings, Backends};
use config::FunctionSettings;
pub(crate) use config::LambdaSettings;

pub(crate) const HELP: &str = "All settings come from the environment: STINT_WORKER names the worker, STINT_PROFILE or a \
                               setting for each port its backends, STINT_AWS_SECRETS the SSM parameters with the secrets. A missing setting is an error at the start that names it.\nA program that is called `bootstrap` does this without an argument.";

/// The user agent of requests that read secrets.
const AGENT: &str = concat!("stint/", env!("CARGO_PKG_VERSION"));

/// The worker, the settings and the clock of a function.
#[derive(Clone)]
struct FunctionBuilder {
    worker: FleetWorker,
    home: PathBuf,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
}

/// Serves invocations until Lambda ends the process.
pub(crate) async fn run(context: &Context) -> anyhow::Result<()> {
    let worker = check()?;
    let (home, clock) = (context.home.clone(), context.clock.clone());
    let builder = FunctionBuilder { worker, home, clock, stop: StopSignal::default() };
    let stop = builder.stop.clone();
    let build = move || {
        let builder = builder.clone();
        async move { builder.build().await.map_err(|error| format!("{error:#}")) }
    };
    stint_host::serve(build, stop).await.map_err(|error| anyhow!(error))
}

/// Checks everything that can be checked before any server is contacted. Secrets are read later.
fn check() -> anyhow::Result<FleetWorker> {
    let lambda: LambdaSettings = from_environment()?;
    let names = all_workers().map(|worker| worker.spec.id().to_string()).collect::<Vec<_>>();
    let Some(name) = &lambda.worker else {
        bail!("STINT_WORKER is not set: it names the worker of this function, one of {}", names.join(", "));
    };
    if let Some(error) = listener_error(name) {
        bail!("STINT_WORKER: {error}");
    }
    let Ok(worker) = parse_worker(name) else {
        bail!("STINT_WORKER: there is no worker '{name}'; it is one of {}", names.join(", "));
    };
    ensure!(
        lambda.runtime_api.is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set, so this process is not a Lambda function; to run a worker once, use `stint run`"
    );
    let settings = FunctionSettings::from_environment(&worker.fleet.settings(), []).map_err(|error| anyhow!(error))?;
    let later: Vec<&str> = lambda.secrets.iter().map(|name| last_part(name)).collect();
    settings.backends.check(worker.fleet.needs().ports, &later).map_err(|error| anyhow!(error))?;
    worker.fleet.check(&settings.fleets).map_err(|error| anyhow!(error))?;
    Ok(worker)
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

impl FunctionBuilder {
    /// Reads the secrets, connects, and builds the worker.
    async fn build(&self) -> anyhow::Result<LambdaHost> {
        let secrets = self.secrets().await?;
        let secrets = secrets.iter().map(|secret| (secret.name.as_str(), &secret.value));
        let settings = FunctionSettings::from_environment(&self.worker.fleet.settings(), secrets)
            .map_err(|error| anyhow!(error))?;
        let FleetWorker { fleet, spec } = self.worker;
        let backends = Backends::open(&settings.backends, fleet.needs(), &self.home, self.clock.clone()).await?;
        build_function(fleet, spec, &settings.fleets, &backends, self.stop.clone()).await
    }

    async fn secrets(&self) -> anyhow::Result<Vec<Secret>> {
        let LambdaSettings { secrets: names, .. } = from_environment()?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let transport = ReqwestTransport::new(AGENT).context("cannot read the SSM parameters")?;
        let aws = Aws::connect(BackendSettings::from_environment()?.aws, self.clock.clone())
            .await
            .map_err(|error| anyhow!(error))?;
        aws.secrets(&names, &transport).await.map_err(|error| anyhow!(error))
    }
}
