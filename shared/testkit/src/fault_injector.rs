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

use crate::FaultPlan;

/// A port of `stint_core` whose calls are kill points of a [`FaultPlan`].
pub struct FaultInjector<P: ?Sized> {
    port: Arc<P>,
    faults: FaultPlan,
}

impl<P: ?Sized> FaultInjector<P> {
    /// Wraps `port` for a process with `faults`.
    pub fn new(port: &Arc<P>, faults: &FaultPlan) -> Arc<FaultInjector<P>> {
        Arc::new(FaultInjector { port: port.clone(), faults: faults.clone() })
    }
}

/// Defines the wrapper of a test's own with which [`fault_injected_port!`](crate::fault_injected_port) implements the
/// stores of its fleet: a foreign trait cannot be implemented for a foreign type.
#[macro_export]
macro_rules! faulty_store {
    ($wrapper:ident) => {
        /// A store whose calls are kill points of a fault plan.
        pub(super) struct $wrapper<P: ?Sized> {
            port: std::sync::Arc<P>,
            faults: $crate::FaultPlan,
        }

        impl<P: ?Sized> $wrapper<P> {
            pub(super) fn new(port: &std::sync::Arc<P>, faults: &$crate::FaultPlan) -> std::sync::Arc<$wrapper<P>> {
                std::sync::Arc::new($wrapper { port: port.clone(), faults: faults.clone() })
            }
        }
    };
}

/// Implements a port for a wrapper with the fields `port` and `faults`: each method runs between two kill points.
/// Methods that have none are written out after the list.
///
/// ```text
/// stint_testkit::fault_injected_port! { Mine, Players {
///     get(id: PlayerId) -> Option<Player>;
/// } }
/// ```
#[macro_export]
macro_rules! fault_injected_port {
    (
        $wrapper:ident, $port:ident { $($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* } $($verbatim:tt)*
    ) => {
        #[async_trait::async_trait]
        impl $port for $wrapper<dyn $port> {
            $(
                async fn $method(&self, $($argument: $type),*) -> stint_core::ports::PortResult<$answer> {
                    self.faults.kill_point().await?;
                    let answer = self.port.$method($($argument),*).await;
                    self.faults.kill_point().await?;
                    answer
                }
            )*
            $($verbatim)*
        }
    };
}

fault_injected_port! { FaultInjector, Queue {
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

fault_injected_port! { FaultInjector, KeyPool {
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

fault_injected_port! { FaultInjector, Throttle {
    read(worker: &WorkerId) -> Concurrency;
    set(worker: &WorkerId, concurrency: u32) -> ();
    pause(worker: &WorkerId) -> ();
    resume(worker: &WorkerId) -> ();
}
    fn lag(&self) -> Duration {
        self.port.lag()
    }
}

fault_injected_port! { FaultInjector, Breakers {
    load(upstream: &str) -> (u64, Circuit);
    replace(upstream: &str, version: u64, circuit: &Circuit) -> bool;
} }

fault_injected_port! { FaultInjector, Wakeups {
    once(name: &str, worker: &WorkerId, at: Timestamp) -> ();
    every(name: &str, worker: &WorkerId, period: Duration) -> ();
    every_aligned(name: &str, worker: &WorkerId, period: Duration) -> ();
    cancel(fleet: &str, name: &str) -> ();
    list() -> Vec<Wakeup>;
} }

fault_injected_port! { FaultInjector, WakeupSource {
    claim_due(workers: &[(WorkerId, Duration)]) -> Vec<Firing>;
    complete(firing: &Firing) -> ();
} }
