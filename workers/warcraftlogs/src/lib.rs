//! The `warcraftlogs` fleet: discovers players, fetches their ranks under key budgets, and publishes them as Lua
//! databases.
//!
//! One file per worker: [`discover`], [`aggregator`], [`rank_fetcher`], [`refresher`], [`reviver`], [`db_generator`].

pub mod addon;
pub mod aggregator;
mod batch;
pub mod budget;
pub mod client;
pub mod config;
pub mod db_generator;
pub mod discover;
pub mod discovery;
pub mod due_selection;
pub mod frozen;
pub mod lua;
mod measured;
pub mod message;
pub mod model;
pub mod names;
pub mod next_worker;
mod outage;
pub mod paid;
mod parking;
pub mod player_ref;
pub mod publish;
mod queue_empty;
pub mod raids;
pub mod rank_fetcher;
pub mod rank_queries;
pub mod refresher;
mod refused;
mod results;
mod results_buffer;
pub mod reviver;
mod setting_values;
pub mod store;
mod worst_case;

use stint_core::worker::WorkerId;

/// The fleet's name on the command line and in every worker's description.
pub const FLEET: &str = "warcraftlogs";

/// A worker of the fleet.
pub const fn worker(name: &'static str) -> WorkerId {
    WorkerId::new(FLEET, name)
}
