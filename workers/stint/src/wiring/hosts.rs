//! Records which processes run fleets in this folder. Nothing is known about functions in the cloud.

use std::process;

use futures::future::{Either, select};
use stint_core::clock::Clock;
use stint_core::ports::PortResult;
use stint_embedded::{HEARTBEAT, Host, SqliteHosts};

use super::backends::Backends;

/// The processes that run fleets, as far as they are known.
#[derive(Clone)]
pub(crate) struct Hosts {
    /// `None` if no process here runs fleets.
    hosts: Option<SqliteHosts>,
    /// Whether the work may also be done elsewhere.
    elsewhere: bool,
    clock: std::sync::Arc<dyn Clock>,
}

impl Hosts {
    /// Returns the record in the backends' folder.
    pub(crate) fn of(backends: &Backends) -> anyhow::Result<Hosts> {
        let hosts =
            backends.is_hosted_here().then(|| backends.embedded().map(|embedded| embedded.hosts())).transpose()?;
        Ok(Hosts { hosts, elsewhere: backends.has_shared_queues(), clock: backends.clock.clone() })
    }

    /// Returns whether it is certain that no process runs this fleet now.
    pub(crate) async fn is_idle(&self, fleet: &str) -> PortResult<bool> {
        let Some(hosts) = self.hosts.as_ref().filter(|_| !self.elsewhere) else { return Ok(false) };
        let present = hosts.running(self.clock.now()).await?;
        Ok(!present.iter().any(|host| host.fleets.iter().any(|name| name == fleet)))
    }

    /// Records repeatedly, while `work` runs, that this process runs `fleets`, and removes the record when `work` ends.
    /// A failure to record is logged, and the work goes on.
    pub(crate) async fn record_while<T>(&self, fleets: Vec<String>, work: impl Future<Output = T>) -> T {
        let Some(hosts) = &self.hosts else { return work.await };
        let host = Host::new(process::id(), fleets, self.clock.now());
        let beats = async {
            loop {
                if let Err(error) = hosts.heartbeat(&host, self.clock.now()).await {
                    tracing::warn!(%error, "cannot record that this process runs: {error}");
                }
                self.clock.sleep(HEARTBEAT).await;
            }
        };
        let done = match select(Box::pin(work), Box::pin(beats)).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => never,
        };
        if let Err(error) = hosts.remove(&host).await {
            tracing::warn!(%error, "cannot remove the record that this process runs; it expires by itself: {error}");
        }
        done
    }
}
