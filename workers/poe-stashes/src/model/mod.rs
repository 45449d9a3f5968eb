//! The content of the river: change ids, stashes with their items, and the prices in their notes.

mod change_id;
pub mod page;
pub mod price;

pub use change_id::{ChangeId, ChangeIdError, SHARDS};
