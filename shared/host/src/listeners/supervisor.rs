//! The life of one listener under a host.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, FutureExt, select};
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_core::listener::{AnyListener, Replicas, Session};
use stint_core::worker::{StopSignal, WorkerError, WorkerId};

use super::backoff::Backoff;
use super::leader::{HeldLease, Hold};
use super::{DRAIN_TIME, HEALTHY_TIME, HEARTBEAT, ListenerPorts, ListenerState, ListenerStatus, RENEWAL};

/// Runs one listener until the host stops.
pub(crate) struct Supervisor {
    listener: Arc<dyn AnyListener>,
    id: WorkerId,
    ports: ListenerPorts,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
    look_again: Duration,
    backoff: Backoff,
    state: ListenerState,
}

/// Why a run of a listener ended.
enum Ended {
    /// The host stops.
    Stopped,
    /// This host does not hold the lease, or not for long.
    Deposed(Hold),
    /// It ended by itself.
    Failed(WorkerError),
}

impl Supervisor {
    /// Creates the supervisor of `listener`, which looks for a stop every `look_again`.
    pub(crate) fn new(
        listener: Arc<dyn AnyListener>,
        ports: ListenerPorts,
        clock: Arc<dyn Clock>,
        stop: StopSignal,
        look_again: Duration,
    ) -> Supervisor {
        let (id, since) = (listener.spec().id(), clock.now());
        // Without a source of random numbers, the time of the start makes hosts differ.
        let seed = getrandom::u64().unwrap_or(since.as_nanosecond() as u64);
        let state = ListenerState { status: ListenerStatus::Connecting, since, failures: 0, error: None };
        Supervisor { listener, id, ports, clock, stop, look_again, backoff: Backoff::new(seed), state }
    }

    /// Runs the listener until the host stops.
    pub(crate) async fn run(mut self) {
        while !self.stop.is_set() {
            let ended = match self.listener.spec().replicas {
                Replicas::EveryHost => self.hold(None).await,
                Replicas::Leader => self.hold_as_leader().await,
            };
            match ended {
                Ended::Stopped => break,
                Ended::Deposed(_) => {
                    self.set(ListenerStatus::Standby).await;
                    self.wait(RENEWAL).await;
                }
                Ended::Failed(error) => self.back_off(&error).await,
            }
        }
        (self.ports.states)(self.id, None).await;
    }

    /// Runs the listener once if this host gets its lease, and then releases the lease.
    async fn hold_as_leader(&mut self) -> Ended {
        let (ports, clock) = (self.ports.clone(), self.clock.clone());
        let Some(mut lease) = HeldLease::acquire(&self.id, &ports, &*clock).await else {
            return Ended::Deposed(Hold::Lost);
        };
        tracing::info!(listener = %self.id, token = lease.lease.token, "this host runs {}", self.id);
        let ended = self.hold(Some(&mut lease)).await;
        lease.release().await;
        ended
    }

    /// Runs the listener once.
    async fn hold(&mut self, lease: Option<&mut HeldLease<'_>>) -> Ended {
        let (session, stop) = Session::new(self.clock.clone(), lease.as_ref().map(|lease| lease.lease.token));
        let (listener, clock) = (self.listener.clone(), self.clock.clone());
        let mut run = pin!(AssertUnwindSafe(listener.listen(&session)).catch_unwind());
        self.set(ListenerStatus::Connecting).await;
        // After a pause of the process, the lease is looked at before the listener goes on.
        let ended = match select(pin!(self.watch(&session, lease)), run.as_mut()).await {
            Either::Left((ended, _)) => ended,
            Either::Right((result, _)) => return Ended::Failed(failure(result)),
        };
        stop.stop();
        // If another host has the lease, the future is dropped at once.
        if matches!(ended, Ended::Deposed(Hold::Lost)) {
            return ended;
        }
        match select(run, clock.sleep(DRAIN_TIME)).await {
            Either::Left((Ok(Ok(())), _)) => {}
            Either::Left((result, _)) => {
                let error = failure(result);
                tracing::warn!(listener = %self.id, %error, "{} failed while it ended: {error}", self.id);
            }
            Either::Right(_) => {
                let seconds = DRAIN_TIME.as_secs();
                tracing::warn!(listener = %self.id, "{} did not end within {seconds} s and was dropped", self.id);
            }
        }
        ended
    }

