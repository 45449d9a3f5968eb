//! Ports as a process sees them that may be killed before and after every call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_core::ledger::{
    Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, Reading, ReadingClaim, Reservation, WindowRecord,
};
use stint_core::points::Points;
use stint_core::ports::{
    Concurrency, Counts, DeadLetter, Delivery, Firing, KeyPool, NewMessage, Parked, PortResult, Queue, Receipt,
    Throttle, Wakeup, WakeupSource, Wakeups,
};
use stint_http::{Limits, Transport, TransportError};
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::store::{
    Backlog, Claim, Discovered, Discovers, Dropped, Due, Freshness, Page, Pass, PlayerCounts, PlayerKey, Players, Rest,
    Rule, RuleStatus, Rules,
};

use super::Life;

/// A port whose calls are steps of a life.
pub(super) struct Mortal<P: ?Sized> {
    port: Arc<P>,
    life: Life,
}

impl<P: ?Sized> Mortal<P> {
    pub(super) fn new(port: &Arc<P>, life: &Life) -> Arc<Mortal<P>> {
        Arc::new(Mortal { port: port.clone(), life: life.clone() })
    }
}

/// The port's methods, each between two steps.
macro_rules! mortal {
    ($port:ident { $($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* } $($verbatim:tt)*) => {
        #[async_trait]
        impl $port for Mortal<dyn $port> {
            $(
                async fn $method(&self, $($argument: $type),*) -> PortResult<$answer> {
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

mortal! { Rules {
    list() -> Page<RuleStatus, ()>;
    put(rule: &Rule) -> ();
    remove(id: &str) -> bool;
    claim_due(due_before: Timestamp, lease: Duration) -> Option<Claim>;
    keep(claim: &Claim, pass: &Pass, lease: Duration) -> bool;
    finish(claim: &Claim, ran_at: Timestamp) -> bool;
    give_back(claim: &Claim, rest: Option<Rest>) -> ();
} }

mortal! { Discovers {
    merge(seen: &[Discovered]) -> ();
    page(after: Option<PlayerId>, max: usize) -> Page<Discovered, PlayerId>;
    due(after: Option<PlayerId>, max: usize, freshness: &Freshness) -> Page<Due, PlayerId>;
    get(ids: &[PlayerId]) -> Page<Discovered, PlayerId>;
    hand_over(sent: &[Discovered], queued_at: Timestamp) -> ();
    forget_queued() -> ();
    count() -> u64;
    backlog(freshness: &Freshness) -> Backlog;
} }

mortal! { Players {
    upsert(players: &[Player]) -> ();
    drop_players(dropped: &[Dropped]) -> ();
    page(after: Option<&PlayerKey>, max: usize) -> Page<Player, PlayerKey>;
    get(id: PlayerId) -> Option<Player>;
    dropped_page(after: Option<PlayerId>, max: usize) -> Page<Dropped, PlayerId>;
    counts() -> PlayerCounts;
} }

mortal! { Queue {
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
}

mortal! { KeyPool {
    configure(keys: &[KeyId]) -> ();
    reserve(ask: &Ask) -> Reservation;
    settle(hold: &HoldId, end: CallEnd) -> Option<WindowRecord>;
    claim_reading(needed: Points, lease: Duration) -> Option<ReadingClaim>;
    observe(claim: &ReadingClaim, reading: Option<Reading>) -> Option<WindowRecord>;
    keys() -> Vec<KeyStatus>;
    windows(key: &KeyId, max: usize) -> Vec<WindowRecord>;
    pause(key: &KeyId, until: Option<Timestamp>) -> bool;
    park(messages: &[Parked]) -> ();
    lend_parked(queue: &str, max: usize, lease: Duration) -> Vec<Parked>;
    forget_parked(messages: &[Parked]) -> ();
    count_parked(queue: &str) -> u64;
    costs() -> Costs;
} }

mortal! { Throttle {
    read(worker: &str) -> Concurrency;
    set(worker: &str, concurrency: u32) -> ();
    pause(worker: &str) -> ();
    resume(worker: &str) -> ();
}
    fn lag(&self) -> Duration {
        self.port.lag()
    }
}

mortal! { Wakeups {
    once(name: &str, worker: &str, at: Timestamp) -> ();
    every(name: &str, worker: &str, period: Duration) -> ();
    cancel(name: &str) -> ();
    list() -> Vec<Wakeup>;
} }

mortal! { WakeupSource {
    claim_due(lease: Duration) -> Vec<Firing>;
    complete(firing: &Firing) -> ();
} }

#[async_trait]
impl Transport for Mortal<dyn Transport> {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let lost = |reason: &str| TransportError::Broken { host: "standin".into(), reason: reason.into() };
        self.life.step().await.map_err(|_| lost("on the way there"))?;
        let answer = self.port.send(request, limits).await;
        self.life.step().await.map_err(|_| lost("on the way back"))?;
        answer
    }
}
