//! The client for upstreams.

mod transport;

pub use transport::{Limits, Transport, TransportError};
