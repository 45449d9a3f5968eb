//! The host of one machine, on virtual time.

mod local;
mod paid_queue;
