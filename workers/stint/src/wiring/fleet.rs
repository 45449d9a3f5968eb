//! The fleet with its hosts: all of it on this machine, one worker by hand, or one worker as a function.

use std::sync::Arc;

use anyhow::{anyhow, bail, ensure};
use futures::FutureExt;
use futures::future::select;
use stint_core::registry::Registry;
use stint_core::worker::{AnyWorker, Spec, Stop};
use stint_host::{Changed, Feed, LambdaHost, LocalHost, Ports};
use stint_warcraftlogs::budget::Budget;
use stint_warcraftlogs::config::Settings;

use super::WARCRAFTLOGS;
use super::backends::Backends;
use super::stores::{Stores, queue_settings};
use super::workshop::Workshop;

/// The `warcraftlogs` fleet, ready to run here.
pub(crate) struct Fleet {
    pub(crate) stores: Stores,
    pub(crate) budget: Budget,
    pub(crate) host: Arc<LocalHost>,
}

impl Fleet {
    /// Builds the fleet on `backends`.
    pub(crate) async fn build(settings: &Settings, backends: &Backends, stop: Stop) -> anyhow::Result<Fleet> {
        settings.check().map_err(|error| anyhow!(error))?;
        ensure!(
            backends.is_hosted_here(),
            "a fleet that runs here keeps its schedules and throttles here: set STINT_WAKEUPS=sqlite and \
             STINT_THROTTLE=sqlite beside STINT_PROFILE=aws, or let Lambda run it"
        );
        let stores = Stores::open(settings, backends).await?;
        let workshop = Workshop::new(settings, backends);
        let mut registry = Registry::new();
        for spec in &WARCRAFTLOGS {
            registry = workshop.add(registry, spec).await?;
        }
        let host = Arc::new(LocalHost::new(registry, ports(&stores, backends)?, stop));
        Ok(Fleet { budget: workshop.budget().await?, stores, host })
    }
}

/// Builds one worker, with the ports that it needs.
pub(crate) async fn worker(
    settings: &Settings,
    backends: &Backends,
    spec: &Spec,
) -> anyhow::Result<Arc<dyn AnyWorker>> {
    settings.check().map_err(|error| anyhow!(error))?;
    let registry = Workshop::new(settings, backends).add(Registry::new(), spec).await?;
    match registry.find(spec.fleet, spec.name) {
        Some(worker) => Ok(worker.clone()),
        None => bail!("there is no worker {} in {}", spec.name, spec.fleet),
    }
}

/// Builds the host of a worker that is a function.
pub(crate) async fn function(
    settings: &Settings,
    backends: &Backends,
    spec: &Spec,
    stop: Stop,
) -> anyhow::Result<LambdaHost> {
    let worker = worker(settings, backends, spec).await?;
    let feed = |queue: &str| {
        let queue = backends.queue(queue, queue_settings(settings))?;
        anyhow::Ok(Feed { queue, receipt: backends.receipt() })
    };
    let feed = spec.queue().map(|trigger| feed(trigger.queue)).transpose()?;
    Ok(LambdaHost::new(worker, feed, backends.throttle().await?, backends.clock.clone(), stop))
}

fn ports(stores: &Stores, backends: &Backends) -> anyhow::Result<Ports> {
    let embedded = backends.embedded()?;
    let (queues, keys) = (embedded.queues().clone(), embedded.keys().clone());
    let changed: Changed = Arc::new(move || select(queues.changed(), keys.changed()).map(drop).boxed());
    Ok(Ports {
        queues: stores.queues().map(|queue| (queue.name().to_owned(), queue.clone())).into(),
        throttle: stores.throttle.clone(),
        wakeups: stores.wakeups.clone(),
        due: embedded.wakeups(),
        clock: backends.clock.clone(),
        changed,
    })
}
