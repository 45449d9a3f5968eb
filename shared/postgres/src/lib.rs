//! PostgreSQL: what every fleet's stores on it share. The settings, a pool of sessions with limits, TLS, transactions
//! that are repeated where that is safe, migrations, batches and streams.
//!
//! A store opens [`Postgres`] to write and [`PostgresReader`] where it only reads. Both give sessions in UTC with
//! limits for statements, locks and idle transactions. A write says whether it may run twice ([`Write`]): if the answer
//! to a commit is lost, a write that may not is never repeated, and its caller is told that the outcome is unknown
//! ([`Failure::is_outcome_unknown`]). `docs/decisions/` explains the choice of the driver.
//!
//! # What may happen between any two lines
//! * *The process exits before a commit is sent:* the server rolls the transaction back when it notices the closed
//!   connection, or at the latest after `POSTGRES_TRANSACTION_IDLE_SECONDS`.
//! * *A future is dropped in the middle of a transaction:* its connection is closed and not reused.
//! * *The process exits after a commit is sent:* the server commits or does not; the next run of an idempotent write
//!   reaches the same end state.

#![warn(missing_docs)]

mod address;
pub mod config;
mod failure;
mod hints;
pub mod migrations;
mod pool;
mod retry;
mod rows;
mod session;
pub mod testing;
mod tls;
mod transaction;
mod upsert;

pub use config::{PostgresSettings, SslMode};
pub use failure::{Failure, FailureKind};
pub use pool::{Postgres, PostgresReader};
pub use rows::RowStream;
pub use tokio_postgres;
pub use transaction::{Isolation, Tx, Write};
pub use upsert::{OnConflict, Upsert};
