//! The report of a `poe-stashes` demo.

use serde::Serialize;

use crate::format::number;

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PoeDemoReport {
    pub(super) pages: Pages,
    pub(super) chain: Chain,
    pub(super) limits: Limits,
    pub(super) look_ahead: LookAhead,
    pub(super) bytes: Bytes,
    pub(super) wall_seconds: f64,
}

/// Pages, counted from the blobs and from the stand-in's records.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Pages {
    pub(super) fetched: u64,
    pub(super) stored: u64,
    /// Fetched but not stored.
    pub(super) lost: u64,
}

/// The chain of change ids.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Chain {
    /// The number of pages that do not lead to the next page.
    pub(super) gaps: u64,
    /// How far the chain is behind the river; unknown in a run of a few seconds.
    pub(super) lag_seconds: Option<f64>,
}

/// Requests for pages.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Limits {
    pub(super) requests: u64,
    pub(super) client_errors: u64,
    /// As a share of what the limits permitted in that time.
    pub(super) utilisation: f64,
}

/// Where next change ids were found first.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct LookAhead {
    pub(super) header: u64,
    pub(super) peek: u64,
    pub(super) body: u64,
}

/// Bytes of pages.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Bytes {
    pub(super) raw: u64,
    pub(super) stored: u64,
}

impl PoeDemoReport {
    pub(super) fn to_text(&self) -> String {
        let PoeDemoReport { pages, chain, limits, look_ahead, bytes, wall_seconds } = self;
        let lag = chain.lag_seconds.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds:.0} s"));
        let ratio = bytes.raw as f64 / bytes.stored.max(1) as f64;
        format!(
            "\npages        {} fetched, {} stored, {} lost; {} gaps in the chain, {lag} behind the river\n\
             limits       {} requests, {} client errors, {:.1} % of what is permitted\n\
             look-ahead   {} by header, {} by the first bytes, {} by the whole body\n\
             bytes        {} raw, {} stored ({ratio:.1} to 1)\n\
             time         {wall_seconds:.1} s\n",
            number(pages.fetched),
            number(pages.stored),
            number(pages.lost),
            number(chain.gaps),
            number(limits.requests),
            number(limits.client_errors),
            limits.utilisation * 100.0,
            number(look_ahead.header),
            number(look_ahead.peek),
            number(look_ahead.body),
            number(bytes.raw),
            number(bytes.stored),
        )
    }
}
