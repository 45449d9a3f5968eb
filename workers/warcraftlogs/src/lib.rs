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
mod ending;
pub mod frozen;
pub mod handover;
mod keeper;
pub mod lua;
mod measured;
pub mod message;
pub mod model;
pub mod names;
mod outage;
pub mod paid;
mod parking;
pub mod publish;
pub mod questions;
pub mod raids;
pub mod rank_fetcher;
pub mod refresher;
mod refused;
mod results;
pub mod reviver;
mod setting_values;
pub mod store;
pub mod whom;
mod worst_case;

/// The fleet's name on the command line and in every worker's description.
pub const FLEET: &str = "warcraftlogs";
