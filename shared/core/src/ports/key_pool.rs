//! The key pool port: the shared budget ledger, and the messages that wait for points.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PortResult;
use crate::ledger::{Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, ReadingClaim, Reservation, WindowRecord};
use crate::points::Points;

/// The longest claim on parked messages: the longest that a Lambda invocation may last.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const LONGEST_CLAIM: Duration = Duration::from_secs(15 * 60);

/// The shared budget of all keys, and the messages that wait for points.
///
/// All processes of an installation spend from the same keys, so the budget is kept in one store and not in any
/// process. Every method is one atomic step on a [`crate::ledger::Ledger`], and the step is durable when the method
/// returns; the ledger documents what each step means. Because the rules are in the ledger, every adapter has the same
/// semantics.
///
/// The protocol is *reserve, call, settle*: a caller reserves an upper bound of the call's cost, makes the call, and
/// settles the hold with how the call ended. No method waits for points. `reserve` returns a refusal at once, and the
/// refused caller parks its messages: a message that waits for points in its queue would use up its receives and end
/// among the dead letters.
#[async_trait]
pub trait KeyPool: Send + Sync {
    /// Makes `keys` the keys in use. New keys are unread and grant nothing before they are read. Keys missing from the
    /// list are retired.
    async fn configure(&self, keys: &[KeyId]) -> PortResult<()>;

    /// Holds points for one call, or returns why that is not possible. A refusal is not an error.
    async fn reserve(&self, ask: &Ask) -> PortResult<Reservation>;

    /// Ends a call's hold. A second call for the same hold does nothing. If the caller never settles, the hold ends by
    /// itself and counts as spent until a reading shows otherwise. Returns the record of the key's window if this step
    /// saw the window end; no other caller receives it.
    async fn settle(&self, hold: &HoldId, end: CallEnd) -> PortResult<Option<WindowRecord>>;

    /// Grants the right to read a key's counter for `lease`, if a reading would help a caller that needs `needed`
    /// points.
    async fn claim_reading(&self, needed: Points, lease: Duration) -> PortResult<Option<ReadingClaim>>;

    /// Ends a claimed reading. A reading holds no points. A reading that brought no counter frees the claim; one that
    /// was refused also rests the key. Returns the record of the key's window, as `settle` does.
    async fn observe(&self, claim: &ReadingClaim, end: CallEnd) -> PortResult<Option<WindowRecord>>;

    /// Returns the status of every key, soonest reset first.
    async fn keys(&self) -> PortResult<Vec<KeyStatus>>;

    /// Returns the records of a key's last windows, newest first, at most `max`.
    async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>>;

    /// Returns what calls have cost, over all keys.
    async fn costs(&self) -> PortResult<Costs>;

    /// Rests a key until `until`, or ends its rest if `until` is `None`, even if the upstream has refused the key.
    /// Returns whether there is such a key.
    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool>;

    /// Forgets what is known of a key, so that it must be read before it grants points. Use it if something wrong is
    /// known of a key. Holds stay. Returns whether there is such a key.
    async fn forget(&self, key: &KeyId) -> PortResult<bool>;

    /// Stores messages that wait for points, by id. Parking an id again replaces the stored message.
    async fn park(&self, messages: &[Parked]) -> PortResult<()>;

    /// Claims up to `max` parked messages, oldest first, for `lease` (at most [`LONGEST_CLAIM`]). The caller sends them
    /// to their queue and then forgets them. A caller that exits in between delays them by the lease and may cause one
    /// to be sent twice. A claim that ends later than any claim can was made by a clock that was ahead, and counts as
    /// lapsed.
    async fn claim_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>>;

    /// Deletes parked messages, except those that were parked again since they were claimed.
    async fn forget_parked(&self, messages: &[Parked]) -> PortResult<()>;

    /// Returns how many messages are parked for `queue`.
    async fn count_parked(&self, queue: &str) -> PortResult<u64>;
}

/// A message that waits for points in the store, so that it uses up no receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The message's id in its queue. A redelivered message replaces its own parked copy.
    pub id: String,
    /// The queue that it goes back to.
    pub queue: String,
    /// The body to send: the part of the message that is still to be done.
    pub body: String,
    /// When it was parked.
    pub parked_at: Timestamp,
}
