//! One worker as a function of AWS Lambda.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{anyhow, bail, ensure};
use secrecy::SecretString;
use stint_aws::{Aws, Secret};
use stint_core::clock::Clock;
use stint_core::worker::{Spec, Stop};
use stint_host::LambdaHost;

use super::Context;
use crate::config::FunctionSettings;
use crate::wiring::{Backends, function, plan, specs, transport};

pub(crate) const HELP: &str = "All settings come from the environment: STINT_WORKER names the worker, STINT_PROFILE or a \
                               setting for each port its backends, STINT_AWS_SECRETS the parameters of SSM that hold \
                               what is secret. What is missing is said at the start.\nA program that is called \
                               `bootstrap` does this without being told.";

/// What a function is made of.
#[derive(Clone)]
struct Blueprint {
    spec: &'static Spec,
    home: PathBuf,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

/// Serves invocations until Lambda ends the process.
pub(crate) async fn run(context: &Context) -> anyhow::Result<()> {
    let settings = FunctionSettings::from_environment([]).map_err(|error| anyhow!(error))?;
    let spec = check(&settings)?;
    let (home, clock) = (context.home.clone(), context.clock.clone());
    let blueprint = Blueprint { spec, home, clock, stop: Stop::default() };
    let stop = blueprint.stop.clone();
    let build = move || {
        let blueprint = blueprint.clone();
        async move { blueprint.build().await.map_err(|error| format!("{error:#}")) }
    };
    stint_host::serve(build, stop).await.map_err(|error| anyhow!(error))
}

/// Everything that can be known before anybody is asked. Secrets come later.
fn check(settings: &FunctionSettings) -> anyhow::Result<&'static Spec> {
    let name = |spec: &Spec| format!("{}/{}", spec.fleet, spec.name);
    let names: Vec<String> = specs().map(name).collect();
    let Some(worker) = &settings.lambda.worker else {
        bail!("STINT_WORKER is not set: it names the worker of this function, one of {}", names.join(", "));
    };
    let Some(spec) = specs().find(|spec| name(spec) == *worker) else {
        bail!("STINT_WORKER: there is no worker '{worker}'; it is one of {}", names.join(", "));
    };
    ensure!(
        settings.lambda.runtime_api.is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set, so this is no function of Lambda; to run a worker once, use `stint run`"
    );
    let later: Vec<&str> = settings.lambda.secrets.iter().map(|name| last_part(name)).collect();
    settings.backends.check(&later).map_err(|error| anyhow!(error))?;
    plan(spec.fleet).map_or(Ok(()), |plan| (plan.check)(&settings.fleets)).map_err(|error| anyhow!(error))?;
    Ok(spec)
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

impl Blueprint {
    /// Reads the secrets, connects, and builds the worker.
    async fn build(&self) -> anyhow::Result<LambdaHost> {
        let secrets = self.secrets().await?;
        let secrets = secrets.iter().map(|secret| (secret.name.as_str(), &secret.value));
        let settings = FunctionSettings::from_environment::<'_>(secrets).map_err(|error| anyhow!(error))?;
        let backends = Backends::open(&settings.backends, &self.home, self.clock.clone()).await?;
        function(&settings.fleets, &backends, self.spec, self.stop.clone()).await
    }

    async fn secrets(&self) -> anyhow::Result<Vec<Secret>> {
        let nothing: [(&str, &SecretString); 0] = [];
        let settings = FunctionSettings::from_environment(nothing).map_err(|error| anyhow!(error))?;
        let names = &settings.lambda.secrets;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let aws = Aws::connect(settings.backends.aws, self.clock.clone()).await.map_err(|error| anyhow!(error))?;
        aws.secrets(names, &*transport(&settings.fleets.warcraftlogs)?).await.map_err(|error| anyhow!(error))
    }
}
