//! The default adapters: every port on SQLite in one folder. Durable, with nothing to install.
//!
//! [`Embedded`] is the folder. [`Database`] is one file in it; fleets use it for their own stores too.

#![warn(missing_docs)]

mod alarms;
mod breakers;
mod database;
mod folder;
mod home;
mod hosts;
mod key_pool;
mod leases;
mod listeners;
mod lock;
mod parked_move;
mod queue;
mod rate_limits;
mod schema;
mod set_back;
mod throttle;
mod time;
pub mod upkeep;
mod wakeups;

pub use alarms::SqliteAlarms;
pub use breakers::SqliteBreakers;
pub use database::{Database, Mode, RowSize};
pub use folder::Folder;
pub use home::Embedded;
pub use hosts::{HEARTBEAT, Host, SqliteHosts};
pub use key_pool::SqliteKeyPool;
pub use leases::SqliteLeases;
pub use listeners::{ListenerRow, SqliteListeners};
pub use lock::FolderLock;
pub use queue::SqliteQueue;
pub use rate_limits::SqliteRateLimits;
pub use rusqlite;
pub use throttle::SqliteThrottle;
pub use wakeups::SqliteWakeups;
