//! The limits of one publication, shared by all of its connections.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use tokio::runtime::Handle;

use super::ssh::SshCommand;
use crate::publish::credentials::Address;

thread_local! {
    /// libgit2 opens its connections on the thread that requests them.
    static CURRENT: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

/// Limits on the time and data of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the whole publication.
    pub deadline: Duration,
    /// Longest time without a received byte.
    pub silence: Duration,
    /// Bytes received.
    pub bytes: u64,
    /// Objects received in one fetch.
    pub objects: usize,
    /// Limit on the unpacked size of all received objects, in bytes.
    pub unpacked: u64,
}

/// One publication in progress.
pub(crate) struct Session {
    runtime: Handle,
    clock: Arc<dyn Clock>,
    limits: Limits,
    ends_at: Timestamp,
    pub(super) address: Arc<Address>,
    pub(super) branch: String,
    pub(super) ssh: SshCommand,
    received: Mutex<u64>,
    unpacked: Mutex<u64>,
    /// Why Stint aborted it; libgit2 only knows that it was aborted.
    reason: Mutex<Option<String>>,
}

/// While this guard exists, the session is the thread's current one.
pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

impl Session {
    /// Starts a session now. Must be called in a tokio runtime.
    pub(crate) fn begin(
        clock: &Arc<dyn Clock>,
        limits: Limits,
        address: &Arc<Address>,
        branch: &str,
        ssh: SshCommand,
    ) -> Arc<Session> {
        Arc::new(Session {
            runtime: Handle::current(),
            clock: clock.clone(),
            limits,
            ends_at: after(clock.now(), limits.deadline),
            address: address.clone(),
            branch: format!("refs/heads/{branch}"),
            ssh,
            received: Mutex::new(0),
            unpacked: Mutex::new(0),
            reason: Mutex::new(None),
        })
    }

    /// Until the guard is dropped, connections that this thread opens belong to this session.
    pub(crate) fn enter(self: &Arc<Session>) -> Entered {
        CURRENT.set(Some(self.clone()));
        Entered(())
    }

    pub(super) fn current() -> Result<Arc<Session>, git2::Error> {
        CURRENT.with_borrow(Clone::clone).ok_or_else(|| git2::Error::from_str("no publication is under way"))
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Waits for `work`, which ends when a byte is received or sent, no longer than the limits allow.
    pub(super) fn wait<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        self.check_deadline()?;
        let (silence, deadline) = (self.clock.sleep(self.limits.silence), self.clock.sleep_until(self.ends_at));
        self.runtime.block_on(async {
            match select(pin!(work), select(silence, deadline)).await {
                Either::Left((done, _)) => done,
                Either::Right((Either::Left(_), _)) => Err(io::Error::other(format!(
                    "timed out: no data for {} s (GIT_TIMEOUT_SECONDS)",
                    self.limits.silence.as_secs_f64()
                ))),
                Either::Right((Either::Right(_), _)) => Err(io::Error::other(self.over())),
            }
        })
    }

    /// Counts received bytes.
    pub(super) fn count(&self, bytes: usize) -> io::Result<()> {
        let most = self.limits.bytes;
        add(&self.received, bytes as u64, most, || format!("it sends more than {most} bytes, and no more are read"))
    }

    /// Counts unpacked bytes.
    pub(super) fn count_unpacked(&self, bytes: u64) -> io::Result<()> {
        let most = self.limits.unpacked;
        let reason = || format!("what it sends unpacks to more than {most} bytes, and no more is read");
        add(&self.unpacked, bytes, most, reason)
    }

    fn check_deadline(&self) -> io::Result<()> {
        if self.clock.now() >= self.ends_at { Err(io::Error::other(self.over())) } else { Ok(()) }
    }

    fn over(&self) -> String {
        format!("the publication took longer than {} s (GIT_DEADLINE_SECONDS)", self.limits.deadline.as_secs_f64())
    }

    /// Whether a transfer may continue that announces this many objects.
    pub(crate) fn may_go_on(&self, objects: usize) -> bool {
        let most = self.limits.objects;
        let reason = match self.check_deadline() {
            Err(error) => error.to_string(),
            Ok(()) if objects > most => format!("it sends {objects} objects, and at most {most} are taken"),
            Ok(()) => return true,
        };
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        false
    }

    /// Takes the reason why Stint aborted the session, if it did.
    pub(crate) fn take_reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Adds to a count with the limit `most`.
fn add(count: &Mutex<u64>, more: u64, most: u64, reason: impl FnOnce() -> String) -> io::Result<()> {
    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
    *count = count.saturating_add(more);
    if *count > most { Err(io::Error::other(reason())) } else { Ok(()) }
}
