//! The key pool on MongoDB, and what every fleet's stores on MongoDB share: the connection, commands with many
//! statements, and versioned records.
//!
//! Only simple operators and commands are used, so that other servers with MongoDB's protocol work as well. The only
//! guarantee required is that a change of one document is atomic. `docs/decisions/` explains how the ledger is kept
//! that way.

#![warn(missing_docs)]

mod breakers;
pub mod config;
mod connection;
mod error;
mod key_pool;
mod records;
mod statements;
pub mod testing;
mod time;

pub use breakers::MongoBreakers;
pub use config::MongoSettings;
pub use connection::Mongo;
pub use error::{explain, is_duplicate};
pub use key_pool::MongoKeyPool;
pub use mongodb;
pub use records::MongoRecords;
pub use statements::{delete, update, upsert};
pub use time::{date, instant};
