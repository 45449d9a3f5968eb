//! The budget ledger: which caller may spend how many points of which key, as pure state.
//!
//! Points are perishable. Points that are not spent when a key's window resets are lost, and points spent beyond the
//! limit are refused calls. The ledger holds points before a call (*reserve*), and frees after it what the call did not
//! cost (*settle*). It does no I/O: an adapter loads it, applies operations, and stores the changes in one commit. All
//! stores therefore have the same semantics, because they run the same code.
//!
//! # The upstream's counter is the truth
//! The cost of a call is not known before it or after it. The upstream only says how much a key has spent in the whole
//! window (a [`Reading`]), and the counter in an answer does not include that answer's own charge. Therefore:
//! * A hold is an upper bound of what its call can cost.
//! * When the call has ended, its hold stays, *unconfirmed*, until a reading whose request started after that end. Only
//!   such a reading is sure to include the charge.
//! * A call that got no answer is *lost*: it may be billed after its caller has given up. Its hold stays for a grace
//!   period, and then until a reading that started later.
//! * `spent` is the highest counter read in the window. A charge that is counted twice for a moment (in the counter and
//!   in a hold) delays a call; a charge that is never counted would overspend.
//!
//! "Started after" is decided by the ledger's own sequence numbers, never by comparing the clocks of two processes.
//!
//! # Windows
//! A key whose reset has passed is *stale*: it grants nothing until a reading shows the new window. A call in flight
//! across the reset may be billed to either window, so its hold is carried over and counts in both. Shortly before the
//! reset (the *edge*) nothing is granted, so that the last calls are answered and read in their own window.

mod account;
mod costs;
mod hold;
mod holds;
mod pool;
mod price;
mod reading;
mod readings;
mod reserve;
mod settings;
mod status;
mod stored;
mod window;

pub use account::{Account, KeyState, WindowRecord};
pub use costs::{CostClass, Costs, ENOUGH, SoleCall};
pub use hold::{CallEnd, Hold, HoldId, HoldState, KeyRefusal};
pub use holds::Holds;
pub use pool::{Changes, Ledger};
pub use reading::{Reading, ReadingClaim};
pub use reserve::{Ask, Grant, KeyWait, Reservation};
pub use settings::{Bounds, LedgerSettings, Tail};
pub use status::KeyStatus;
pub use window::Doubt;

use serde::{Deserialize, Serialize};

/// Identifies a key by the upstream's client id, which is public. Never contains the secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl std::fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
