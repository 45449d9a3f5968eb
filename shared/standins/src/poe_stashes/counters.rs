//! What a stand-in has counted and served, for tests to compare with a client's view.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::random::mix;

/// Everything counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All requests to any path, except those for these counters.
    pub requests: u64,
    /// Requests for a page, refused ones included.
    pub page_requests: u64,
    /// Requests for the head of the river.
    pub head_requests: u64,
    /// Responses with status 4xx, including 429.
    pub client_errors: u64,
    /// Responses with status 429.
    pub refused: u64,
    /// Whether every request is refused permanently.
    pub banned: bool,
    /// Access tokens issued.
    pub tokens: u64,
    /// Responses with status 5xx.
    pub failed: u64,
    /// The pages served, in the order of the requests.
    pub pages: Vec<ServedPage>,
}

/// One page that was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedPage {
    /// The id in the request; `0` for the beginning.
    pub change_id: String,
    /// The id of the next page.
    pub next_change_id: String,
    /// The number of stashes on it; zero at the end of the river.
    pub stashes: u32,
    /// The length of the body, uncompressed.
    pub bytes: u64,
    /// The [`digest`] of the body, uncompressed. A page that is read again may have a different one.
    pub digest: u64,
    /// Whether the connection was closed within the body.
    pub cut: bool,
    /// When the request arrived.
    pub at: Timestamp,
}

/// Returns a hash of a body, to compare bodies with.
pub fn digest(body: &[u8]) -> u64 {
    let (words, rest) = body.as_chunks();
    let hash = words.iter().fold(body.len() as u64, |hash, word| mix(hash ^ u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash ^ u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_distinguishes_bodies() {
        assert_eq!(digest(b"0123456789"), digest(b"0123456789"));
        for other in [&b"0123456788"[..], b"012345678", b"1023456789", b""] {
            assert_ne!(digest(b"0123456789"), digest(other));
        }
    }
}
