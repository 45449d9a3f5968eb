//! Fleets with their hosts: all workers on this machine, one worker by hand, or one worker as a function.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use futures::FutureExt;
use futures::future::select;
use stint_core::ports::{Queue, Wakeups};
use stint_core::registry::Registry;
use stint_core::worker::{AnyWorker, Spec, Stop};
use stint_host::{Changed, Feed, LambdaHost, LocalHost, Ports};
use stint_poe_stashes::client::Api;
use stint_warcraftlogs::budget::Budget;

use super::backends::Backends;
use super::diary::Diary;
use super::hosts::Hosts;
use super::plans::{FleetSettings, Plan, Workshops, plan};
use super::poe_stashes::PoeStores;
use super::stores::Stores;

/// Fleets that are ready to run here, under one host: schedules belong to the folder, so two hosts would take them from
/// each other.
pub(crate) struct Installation<'a> {
    pub(crate) host: Arc<LocalHost>,
    /// What its scheduled workers report.
    pub(crate) diary: Diary,
    /// Ends the host.
    pub(crate) stop: Stop,
    shops: Workshops<'a>,
}

impl<'a> Installation<'a> {
    /// Builds all workers of `plans`.
    pub(crate) async fn build(
        plans: &[&Plan],
        settings: &'a FleetSettings,
        backends: &'a Backends,
        stop: Stop,
    ) -> anyhow::Result<Installation<'a>> {
        for plan in plans {
            (plan.check)(settings).map_err(|error| anyhow!(error))?;
        }
        ensure!(
            backends.is_hosted_here(),
            "a fleet that runs here keeps its schedules and throttles here: set STINT_WAKEUPS=sqlite and \
             STINT_THROTTLE=sqlite beside STINT_PROFILE=aws, or let Lambda run it"
        );
        let shops = Workshops::new(settings, backends);
        let (mut registry, mut queues) = (Registry::new(), BTreeMap::new());
        for plan in plans {
            for spec in plan.workers {
                registry = (plan.add)(&shops, registry, spec).await?;
                if let Some(trigger) = spec.queue() {
                    let queue = backends.queue(trigger.queue, (plan.queue)(settings, trigger))?;
                    queues.insert(trigger.queue.to_owned(), queue);
                }
            }
        }
        let diary = Diary::new(backends.clock.clone());
        let host = LocalHost::new(registry, ports(queues, backends).await?, stop.clone());
        let host = Arc::new(host.observed_by(diary.observer()));
        Ok(Installation { host, diary, stop, shops })
    }

    /// The `warcraftlogs` fleet behind the host.
    pub(crate) async fn warcraftlogs(&self) -> anyhow::Result<Fleet> {
        let stores = Stores::open(&self.shops.settings.warcraftlogs, self.shops.backends).await?;
        Ok(Fleet { stores, budget: self.shops.warcraftlogs.budget().await? })
    }

    /// The processes that run fleets in the same folder.
    pub(crate) fn hosts(&self) -> anyhow::Result<Hosts> {
        Hosts::of(self.shops.backends)
    }

    /// The wake-ups.
    pub(crate) fn wakeups(&self) -> anyhow::Result<Arc<dyn Wakeups>> {
        self.shops.backends.wakeups()
    }

    /// What the `poe-stashes` fleet behind the host keeps, and its upstream.
    pub(crate) async fn poe_stashes(&self) -> anyhow::Result<(PoeStores, Arc<Api>)> {
        Ok((self.shops.poe_stashes.stores().await?, self.shops.poe_stashes.api().await?))
    }
}

/// The `warcraftlogs` fleet, ready to run here.
pub(crate) struct Fleet {
    pub(crate) stores: Stores,
    pub(crate) budget: Budget,
}

/// Builds one worker, with the ports that it needs.
pub(crate) async fn worker(
    settings: &FleetSettings,
    backends: &Backends,
    spec: &Spec,
) -> anyhow::Result<Arc<dyn AnyWorker>> {
    let plan = plan(spec.fleet).with_context(|| format!("there is no fleet {}", spec.fleet))?;
    (plan.check)(settings).map_err(|error| anyhow!(error))?;
    let shops = Workshops::new(settings, backends);
    let registry = (plan.add)(&shops, Registry::new(), spec).await?;
    match registry.find(spec.fleet, spec.name) {
        Some(worker) => Ok(worker.clone()),
        None => bail!("there is no worker {} in {}", spec.name, spec.fleet),
    }
}

/// Builds the host of a worker that is a function.
pub(crate) async fn function(
    settings: &FleetSettings,
    backends: &Backends,
    spec: &Spec,
    stop: Stop,
) -> anyhow::Result<LambdaHost> {
    let worker = worker(settings, backends, spec).await?;
    let plan = plan(spec.fleet).with_context(|| format!("there is no fleet {}", spec.fleet))?;
    let feed = spec.queue().map(|trigger| {
        let queue = backends.queue(trigger.queue, (plan.queue)(settings, trigger))?;
        anyhow::Ok(Feed { queue, receipt: backends.receipt() })
    });
    let throttle = backends.throttle().await?;
    Ok(LambdaHost::new(worker, feed.transpose()?, throttle, backends.clock.clone(), stop))
}

async fn ports(queues: BTreeMap<String, Arc<dyn Queue>>, backends: &Backends) -> anyhow::Result<Ports> {
    let embedded = backends.embedded()?;
    let (files, keys) = (embedded.queues().clone(), embedded.keys().clone());
    let changed: Changed = Arc::new(move || select(files.changed(), keys.changed()).map(drop).boxed());
    Ok(Ports {
        queues,
        throttle: backends.throttle().await?,
        wakeups: backends.wakeups()?,
        due: embedded.wakeups(),
        clock: backends.clock.clone(),
        changed,
    })
}
