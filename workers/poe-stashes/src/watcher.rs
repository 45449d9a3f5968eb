//! Looks at the river's head every two minutes: says how far the chain is behind, and sets it going when it stands still.
//!
//! # What may happen between any two lines
//! It reads, and tells. *Dies after the head is kept:* the next one looks again. *Sends a message that was not needed:*
//! its receiver finds the chain claimed, and is done.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::between;
use stint_core::ports::{PortResult, Queue, Wakeups};
use stint_core::telemetry::Metric;
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::client::{Api, Failure, RiverError, failure};
use crate::lag::{Lag, measure, remember};
use crate::message::{Baton, message};
use crate::model::ChangeId;
use crate::store::{Chain, ChainStatus, Head, Heads, Realm, Sample, Stopped};

/// A head that was refused is not asked for again for as long.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Watches the chain.
pub struct Watcher {
    api: Arc<Api>,
    chain: Arc<dyn Chain>,
    heads: Arc<dyn Heads>,
    baton: Arc<dyn Queue>,
    settings: WatcherSettings,
}

/// How a watcher goes about it.
#[derive(Clone, Copy, Debug)]
pub struct WatcherSettings {
    /// Which river.
    pub realm: Realm,
    /// Behind by more than this is an alarm.
    pub alarm: Duration,
}

/// What an invocation saw.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Report {
    head: Option<ChangeId>,
    position: Option<ChangeId>,
    lag: Option<Lag>,
    /// Behind by more than is allowed.
    alarm: bool,
    /// A message was sent because nobody followed the chain.
    set_going: bool,
    /// Why the head is not known.
    failed: Option<String>,
}

impl Watcher {
    /// A watcher.
    pub fn new(
        api: Arc<Api>,
        chain: Arc<dyn Chain>,
        heads: Arc<dyn Heads>,
        baton: Arc<dyn Queue>,
        settings: WatcherSettings,
    ) -> Watcher {
        Watcher { api, chain, heads, baton, settings }
    }
}

impl Worker for Watcher {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "watcher",
        summary: "tells how far the chain is behind the river's head, and sets it going when it stands still",
        triggers: &[Trigger::Every { period: Duration::from_secs(120) }, Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let status = self.chain.read().await?;
        let mut report =
            Report { set_going: self.set_going(status.as_ref(), invocation.now()).await?, ..Report::default() };
        let known = self.heads.read().await?;
        match reason_not_to_ask(status.as_ref(), &known, invocation.now()) {
            Some(reason) => report.failed = Some(reason),
            None => match self.api.head().await {
                Ok(head) => self.look(head, known, invocation.now(), status.as_ref(), &mut report).await?,
                Err(error) => report.failed = Some(self.not_seen(&error, known, invocation.now()).await?),
            },
        }
        Ok(Outcome::report(report))
    }
}

/// The head is asked for nothing but the lag: not while the chain is stopped, and seldom once it was refused, since each
/// refusal counts towards a ban.
fn reason_not_to_ask(status: Option<&ChainStatus>, known: &Head, now: Timestamp) -> Option<String> {
    if let Some(stopped) = status.and_then(|status| status.progress.stopped.as_ref()) {
        return Some(format!("not asked, since the chain is stopped: {}", stopped.reason));
    }
    let refused = known.refused.as_ref().filter(|refused| between(refused.at, now) < REFUSED_FOR);
    refused.map(|Stopped { at, reason }| format!("not asked again before a day is over, since {at}: {reason}"))
}

/// Lets the head be looked at again that was refused, as somebody who starts the fleet means it to be.
pub async fn look_again(heads: &dyn Heads) -> PortResult<()> {
    let head = heads.read().await?;
    if head.refused.is_some() {
        heads.keep(&Head { refused: None, ..head }).await?;
    }
    Ok(())
}

/// Wakes the watcher, as whoever starts the fleet does: at once, and again when the lease of a follower is over that may
/// have been killed. Answers when that is, if there is one.
pub async fn wake(chain: &dyn Chain, wakeups: &dyn Wakeups, now: Timestamp) -> PortResult<Option<Timestamp>> {
    let name = Watcher::SPEC.name;
    wakeups.once("start-watcher", name, now).await?;
    let leased_until = chain.read().await?.and_then(|status| status.led_until(now));
    if let Some(until) = leased_until {
        wakeups.once("start-watcher-again", name, until).await?;
    }
    Ok(leased_until)
}

impl Watcher {
    /// Sends a message if nobody follows the chain and no message waits. One that is on loan to a follower that died, or
    /// that waits since it failed, does not count: it may come back in hours. One too many finds the chain claimed.
    async fn set_going(&self, status: Option<&ChainStatus>, now: Timestamp) -> PortResult<bool> {
        let is_led = status.is_some_and(|status| status.led_until(now).is_some());
        let is_stopped = status.is_some_and(|status| status.progress.stopped.is_some());
        let counts = self.baton.counts().await?;
        if is_led || is_stopped || counts.visible > 0 {
            return Ok(false);
        }
        let id = status.and_then(|status| status.progress.position);
        self.baton.send(&[message(&Baton { id })]).await?;
        Ok(true)
    }

    async fn not_seen(&self, error: &RiverError, known: Head, now: Timestamp) -> PortResult<String> {
        let reason = error.to_string();
        if let Failure::Stop { .. } = failure(error, 1) {
            tracing::error!(reason, "the river's head was refused; how far the chain is behind is not known: {reason}");
            let refused = Some(Stopped { at: now, reason: reason.clone() });
            self.heads.keep(&Head { refused, ..known }).await?;
        } else if !matches!(error, RiverError::Down { .. }) {
            // The next look is soon, and the chain does not need it.
            tracing::warn!(reason, "the river's head is not known: {reason}");
        }
        Ok(reason)
    }

    async fn look(
        &self,
        head: ChangeId,
        mut known: Head,
        now: Timestamp,
        status: Option<&ChainStatus>,
        report: &mut Report,
    ) -> PortResult<()> {
        remember(&mut known.samples, Sample { at: now, id: head });
        known.refused = None;
        self.heads.keep(&known).await?;
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
