//! The stand-in for the public stash API of Path of Exile: pages, limits, tokens, and faults.
//!
//! It reproduces what is known of the original, as far as a client can observe it:
//!
//! * A change id is a position in the river (the stream of stash edits): five shard counters that only grow. A page
//!   holds the stashes edited from that position on, up to a cap, and the id of the position after them. Any five
//!   numbers are a valid id; they lead to the nearest position. A position after the end returns an empty page with its
//!   own id.
//! * The river lags five minutes behind the game, and it shows a stash as it is *now*: a page that is read again lists
//!   the same stashes with their current content. A stash that is no longer public is listed once more, empty.
//! * Limits are announced in headers and enforced: a request over the limit blocks the address for a while, and every
//!   4xx counts towards a permanent ban.
//!
//! Everything else that a test needs to know is in [`Counters`] and in the methods of [`PoeStashes`].

mod answers;
mod counters;
mod item;
mod oauth;
mod options;
mod rate_limits;
mod river;
mod stash;
mod upstream;
mod words;

pub use counters::{Counters, ServedPage, digest};
pub use options::{Counting, Era, Faults, Options, Window};
pub use upstream::PoeStashes;
