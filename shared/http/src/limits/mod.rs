//! The budget of requests: limits that an upstream announces in the headers of its answers.
//!
//! Beside points, which a key is allotted, an upstream may count the requests of an address. It says so in
//! `X-Rate-Limit-*` headers ([`RateLimits`]), and the client keeps to them before it sends ([`Pacer`]): a refusal
//! costs a minute of silence, and every 4xx counts towards a ban.
//!
//! * `headers`: the grammar of the headers, and nothing else.
//! * `lane`: the requests that count together, and when the next one may go. Pure state.
//! * `lag`: how little time passes for certain between a request and its being counted. Pure state.
//! * `budget`: which request belongs to which lane, and what survives the process. Pure state.
//! * `halt`: client errors, and when they end it. Pure state.
//! * `pacer`: who waits, on the clock.
//!
//! No limit is written down here. Before the first answer of an address exactly one request is under way. Where no answer
//! names a limit, requests keep a distance all the same ([`LimitOptions::unannounced_interval`]).
//!
//! The budget lives in the process: one process to an address. A fleet that runs as functions has one message of the
//! chain in flight, so one request; whoever starts again, or takes over, restores a [`PaceMemory`].

mod budget;
mod halt;
mod headers;
mod lag;
mod lane;
mod pacer;

pub use budget::{LimitCounts, LimitOptions, PaceMemory};
pub use headers::{RateHeaderError, RateLimits, RateRule, RateWindow, WindowState};
pub use lane::Headroom;
pub(crate) use pacer::Flight;
pub use pacer::Pacer;
