//! What a stand-in has counted and served, for tests to hold against what a client has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::draw::mix;

/// Everything counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// All requests, to whatever address, but for the books themselves.
    pub requests: u64,
    /// Requests for a page, refused ones included.
    pub page_requests: u64,
    /// Requests for the head of the river.
    pub head_requests: u64,
    /// Answers of 4xx, of 429 too.
    pub client_errors: u64,
    /// Answers of 429.
    pub refused: u64,
    /// Whether everything is refused for good.
    pub banned: bool,
    /// Access tokens given out.
    pub tokens: u64,
    /// Answers of 5xx.
    pub failed: u64,
    /// The pages served, in the order of the requests.
    pub pages: Vec<ServedPage>,
}

/// One page that was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedPage {
    /// The id in the request; `0` for the beginning.
    pub change_id: String,
    /// The id behind it.
    pub next_change_id: String,
    /// How many stashes were on it; none at the end of the river.
    pub stashes: u32,
    /// The length of the body, uncompressed.
    pub bytes: u64,
    /// The [`digest`] of the body, uncompressed. A page that is read again may have another.
    pub digest: u64,
    /// Whether the connection was ended within the body.
    pub cut: bool,
    /// When the request came.
    pub at: Timestamp,
}

/// A number by which to know a body again.
pub fn digest(body: &[u8]) -> u64 {
    let (words, rest) = body.as_chunks();
    let hash = words.iter().fold(body.len() as u64, |hash, word| mix(hash ^ u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash ^ u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_bodies_apart() {
        assert_eq!(digest(b"0123456789"), digest(b"0123456789"));
        for other in [&b"0123456788"[..], b"012345678", b"1023456789", b""] {
            assert_ne!(digest(b"0123456789"), digest(other));
        }
    }
}
