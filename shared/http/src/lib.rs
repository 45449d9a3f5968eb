//! The client for upstreams: everything that a rationed third-party API asks of its callers, in one place.
//!
//! A [`Transport`] sends one request. A [`Client`] above it decides what is repeated ([`RetryPolicy`]), how fast
//! requests leave, and what an answer means. A [`TokenSource`] holds the access token of one key. All of them wait
//! through a [`Clock`](stint_core::clock::Clock) and need no particular runtime; only [`ReqwestTransport`] needs one.
//!
//! Nothing here evades a limit, a ban or a challenge: they are recognised, and the caller is told.

#![warn(missing_docs)]

mod answer;
mod challenge;
mod client;
mod error;
mod pace;
mod policy;
mod redact;
mod reqwest_transport;
mod retry_after;
mod token;
mod transport;

pub use answer::{AddressLimit, Answer};
pub use challenge::{Challenge, ChallengeMark, challenge};
pub use client::Client;
pub use error::{HttpError, RateLimited};
pub use pace::PaceCounts;
pub use policy::{Repeat, RetryPolicy};
pub use reqwest_transport::{BuildError, CONNECT_TIMEOUT, ReqwestTransport};
pub use retry_after::LONGEST_RETRY_AFTER;
pub use token::{TokenError, TokenSource};
pub use transport::{Limits, Transport, TransportError};
