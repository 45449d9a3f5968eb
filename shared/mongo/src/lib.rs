//! The key pool on MongoDB, and what every fleet's stores on MongoDB share: the connection, writes with many statements,
//! and records with a version.
//!
//! Only simple operators and commands are used, so that servers which speak MongoDB's protocol do as well. What is
//! relied on is the least that they promise: one document is changed in one atomic step. `docs/decisions/` tells how
//! the ledger is kept that way.

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
