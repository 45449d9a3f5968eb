//! Reads the river's head every two minutes: reports the chain's lag, and restarts the chain if no follower has it.
//!
//! # What may happen between any two lines
//! The watcher only reads and sends messages. *A crash after the head is stored:* the next invocation reads it again.
//! *A surplus message:* its receiver finds the chain claimed, and is done.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::between;
use stint_core::ports::{PortResult, Queue, Wakeups};
use stint_core::schedule::Every;
use stint_core::telemetry::Metric;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

use crate::client::{Api, Reaction, RiverError, reaction};
use crate::lag::{Lag, measure, remember};
use crate::message::{ContinueChain, message};
use crate::model::ChangeId;
use crate::store::{Chain, ChainStatus, HeadSamples, HeadStore, Realm, Sample, Stopped};

/// After a refusal, the head is not requested again for this long.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Watches the chain.
pub struct Watcher {
    api: Arc<Api>,
    chain: Arc<dyn Chain>,
    heads: Arc<dyn HeadStore>,
    chain_queue: Arc<dyn Queue>,
    settings: WatcherSettings,
}

/// The settings of a watcher.
#[derive(Clone, Copy, Debug)]
pub struct WatcherSettings {
    /// The realm of its river.
    pub realm: Realm,
    /// The lag that raises an alarm.
    pub alarm: Duration,
}

/// The result of an invocation.
#[derive(Debug, Default, PartialEq, Serialize)]
struct WatcherReport {
    head: Option<ChangeId>,
    position: Option<ChangeId>,
    lag: Option<Lag>,
    /// The lag is larger than allowed.
    alarm: bool,
    /// A message was sent because no follower had the chain.
    #[serde(rename = "set_going")]
    restarted: bool,
    /// Why the head is unknown.
    failed: Option<String>,
}

impl Watcher {
    /// Returns a watcher.
    pub fn new(
        api: Arc<Api>,
        chain: Arc<dyn Chain>,
        heads: Arc<dyn HeadStore>,
        chain_queue: Arc<dyn Queue>,
        settings: WatcherSettings,
    ) -> Watcher {
        Watcher { api, chain, heads, chain_queue, settings }
    }
}

impl Worker for Watcher {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "watcher",
        summary: "reports the chain's lag behind the river's head, and restarts the chain if no follower has it",
        triggers: &[Trigger::Every(Every::new(Duration::from_secs(120))), Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let status = self.chain.read().await?;
        let mut report = WatcherReport {
            restarted: self.restart_chain(status.as_ref(), invocation.now()).await?,
            ..WatcherReport::default()
        };
        let known = self.heads.read().await?;
        match reason_not_to_request(status.as_ref(), &known, invocation.now()) {
            Some(reason) => report.failed = Some(reason),
            None => match self.api.head().await {
                Ok(head) => self.record_head(head, known, invocation.now(), status.as_ref(), &mut report).await?,
                Err(error) => report.failed = Some(self.record_failure(&error, known, invocation.now()).await?),
            },
        }
        Ok(Outcome::report(report))
    }
}

/// Returns why the head must not be requested now, if so. It is needed only for the lag, so it is not requested while
/// the chain is stopped, and rarely after a refusal, because each refusal counts towards a ban.
fn reason_not_to_request(status: Option<&ChainStatus>, known: &HeadSamples, now: Timestamp) -> Option<String> {
    if let Some(stopped) = status.and_then(|status| status.progress.stopped.as_ref()) {
        return Some(format!("not requested, because the chain is stopped: {}", stopped.reason));
    }
    let refused = known.refused.as_ref().filter(|refused| between(refused.at, now) < REFUSED_FOR);
    refused.map(|Stopped { at, reason }| format!("refused at {at}, and not requested again for a day: {reason}"))
}

/// Allows the next request for a head that was refused. Called when an operator starts the fleet.
pub async fn allow_next_request(heads: &dyn HeadStore) -> PortResult<()> {
    let head = heads.read().await?;
    if head.refused.is_some() {
        heads.write(&HeadSamples { refused: None, ..head }).await?;
    }
    Ok(())
}

/// Wakes the watcher when the fleet is started: at once, and again when the lease ends of a follower that may have been
/// killed. Returns when that is, if there is a lease.
pub async fn wake(chain: &dyn Chain, wakeups: &dyn Wakeups, now: Timestamp) -> PortResult<Option<Timestamp>> {
    let worker = Watcher::SPEC.id();
    wakeups.once("start-watcher", &worker, now).await?;
    let leased_until = chain.read().await?.and_then(|status| status.active_lease_until(now));
    if let Some(until) = leased_until {
        wakeups.once("start-watcher-again", &worker, until).await?;
    }
    Ok(leased_until)
}

impl Watcher {
    /// Sends a message if no follower has the chain and no message is visible. A message that is leased by a crashed
    /// follower, or delayed after a failure, does not count: it may come back only hours later. The receiver of a
    /// surplus message finds the chain claimed.
    async fn restart_chain(&self, status: Option<&ChainStatus>, now: Timestamp) -> PortResult<bool> {
        let has_follower = status.is_some_and(|status| status.active_lease_until(now).is_some());
        let is_stopped = status.is_some_and(|status| status.progress.stopped.is_some());
        let counts = self.chain_queue.counts().await?;
        if has_follower || is_stopped || counts.visible > 0 {
            return Ok(false);
        }
        let id = status.and_then(|status| status.progress.position);
        self.chain_queue.send(&[message(&ContinueChain { id })]).await?;
        Ok(true)
    }

    async fn record_failure(&self, error: &RiverError, known: HeadSamples, now: Timestamp) -> PortResult<String> {
        let reason = error.to_string();
        if let Reaction::Stop { .. } = reaction(error, 1) {
            tracing::error!(reason, "the request for the river's head was refused; the lag is unknown: {reason}");
            let refused = Some(Stopped { at: now, reason: reason.clone() });
            self.heads.write(&HeadSamples { refused, ..known }).await?;
        } else if !matches!(error, RiverError::Down { .. }) {
            // The next request is soon, and the chain does not need the head.
            tracing::warn!(reason, "could not read the river's head: {reason}");
        }
        Ok(reason)
    }

    async fn record_head(
        &self,
        head: ChangeId,
        mut known: HeadSamples,
        now: Timestamp,
        status: Option<&ChainStatus>,
        report: &mut WatcherReport,
    ) -> PortResult<()> {
        remember(&mut known.samples, Sample { at: now, id: head });
        known.refused = None;
        self.heads.write(&known).await?;
        report.head = Some(head);
        report.position = status.and_then(|status| status.progress.position);
        report.lag = report.position.and_then(|position| measure(&known.samples, position, now));
        let realm = self.settings.realm;
        let Some(lag) = &report.lag else { return Ok(()) };
        for (shard, seconds) in (1..).zip(lag.shards) {
            if let Some(seconds) = seconds {
                Metric::ShardLag.record(&format!("{realm}-{shard}"), seconds);
            }
        }
        let Some(seconds) = lag.seconds else { return Ok(()) };
        Metric::Lag.record(realm.name(), seconds);
        report.alarm = seconds > self.settings.alarm.as_secs_f64();
        if report.alarm {
            let allowed = self.settings.alarm.as_secs();
            tracing::error!(
                seconds,
                allowed,
                "the chain of {realm} is {seconds:.0} s behind the river, more than the {allowed} s of \
                 POE_LAG_ALARM_SECONDS"
            );
        }
        Ok(())
    }
}
