//! Points on loan to one call.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyId, Reading};
use crate::points::Points;

/// Beyond a call's time-out, for the way back: after that a hold ends by itself.
pub(super) const HOLD_MARGIN: Duration = Duration::from_secs(5);

/// Names a hold: its key, and the key's sequence number when it was granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HoldId {
    /// The key that lends.
    pub key: KeyId,
    /// Unique within the key, for good.
    pub sequence: u64,
}

/// Points on loan to one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The most that the call can cost.
    pub amount: Points,
    /// When the call is over in any case: a little after its time-out. Of a lost call: when it can no longer be billed.
    pub expires_at: Timestamp,
    /// Whether the call still runs.
    pub state: HoldState,
}

/// Whether a hold's call still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldState {
    /// It may be billed at any moment.
    InFlight,
    /// It is over, no answer came, and it may still be billed until the hold expires.
    Lost,
    /// It is over, and may have been billed, but not any more. Waits for a reading that started after `ended`.
    Unconfirmed {
        /// The key's sequence number when the call ended.
        ended: u64,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// With an answer that carried the key's counter.
    Answered(Reading),
    /// With an answer that did not carry the counter: it was billed, if at all, by now.
    Unpriced,
    /// Without an answer: a time-out, a broken answer, a server error. It may have been billed, or may yet be.
    Lost,
    /// It never reached the upstream, or was turned away before it was billed: the hold ends at once.
    NotBilled,
    /// The upstream refused the key: the hold ends at once, and the key rests.
    Refused {
        /// When the key can be used again.
        until: Timestamp,
        /// Why it was refused.
        why: Refusal,
    },
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Its points are used up.
    #[default]
    Points,
    /// Its id and secret are not accepted.
    Credentials,
}
