//! The client against a scripted transport on virtual time, and the transport of production against loopback.

mod loopback;
mod pacing;
mod policies;
mod redaction;
mod scripted;
mod tokens;
