//! The `poe-stashes` fleet: follows the river of public stashes (the upstream's stream of stash edits), stores every
//! page as it was received, and announces it to consumers.
//!
//! One file per worker: [`follower`], with its [`writer`] beside it; [`watcher`]; [`indexer`].

mod chain_run;
pub mod client;
pub mod config;
pub mod follower;
pub mod guard;
pub mod indexer;
pub mod lag;
pub mod look_ahead;
pub mod message;
pub mod model;
pub mod page_file;
mod start;
pub mod store;
pub mod watcher;
pub mod writer;

/// The fleet's name on the command line and in every worker's description.
pub const FLEET: &str = "poe-stashes";
