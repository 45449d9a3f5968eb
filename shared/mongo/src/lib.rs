//! The key pool on MongoDB, and what every fleet's stores on MongoDB share: the connection, commands with many
//! statements, and versioned records.
//!
//! Only simple operators and commands are used, so that other servers with MongoDB's protocol work as well. The only
//! guarantee required is that a change of one document is atomic. `docs/decisions/` explains how the ledger is kept
//! that way, and how a write survives the loss of a server or of an answer.

#![warn(missing_docs)]

mod alarms;
mod breakers;
pub mod config;
mod connection;
mod error;
mod guarded;
mod key_pool;
mod leases;
mod operation;
mod records;
mod statements;
pub mod testing;
mod time;

pub use alarms::MongoAlarms;
pub use breakers::MongoBreakers;
pub use config::MongoSettings;
pub use connection::Mongo;
pub use error::explain;
pub use key_pool::MongoKeyPool;
pub use leases::MongoLeases;
pub use mongodb;
pub use operation::{MAX_TIME, Retry};
pub use records::MongoRecords;
pub use statements::{Changed, delete, delete_each, update, update_each, upsert};
pub use time::{date, instant};