    /// Completes when the run must end. Meanwhile keeps the lease and the stored state.
    async fn watch(&mut self, session: &Session, mut lease: Option<&mut HeldLease<'_>>) -> Ended {
        let clock = self.clock.clone();
        let (mut heartbeat, mut healthy) = (clock.sleep(HEARTBEAT), None);
        loop {
            if self.stop.is_set() {
                return Ended::Stopped;
            }
            if let Some(lease) = lease.as_deref_mut() {
                let hold = lease.keep().await;
                if hold != Hold::Safe {
                    tracing::warn!(listener = %self.id, ?hold, "this host stops {}: its lease is ending or lost", self.id);
                    return Ended::Deposed(hold);
                }
            }
            if session.is_connected() && self.state.status != ListenerStatus::Connected {
                self.set(ListenerStatus::Connected).await;
                healthy = Some(clock.sleep(HEALTHY_TIME));
            }
            if healthy.as_mut().is_some_and(|healthy| healthy.now_or_never().is_some()) {
                healthy = None;
                self.end_outage().await;
            }
            if (&mut heartbeat).now_or_never().is_some() {
                heartbeat = clock.sleep(HEARTBEAT);
                self.store().await;
            }
            clock.sleep(self.look_again).await;
        }
    }

    /// Waits after a failure. The first failure of an outage is logged, and the others are in the state.
    async fn back_off(&mut self, error: &WorkerError) {
        let delay = self.backoff.next_delay();
        let failures = self.backoff.failures();
        if failures == 1 {
            tracing::warn!(listener = %self.id, %error, "{} lost its connection: {error}", self.id);
        } else {
            tracing::debug!(listener = %self.id, %error, failures, "{} failed again: {error}", self.id);
        }
        (self.state.failures, self.state.error) = (failures, Some(error.to_string()));
        self.set(ListenerStatus::Waiting { until: after(self.clock.now(), delay) }).await;
        self.wait(delay).await;
    }

    async fn end_outage(&mut self) {
        let failures = self.backoff.failures();
        if failures > 0 {
            tracing::info!(listener = %self.id, failures, "{} is connected again after {failures} failures", self.id);
        }
        self.backoff.reset();
        (self.state.failures, self.state.error) = (0, None);
        self.store().await;
    }

    /// Waits for `time`, or until the host stops. Meanwhile keeps the stored state.
    async fn wait(&mut self, time: Duration) {
        let clock = self.clock.clone();
        let (mut end, mut heartbeat) = (clock.sleep(time), clock.sleep(HEARTBEAT));
        while !self.stop.is_set() {
            if let Either::Left(_) = select(&mut end, clock.sleep(self.look_again)).await {
                return;
            }
            if (&mut heartbeat).now_or_never().is_some() {
                heartbeat = clock.sleep(HEARTBEAT);
                self.store().await;
            }
        }
    }

    async fn set(&mut self, status: ListenerStatus) {
        let now: Timestamp = self.clock.now();
        let is_same = std::mem::discriminant(&self.state.status) == std::mem::discriminant(&status);
        if !is_same {
            self.state.since = now;
        }
        self.state.status = status;
        self.store().await;
    }

    async fn store(&self) {
        (self.ports.states)(self.id.clone(), Some(self.state.clone())).await;
    }
}

/// Returns why a run ended that was not told to end.
fn failure(result: Result<Result<(), WorkerError>, Box<dyn Any + Send>>) -> WorkerError {
    match result {
        Ok(Ok(())) => WorkerError::Failed("the connection ended".to_owned()),
        Ok(Err(error)) => error,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            WorkerError::Failed(format!("it panicked: {}", text.unwrap_or_default()))
        }
    }
}
