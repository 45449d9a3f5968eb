//! The request budget: limits that an upstream announces in the headers of its answers.
//!
//! In addition to points, which are allotted to a key, an upstream may count the requests of an address. It says so in
//! `X-Rate-Limit-*` headers ([`AnnouncedLimits`]), and the client keeps to them before it sends ([`Pacer`]): a refusal costs
//! a minute of silence, and every 4xx counts towards a ban.
//!
//! * `headers`: the grammar of the headers, and nothing else.
//! * `lane`: the requests that count together, and when the next one may be sent. Pure state.
//! * `lag`: how much time certainly passes between sending a request and its being counted. Pure state.
//! * `budget`: which request belongs to which lane, and what survives the process. Pure state.
//! * `halt`: client errors, and when they stop a lane or everything. Pure state.
//! * `pacer`: waiting for a turn, on the clock.
//!
//! No limit is hard-coded. Before the first answer of an address exactly one request is in flight. If no answer names a
//! limit, requests still keep a minimum interval ([`LimitOptions::unannounced_interval`]).
//!
//! The budget is kept in the process, so only one process may use an address. A fleet that runs as functions has one
//! message of the chain in flight, and so one request. A process that restarts or takes over restores a [`StoredPace`].

mod budget;
mod halt;
mod headers;
mod lag;
mod lane;
mod pacer;

pub use budget::{LimitCounts, LimitOptions, StoredPace};
pub use headers::{AnnouncedLimits, RateHeaderError, RateRule, RateWindow, WindowState};
pub use lane::Headroom;
pub(crate) use pacer::InFlightRequest;
pub use pacer::Pacer;
