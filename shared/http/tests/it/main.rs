//! The client against a scripted transport on virtual time, and the production transport on loopback.

mod alarms;
mod breaker;
mod breaking;
mod breaking_store;
mod counting;
mod hostile;
mod limit_headers;
mod limits;
mod log;
mod loopback;
mod opening;
mod pacing;
mod policies;
mod probes;
mod redaction;
mod scripted;
mod streaming;
mod tokens;
mod unannounced;
mod utilisation;
