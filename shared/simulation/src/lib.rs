//! A model of the cloud on virtual time. It runs the real workers and the real ledger, and does what AWS documents,
//! without relying on friendlier behaviour that AWS does not promise.
//!
//! * [`sqs`]: a standard queue: at-least-once delivery, out of order, visibility, receive counts, dead letters;
//! * [`poller`]: the event source mapping between queue and function, which receives more than the function can run;
//! * [`lambda`]: reserved concurrency, cold starts, time-outs, billed time;
//! * [`control_plane`]: changes of concurrency, at 15 requests a second and with a delay;
//! * [`scheduler`]: wake-ups that fire within a minute, at least once;
//! * [`key_pool`]: the ledger of `stint-core` in memory;
//! * [`prices`]: the cost of all this.
//!
//! Each figure of the outside world is a named constant with its source; `(assumed)` marks a figure that no page
//! documents. All random behaviour is drawn from the seed, so the same seed gives the same run.

#![warn(missing_docs)]

pub mod control_plane;
mod driver;
mod faults;
pub mod key_pool;
pub mod lambda;
pub mod poller;
pub mod prices;
mod random;
pub mod scheduler;
pub mod sqs;

pub use driver::{Standstill, run};
pub use faults::{Fault, Faults};
pub use random::Random;
