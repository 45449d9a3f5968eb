//! The budget ledger: who may spend how many points of which key, as pure state.
//!
//! Points are perishable: what is not spent when a key's window resets is gone, and what is spent too much is a
//! refused call. The ledger lends points before a call (*reserve*), and gives back after it what the call did not
//! cost (*settle*). It does no I/O: an adapter loads it, applies operations, and stores what changed in one commit.
//! So every store has the same semantics, because it is the same code.
//!
//! # The upstream's counter is the truth
//! A call's cost is not known, neither before it nor after it: the upstream only says how much a key has spent in
//! the whole window (a [`Reading`]), and an answer's counter does not include the answer's own charge. So
//! * a hold is an upper bound of what its call can cost;
//! * when the call has ended, its hold stays, *unconfirmed*, until a reading whose request started after that end. Only
//!   such a reading is sure to include the charge;
//! * a call that got no answer is *lost*: it may be billed after its caller has given up. Its hold stays for a grace period,
//!   and then until a reading that started later;
//! * `spent` is the highest counter seen in the window. Being counted twice for a moment (in the counter and in a
//!   hold) delays a call; being counted never would overspend.
//!
//! "Started after" is decided by the ledger's own sequence numbers, never by comparing two processes' clocks.
//!
//! # Windows
//! A key whose reset has passed is *stale*: it grants nothing until a reading shows the new window. A call in flight
//! across the reset may be billed to either window; its hold is carried over, and so stands in both. Shortly before
//! the reset (the *edge*) nothing is granted, so that the last calls are answered, and read, in their own window.

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
pub use costs::{Alone, CostClass, Costs, ENOUGH};
pub use hold::{CallEnd, Hold, HoldId, HoldState, Refusal};
pub use holds::Holds;
pub use pool::{Changes, Ledger};
pub use reading::{Reading, ReadingClaim};
pub use reserve::{Ask, Grant, Reservation, Wait};
pub use settings::{Bounds, LedgerSettings, Tail};
pub use status::KeyStatus;
pub use window::Doubt;

use serde::{Deserialize, Serialize};

/// Names a key: the upstream's client id, which is public, never its secret.
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
