//! Listeners: workers that hold a connection open.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::channel::oneshot;
use futures::future::{BoxFuture, FutureExt, Shared};
use jiff::Timestamp;
use serde::Serialize;

use crate::clock::Clock;
use crate::worker::{WorkerError, WorkerId};

/// A worker that is not a function of one event: it holds a connection to an upstream and stores what arrives, such as
/// the messages of a chat.
///
/// The local host starts it, starts it again after a failure, and stops it when the host stops. It has no Lambda form:
/// it runs on a machine, or as a container task. Like any other worker it keeps nothing in memory that may be lost, and
/// hands work on only through its ports.
pub trait Listener: Send + Sync + 'static {
    /// What a host needs to know to run the listener.
    const SPEC: ListenerSpec;

    /// Holds one connection until [`Session::stopped`] completes, then stores what it has received, closes the connection
    /// and returns `Ok`. Calls [`Session::connected`] once messages can arrive.
    ///
    /// If it returns before that, with or without an error, or panics, the connection was lost: the host calls it again
    /// after a delay. It does not retry itself. The host drops the future if it does not end in time after a stop; what
    /// was not stored by then is lost, as in a crash.
    fn run(&self, session: &Session) -> impl Future<Output = Result<(), WorkerError>> + Send;
}

/// Describes a listener as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ListenerSpec {
    /// The fleet it belongs to.
    pub fleet: &'static str,
    /// Its name in kebab case, unique among the workers and listeners of the fleet.
    pub name: &'static str,
    /// What it does, in one sentence without a full stop.
    pub summary: &'static str,
    /// Which hosts of the fleet run it.
    pub replicas: Replicas,
}

impl ListenerSpec {
    /// Returns the fleet and the name of the listener.
    pub const fn id(&self) -> WorkerId {
        WorkerId::new(self.fleet, self.name)
    }
}

/// Which hosts run a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replicas {
    /// Every host. What two of them receive twice is merged by its id in the store.
    EveryHost,
    /// The host that holds the lease of the listener's name; the others stand by.
    ///
    /// A lease limits listeners by time and not by force: a host that stands still for longer than its lease, such as a
    /// suspended machine, still has its connection when it goes on, until it next looks at its clock. For a moment there
    /// are then two. A listener whose stores must not accept the older one writes with [`Session::token`], and its stores
    /// refuse a token that is smaller than one they have seen.
    Leader,
}

/// One run of a listener.
pub struct Session {
    clock: Arc<dyn Clock>,
    token: Option<u64>,
    connected: AtomicBool,
    stopping: Arc<AtomicBool>,
    stopped: Shared<BoxFuture<'static, ()>>,
}

/// Stops a [`Session`].
pub struct SessionStop {
    stopping: Arc<AtomicBool>,
    sender: oneshot::Sender<()>,
}

impl SessionStop {
    /// Tells the listener to end.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        // The session may have ended by itself.
        let _ = self.sender.send(());
    }
}

impl Session {
    /// Creates a session with the fencing token of its lease, if it has one. It also ends if the other value is dropped.
    pub fn new(clock: Arc<dyn Clock>, token: Option<u64>) -> (Session, SessionStop) {
        let (sender, receiver) = oneshot::channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = SessionStop { stopping: stopping.clone(), sender };
        let stopped = receiver.map(drop).boxed().shared();
        (Session { clock, token, connected: AtomicBool::new(false), stopping, stopped }, stop)
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the clock, for waiting.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Completes when the listener must end. Wait for it beside each wait for the connection.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stopped.clone()
    }

    /// Returns whether the listener must end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Says that the connection is established, so that messages can arrive.
    pub fn connected(&self) {
        self.connected.store(true, Ordering::SeqCst);
    }

    /// Returns whether the connection was established.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::SeqCst)
    }

    /// Returns the fencing token of the lease, which is larger than that of every earlier leader. `None` if every host
    /// runs the listener.
    pub fn token(&self) -> Option<u64> {
        self.token
    }
}

/// A [`Listener`] behind a pointer: the form in which a registry keeps listeners and a host runs them.
pub trait AnyListener: Send + Sync {
    /// Returns the listener's description.
    fn spec(&self) -> ListenerSpec;

    /// Holds one connection.
    fn listen<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<(), WorkerError>>;
}

impl<L: Listener> AnyListener for L {
    fn spec(&self) -> ListenerSpec {
        L::SPEC
    }

    fn listen<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<(), WorkerError>> {
        Box::pin(self.run(session))
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_session_is_told_to_stop_once_and_by_every_wait() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (session, stop) = Session::new(clock, Some(7));
        assert!(session.stopped().now_or_never().is_none() && !session.is_stopping() && !session.is_connected());
        session.connected();
        stop.stop();
        block_on(session.stopped());
        block_on(session.stopped());
        assert_eq!((session.is_stopping(), session.is_connected(), session.token()), (true, true, Some(7)));
    }
}
