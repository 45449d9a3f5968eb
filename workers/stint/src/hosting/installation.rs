//! Combines fleets with a host: all workers on this machine, one worker by hand, or one worker as a function.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{anyhow, bail, ensure};
use stint_core::ports::{Queue, Wakeups};
use stint_core::registry::Registry;
use stint_core::worker::{AnyWorker, StopSignal, WorkerSpec};
use stint_host::config::HttpSettings;
use stint_host::http::{HttpApp, HttpPorts};
use stint_host::{Changed, LocalHost, Ports};
#[cfg(feature = "aws")]
use stint_host::{Feed, LambdaHost};

use super::http::Listening;
use crate::fleets::fleet::{Fleet, WorkerBuilder};
use crate::fleets::settings::FleetSettings;
use crate::wiring::{Backends, Hosts, ReportLog, listener_ports};

/// A fleet, and the builder of its workers.
pub(crate) struct OpenFleet<'a> {
    pub(crate) fleet: &'static dyn Fleet,
    pub(crate) builder: Arc<dyn WorkerBuilder + 'a>,
}

impl<'a> OpenFleet<'a> {
    /// Opens a fleet with its own builder.
    pub(crate) fn new(fleet: &'static dyn Fleet, settings: &'a FleetSettings, backends: &'a Backends) -> OpenFleet<'a> {
        OpenFleet { fleet, builder: fleet.builder(settings, backends).into() }
    }
}

/// Fleets that are ready to run here, under one host. Schedules belong to the folder, so two hosts would compete for
/// them.
pub(crate) struct Installation<'a> {
    pub(crate) host: Arc<LocalHost>,
    /// The reports of its scheduled workers.
    pub(crate) report_log: ReportLog,
    /// Stops the host.
    pub(crate) stop: StopSignal,
    pub(crate) open_fleets: Vec<OpenFleet<'a>>,
    registry: Registry,
    backends: &'a Backends,
}

impl<'a> Installation<'a> {
    /// Builds all workers of the fleets.
    pub(crate) async fn build(
        opened: Vec<OpenFleet<'a>>,
        settings: &FleetSettings,
        backends: &'a Backends,
        stop: StopSignal,
    ) -> anyhow::Result<Installation<'a>> {
        for OpenFleet { fleet, .. } in &opened {
            fleet.check(settings).map_err(|error| anyhow!(error))?;
        }
        ensure!(
            backends.is_hosted_here(),
            "a fleet that runs on this machine keeps its schedules and throttles here: set STINT_WAKEUPS=sqlite and STINT_THROTTLE=sqlite in addition to STINT_PROFILE=aws, or let Lambda run it"
        );
        let (mut registry, mut queues) = (Registry::new(), BTreeMap::new());
        for OpenFleet { fleet, builder } in &opened {
            for spec in fleet.workers() {
                registry = builder.build_into(registry, spec).await?;
                if let Some(trigger) = spec.queue() {
                    let queue = backends.queue(trigger.queue, fleet.queue(settings, trigger))?;
                    queues.insert(trigger.queue.to_owned(), queue);
                }
            }
        }
        for OpenFleet { fleet, builder } in &opened {
            for spec in fleet.listeners() {
                registry = builder.build_listener_into(registry, spec).await?;
            }
        }
        let has_listeners = !registry.listeners().is_empty();
        let report_log = ReportLog::new(backends.clock.clone());
        let host = LocalHost::new(registry.clone(), ports(queues, backends).await?, stop.clone());
        let host = host.observed_by(report_log.observer());
        let host = Arc::new(if has_listeners { host.listening(listener_ports(backends)?) } else { host });
        Ok(Installation { host, report_log, stop, open_fleets: opened, registry, backends })
    }

    /// Listens for requests to the workers, if one of them has routes.
    pub(crate) async fn listen(&self, settings: &HttpSettings) -> anyhow::Result<Option<Listening>> {
        let specs = || self.registry.workers().iter().map(|worker| worker.spec());
        if specs().all(|spec| spec.routes().is_empty()) {
            return Ok(None);
        }
        let is_limited = specs().flat_map(|spec| spec.routes()).any(|route| !route.limits.is_empty());
        let rate_limits = if is_limited { Some(self.backends.rate_limits()?) } else { None };
        let clock = self.backends.clock.clone();
        let ports = HttpPorts { throttle: self.backends.throttle(None).await?, rate_limits, clock: clock.clone() };
        let app = HttpApp::new(self.registry.workers(), ports, self.stop.clone())?;
        let app = app.described_as("Stint", env!("CARGO_PKG_VERSION"));
        Listening::new(app, settings, clock, self.stop.clone()).await.map(Some)
    }

    /// Returns the fleets.
    pub(crate) fn fleets(&self) -> impl Iterator<Item = &'static dyn Fleet> {
        self.open_fleets.iter().map(|opened| opened.fleet)
    }

    /// Returns the record of processes that run fleets in the same folder.
    pub(crate) fn hosts(&self) -> anyhow::Result<Hosts> {
        Hosts::of(self.backends)
    }

    /// Returns the wake-ups.
    pub(crate) fn wakeups(&self) -> anyhow::Result<Arc<dyn Wakeups>> {
        self.backends.wakeups()
    }
}

/// Builds one worker of a fleet, with the ports that it needs.
pub(crate) async fn build_worker(
    fleet: &dyn Fleet,
    spec: &WorkerSpec,
    settings: &FleetSettings,
    backends: &Backends,
) -> anyhow::Result<Arc<dyn AnyWorker>> {
    fleet.check(settings).map_err(|error| anyhow!(error))?;
    let registry = fleet.builder(settings, backends).build_into(Registry::new(), spec).await?;
    match registry.find(&spec.id()) {
        Some(worker) => Ok(worker.clone()),
        None => bail!("there is no worker {}", spec.id()),
    }
}

/// Builds the host of a worker that runs as a function.
#[cfg(feature = "aws")]
pub(crate) async fn build_function(
    fleet: &dyn Fleet,
    spec: &WorkerSpec,
    settings: &FleetSettings,
    backends: &Backends,
    stop: StopSignal,
) -> anyhow::Result<LambdaHost> {
    let worker = build_worker(fleet, spec, settings, backends).await?;
    let feed = spec.queue().map(|trigger| {
        let queue = backends.queue(trigger.queue, fleet.queue(settings, trigger))?;
        anyhow::Ok(Feed { queue, receipt: backends.receipt() })
    });
    let throttle = fleet.throttle(settings, backends).await?;
    let host = LambdaHost::new(worker, feed.transpose()?, throttle, backends.clock.clone(), stop);
    if spec.routes().is_empty() {
        return Ok(host);
    }
    let is_limited = spec.routes().iter().any(|route| !route.limits.is_empty());
    Ok(host.serving_routes(if is_limited { Some(backends.rate_limits()?) } else { None })?)
}

async fn ports(queues: BTreeMap<String, Arc<dyn Queue>>, backends: &Backends) -> anyhow::Result<Ports> {
    let embedded = backends.embedded()?;
    let files = embedded.clone();
    let changed: Changed = Arc::new(move || files.changed());
    Ok(Ports {
        queues,
        throttle: backends.throttle(None).await?,
        wakeups: backends.wakeups()?,
        due: embedded.wakeups(),
        clock: backends.clock.clone(),
        changed,
    })
}
