//! The client against a scripted transport on virtual time, and the transport of production against loopback.

mod breaker;
mod breaking;
mod counting;
mod hostile;
mod limit_headers;
mod limits;
mod log;
mod loopback;
mod opening;
mod pacing;
mod policies;
mod redaction;
mod scripted;
mod streaming;
mod tokens;
mod unannounced;
mod utilisation;
