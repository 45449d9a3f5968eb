//! The stand-in for the public stash river of Path of Exile: pages, limits, tokens, and what goes wrong.
//!
//! What is known of the original is kept, as far as a client can see it:
//!
//! * A change id is a place in the river, five counters of shards that only grow. A page holds the stashes that were
//!   edited from there on, up to a cap, and the id behind them. Any five numbers are an id; they lead to the nearest
//!   place. A place behind the end answers an empty page and its own id.
//! * The river lags five minutes behind the game, and it shows what a stash is *now*: a page that is read again holds
//!   the stashes of then with the content of today. A stash that is no longer public is listed once more, empty.
//! * Limits are announced in headers and enforced: one request too many closes the door for a while, and every 4xx
//!   counts towards a ban that never ends.
//!
//! What a test needs to know beyond that is in [`Books`] and in the methods of [`PoeStashes`].

mod answers;
mod books;
mod gate;
mod item;
mod oauth;
mod options;
mod river;
mod stash;
mod upstream;
mod words;

pub use books::{Books, ServedPage, digest};
pub use options::{Counting, Era, Faults, Options, Window};
pub use upstream::PoeStashes;
