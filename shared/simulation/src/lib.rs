//! A model of the cloud that a fleet runs in, on virtual time: the real workers and the real ledger, hosted by what
//! AWS is documented to do, and by nothing friendlier.
//!
//! * [`sqs`]: a standard queue: at least once, out of order, visibility, receive counts, dead letters;
//! * [`poller`]: the event source mapping between queue and function, which over-pulls;
//! * [`lambda`]: reserved concurrency, cold starts, time-outs, and what a run is billed;
//! * [`control_plane`]: changing concurrency, at 15 requests a second and with a delay;
//! * [`scheduler`]: wake-ups that come within a minute, at least once;
//! * [`key_pool`]: the ledger of `stint-core` in memory;
//! * [`prices`]: what all of it costs.
//!
//! Each figure of the outside world is a named constant with its source; `(from memory)` marks one from memory, `(assumed)` one
//! that nobody documents. Everything that looks like chance is drawn from the seed, so the same seed gives the same
//! run.

#![warn(missing_docs)]

pub mod control_plane;
mod dice;
mod driver;
mod faults;
pub mod key_pool;
pub mod lambda;
pub mod poller;
pub mod prices;
pub mod scheduler;
pub mod sqs;

pub use dice::Dice;
pub use driver::{Standstill, run};
pub use faults::{Fault, Faults};
