//! The HTTP client for upstreams: in one place, everything that a rationed third-party API requires of its callers.
//!
//! A [`Transport`] sends one request. A [`Client`] above it decides which requests are repeated ([`RetryPolicy`]), how
//! fast they are sent, and what an answer means. If the upstream announces limits in headers, a [`Pacer`] keeps to them
//! before anything is sent. A [`TokenSource`] holds the access token of one key. All of them wait through a
//! [`Clock`](stint_core::clock::Clock) and work with any async runtime; only [`ReqwestTransport`] needs tokio.
//!
//! Nothing here evades a limit, a ban or a challenge: they are recognised and reported to the caller.

#![warn(missing_docs)]

mod answer;
mod authorized;
mod body;
mod breaker;
mod challenge;
mod client;
mod error;
mod limits;
mod pace;
mod policy;
mod redact;
mod reqwest_transport;
mod retry_after;
mod tls;
mod token;
mod transport;
mod webhook;

pub use answer::{AddressLimit, HttpResponse, StreamingResponse};
pub use body::Body;
pub use breaker::{Breaker, MemoryBreakers};
pub use challenge::{Challenge, ChallengeMark, challenge};
pub use client::Client;
pub use error::{HttpError, RateLimited};
pub use limits::{
    AnnouncedLimits, Headroom, LimitCounts, LimitOptions, Pacer, RateHeaderError, RateRule, RateWindow, StoredPace,
    WindowState,
};
pub use pace::PaceCounts;
pub use policy::{Repeat, RetryPolicy};
pub use reqwest_transport::{BuildError, CONNECT_TIMEOUT, ReqwestTransport, client_builder, innermost_reason};
pub use retry_after::LONGEST_RETRY_AFTER;
pub use tls::provide_tls;
pub use token::{TokenError, TokenSource};
pub use transport::{RequestLimits, Transport, TransportError};
pub use webhook::WebhookSink;
