//! What a host knows of a request before its body is read.

use std::sync::atomic::{AtomicU64, Ordering};

use stint_core::http::{Fields, PathSegments};

/// The most characters in the request id of a caller.
const MAX_ID: usize = 64;

/// A request without its body.
pub struct Head {
    /// The method, as it was sent.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// Whether the path is decoded already. API Gateway decodes it, function URLs do not.
    pub path_is_decoded: bool,
    /// The query, as it was sent, without the question mark.
    pub query: String,
    /// The headers, with names in lower case.
    pub headers: Fields,
    /// The address of the caller.
    pub address: String,
    /// The id that the host has given the request, used if the caller has given none.
    pub id: Option<String>,
}

/// Why the body of a request could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than the route permits.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// It is malformed, or the connection was closed.
    Broken,
}

impl Head {
    /// Returns the decoded segments of the path, or `None` if it is malformed.
    pub(super) fn segments(&self) -> Option<PathSegments<'_>> {
        if self.path_is_decoded { PathSegments::of_decoded(&self.path) } else { PathSegments::of_encoded(&self.path) }
    }

    /// Returns whether this is a HEAD request.
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Returns whether the caller accepts gzip.
    pub(super) fn accepts_gzip(&self) -> bool {
        let codings = self.headers.all("accept-encoding").flat_map(|value| value.split(','));
        let mut gzip = codings.filter_map(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let quality = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |quality| quality.parse().ok());
            (name.trim() == "gzip").then_some(quality.unwrap_or(0.0_f32))
        });
        gzip.any(|quality| quality > 0.0)
    }
}

/// Creates request ids.
pub(super) struct RequestIds {
    process: u64,
    made: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> RequestIds {
        // Without random bytes, the ids of two processes may coincide, which only makes a log harder to search.
        RequestIds { process: getrandom::u64().unwrap_or_default(), made: AtomicU64::new(0) }
    }

    /// Returns the id that the caller has given the request if it is well-formed, and otherwise that of the host or a new one.
    pub(super) fn id_of(&self, head: &Head) -> String {
        let given = head.headers.get("x-request-id").filter(|id| is_well_formed(id)).map(str::to_owned);
        given.or_else(|| head.id.clone().filter(|id| is_well_formed(id))).unwrap_or_else(|| {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            format!("{:016x}{:08x}", self.process, number)
        })
    }
}

fn is_well_formed(id: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._=".contains(char);
    (1..=MAX_ID).contains(&id.len()) && id.chars().all(is_plain)
}
