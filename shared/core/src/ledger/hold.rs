//! A hold: points reserved for one call.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyId, Reading};
use crate::points::Points;

/// Added to a call's time-out for the way back. After that a hold ends by itself.
pub(super) const HOLD_MARGIN: Duration = Duration::from_secs(5);

/// Identifies a hold by its key and the key's sequence number at the grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HoldId {
    /// The key that granted it.
    pub key: KeyId,
    /// Unique within the key, for ever.
    pub sequence: u64,
}

/// Points held for one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The most that the call can cost.
    pub amount: Points,
    /// When the call is over in any case, a little after its time-out. For a lost call: when it can no longer be
    /// billed.
    pub expires_at: Timestamp,
    /// Whether the call is still running.
    pub state: HoldState,
}

/// Whether a hold's call is still running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldState {
    /// It may be billed at any moment.
    InFlight,
    /// It is over without an answer, and may still be billed until the hold expires.
    Lost,
    /// It is over and can no longer be billed, but may have been. The hold waits for a reading that started after
    /// `ended`.
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
    /// With an answer that did not carry the counter. If it was billed, that has happened by now.
    Unpriced,
    /// Without an answer: a time-out, a broken answer or a server error. It may have been billed, or may still be.
    Lost,
    /// It never reached the upstream, or was refused before it was billed. The hold ends at once.
    NotBilled,
    /// The upstream refused the key. The hold ends at once, and the key rests.
    Refused {
        /// When the key can be used again.
        until: Timestamp,
        /// Why it was refused.
        why: KeyRefusal,
    },
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRefusal {
    /// Its points are spent.
    #[default]
    Points,
    /// Its id and secret are not accepted.
    Credentials,
}
