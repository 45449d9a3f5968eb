//! The key pool port: the ledger behind a store, and the messages that wait for points.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PortResult;
use crate::ledger::{Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, ReadingClaim, Reservation, WindowRecord};
use crate::points::Points;

/// The longest claim on parked messages: as long as an invocation may last anywhere.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const LONGEST_CLAIM: Duration = Duration::from_secs(15 * 60);

/// The keys' shared budget. Every method is one atomic step on a [`crate::ledger::Ledger`] that all processes share,
/// durable when it returns; what each step means is written there.
///
/// Nobody waits in here: a refusal answers at once, and whoever is refused parks its messages.
#[async_trait]
pub trait KeyPool: Send + Sync {
    /// Makes `keys` the keys in use. New ones are unread, and grant nothing before they are read; missing ones are
    /// retired.
    async fn configure(&self, keys: &[KeyId]) -> PortResult<()>;

    /// Holds points for one call, or says why not. A refusal is not an error.
    async fn reserve(&self, ask: &Ask) -> PortResult<Reservation>;

    /// Ends a call's hold. A second time does nothing. A caller that never settles leaves a hold that ends by
    /// itself and counts as spent until a reading says otherwise. Answers the key's window, if its end was seen here:
    /// no other caller is told.
    async fn settle(&self, hold: &HoldId, end: CallEnd) -> PortResult<Option<WindowRecord>>;

    /// Lends the right to read a key's counter for `lease`, if a reading would help somebody who needs `needed`.
    async fn claim_reading(&self, needed: Points, lease: Duration) -> PortResult<Option<ReadingClaim>>;

    /// Ends a claimed reading, which holds nothing: one that brought no counter frees the claim, and one that was refused
    /// rests the key too. Answers the key's window, like `settle`.
    async fn observe(&self, claim: &ReadingClaim, end: CallEnd) -> PortResult<Option<WindowRecord>>;

    /// Every key as it stands, soonest reset first.
    async fn keys(&self) -> PortResult<Vec<KeyStatus>>;

    /// What became of a key's windows, newest first, at most `max`.
    async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>>;

    /// What calls have turned out to cost, with all keys together.
    async fn costs(&self) -> PortResult<Costs>;

    /// Rests a key until `until`, or wakes it with `None`, be it that the upstream has refused it. Answers whether there
    /// is such a key.
    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool>;

    /// Forgets what is known of a key, so that it is read before it lends: for a key of which something wrong is known. What is
    /// on loan stays on loan. Returns whether there is such a key.
    async fn forget(&self, key: &KeyId) -> PortResult<bool>;

    /// Keeps messages that wait for points, by id. Parking an id again replaces what was parked.
    async fn park(&self, messages: &[Parked]) -> PortResult<()>;

    /// Claims parked messages for `lease`, at most [`LONGEST_CLAIM`], oldest first, at most `max`: the caller sends them to
    /// their queue and then forgets them. A caller that exits in between delays them by the lease, and may send one twice.
    /// A claim that ends later than any may was made by a clock that was ahead, and has lapsed.
    async fn lend_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>>;

    /// Drops parked messages, unless one was parked anew since it was lent.
    async fn forget_parked(&self, messages: &[Parked]) -> PortResult<()>;

    /// How many messages are parked for `queue`.
    async fn count_parked(&self, queue: &str) -> PortResult<u64>;
}

/// A message that waits for points instead of burning receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The message's id in its queue, so that a redelivery parks over itself.
    pub id: String,
    /// The queue that it goes back to.
    pub queue: String,
    /// The body to send: what of the message is still to be done.
    pub body: String,
    /// When it was parked.
    pub parked_at: Timestamp,
}
