//! Ports of a process that may be killed before and after every call.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::circuit::Circuit;
use stint_core::ledger::{Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, ReadingClaim, Reservation, WindowRecord};
use stint_core::points::Points;
use stint_core::ports::{
    Breakers, Concurrency, Counts, DeadLetter, Delivery, Firing, KeyPool, NewMessage, Parked, Queue, Receipt, Throttle,
    Wakeup, WakeupSource, Wakeups,
};
use stint_core::worker::WorkerId;

use crate::Life;

/// A port of `stint_core` whose calls are steps of a [`Life`].
pub struct Mortal<P: ?Sized> {
    port: Arc<P>,
    life: Life,
}

impl<P: ?Sized> Mortal<P> {
    /// Wraps `port` for the process of `life`.
    pub fn new(port: &Arc<P>, life: &Life) -> Arc<Mortal<P>> {
        Arc::new(Mortal { port: port.clone(), life: life.clone() })
    }
}

/// Defines the wrapper of a test's own with which [`mortal_port!`](crate::mortal_port) implements the stores of its fleet:
/// a foreign trait cannot be implemented for a foreign type.
#[macro_export]
macro_rules! mortal_store {
    ($wrapper:ident) => {
        /// A store whose calls are steps of a life.
        pub(super) struct $wrapper<P: ?Sized> {
            port: std::sync::Arc<P>,
            life: $crate::Life,
        }

        impl<P: ?Sized> $wrapper<P> {
            pub(super) fn new(port: &std::sync::Arc<P>, life: &$crate::Life) -> std::sync::Arc<$wrapper<P>> {
                std::sync::Arc::new($wrapper { port: port.clone(), life: life.clone() })
            }
        }
    };
}

/// Implements a port for a wrapper with the fields `port` and `life`: each method runs between two steps. Methods that
/// are not steps are written out after the list.
///
/// ```text
/// stint_testkit::mortal_port! { Mine, Players {
///     get(id: PlayerId) -> Option<Player>;
/// } }
/// ```
#[macro_export]
macro_rules! mortal_port {
    (
        $wrapper:ident, $port:ident { $($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* } $($verbatim:tt)*
    ) => {
        #[async_trait::async_trait]
        impl $port for $wrapper<dyn $port> {
            $(
                async fn $method(&self, $($argument: $type),*) -> stint_core::ports::PortResult<$answer> {
                    self.life.step().await?;
                    let answer = self.port.$method($($argument),*).await;
                    self.life.step().await?;
                    answer
                }
            )*
            $($verbatim)*
        }
    };
}

mortal_port! { Mortal, Queue {
    send(messages: &[NewMessage]) -> ();
    receive(max: usize) -> Vec<Delivery>;
    acknowledge(receipts: &[Receipt]) -> ();
    release(receipts: &[Receipt], delay: Duration, reason: &str) -> ();
    reject(receipt: &Receipt, reason: &str) -> ();
    counts() -> Counts;
    dead_letters(max: usize) -> Vec<DeadLetter>;
    peek(max: usize) -> Vec<Delivery>;
    redrive() -> u64;
    purge(everything: bool) -> u64;
}
    fn name(&self) -> &str {
        self.port.name()
    }

    fn visibility_timeout(&self) -> Duration {
        self.port.visibility_timeout()
    }
}

mortal_port! { Mortal, KeyPool {
    configure(keys: &[KeyId]) -> ();
    reserve(ask: &Ask) -> Reservation;
    settle(hold: &HoldId, end: CallEnd) -> Option<WindowRecord>;
    claim_reading(needed: Points, lease: Duration) -> Option<ReadingClaim>;
    observe(claim: &ReadingClaim, end: CallEnd) -> Option<WindowRecord>;
    keys() -> Vec<KeyStatus>;
    windows(key: &KeyId, max: usize) -> Vec<WindowRecord>;
    pause(key: &KeyId, until: Option<Timestamp>) -> bool;
    forget(key: &KeyId) -> bool;
    park(messages: &[Parked]) -> ();
    claim_parked(queue: &str, max: usize, lease: Duration) -> Vec<Parked>;
    forget_parked(messages: &[Parked]) -> ();
    count_parked(queue: &str) -> u64;
    costs() -> Costs;
} }

mortal_port! { Mortal, Throttle {
    read(worker: &WorkerId) -> Concurrency;
    set(worker: &WorkerId, concurrency: u32) -> ();
    pause(worker: &WorkerId) -> ();
    resume(worker: &WorkerId) -> ();
}
    fn lag(&self) -> Duration {
        self.port.lag()
    }
}

mortal_port! { Mortal, Breakers {
    load(upstream: &str) -> (u64, Circuit);
    replace(upstream: &str, version: u64, circuit: &Circuit) -> bool;
} }

mortal_port! { Mortal, Wakeups {
    once(name: &str, worker: &WorkerId, at: Timestamp) -> ();
    every(name: &str, worker: &WorkerId, period: Duration) -> ();
    cancel(fleet: &str, name: &str) -> ();
    list() -> Vec<Wakeup>;
} }

mortal_port! { Mortal, WakeupSource {
    claim_due(workers: &[(WorkerId, Duration)]) -> Vec<Firing>;
    complete(firing: &Firing) -> ();
} }
