//! Where players are found: two sources behind one interface.

mod alarmed;
mod guarded;
mod pages;
mod parse;
mod plausibility;
mod reading;
mod reports;
mod rows;
mod sample;
mod servers;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

use crate::config::Settings;
use crate::model::PlayerId;
use crate::store::{Claim, Pass};

pub use alarmed::AlarmedSource;
pub use guarded::{BreakerGuardedPages, SITE};
pub use pages::RankingPages;
pub use parse::{ParsedPage, parse};
pub(crate) use plausibility::{Implausibility, of_page, of_pass};
pub use reports::Reports;
pub use rows::RankingPage;
pub use servers::{ApiServerIds, ServerIdError, ServerIds, WithoutServerIds};

/// The path of a site's ranking pages.
const RANKINGS: &str = "zone/rankings/";

/// Where players are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DiscoverySource {
    /// The site's ranking pages.
    Pages,
    /// The API's reports: the characters ranked in them.
    Reports,
}

/// Finds players, page by page.
#[async_trait]
pub trait PlayerSource: Send + Sync {
    /// Reads the players on one page of the claimed rule. The same page may be read again, and may then have changed.
    async fn page(&self, claim: &Claim, pass: &Pass, page: u32) -> Result<PageResult, SourceError>;

    /// The name of the upstream for people. While it is paused, no discovery calls it.
    fn upstream(&self) -> String;

    /// The time whose new entries the pass lists. `None`: each pass lists every player, and costs nothing.
    fn span(&self, claim: &Claim, pass: &Pass) -> Option<Duration>;
}

/// Contents of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageResult {
    /// Rows, or reports.
    Rows(PageRows),
    /// There is no such page: the previous page was the last.
    PastTheEnd {
        /// Outline of what the upstream shows instead.
        sample: Option<String>,
    },
    /// Rows that do not name players as they should.
    Unreadable {
        /// The players that could be identified nevertheless.
        players: Vec<PlayerId>,
        /// The error in the page.
        reason: String,
        /// Outline of the page.
        sample: Option<String>,
    },
    /// Part of a page that costs points: what was paid for before the rest of it failed.
    Part {
        /// The players so far.
        players: Vec<PlayerId>,
        /// Why the rest was not read.
        error: SourceError,
    },
}

/// The contents of a page's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRows {
    /// The players; a page may name none and still not be the last.
    pub players: Vec<PlayerId>,
    /// Whether the page says that another page follows.
    pub more: bool,
}

impl PageResult {
    /// The players of a page that does not say whether another page follows.
    pub fn players(players: Vec<PlayerId>) -> PageResult {
        PageResult::Rows(PageRows { players, more: false })
    }

    /// Every player that the page names, whatever else is wrong with it.
    pub fn named(&self) -> &[PlayerId] {
        match self {
            PageResult::Rows(PageRows { players, .. })
            | PageResult::Unreadable { players, .. }
            | PageResult::Part { players, .. } => players,
            PageResult::PastTheEnd { .. } => &[],
        }
    }
}

/// Why a page was not read. Each reason stops this discovery; none loses progress.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The upstream refused the request. A refusal is never circumvented: discovery stops calling the upstream.
    #[error("the site refused the request: {0}")]
    Refused(String),
    /// The keys have no points for it before then.
    #[error("no points for the reports before {until}")]
    NoPoints {
        /// The earliest reset.
        until: Timestamp,
    },
    /// The rule asks for something that this source does not have. It is paused, since only a person can fix it.
    #[error("the source does not support the rule: {0}")]
    UnsupportedRule(String),
    /// Not requested: the breaker says that the upstream is down. The rule is paused until the next probe.
    #[error("{upstream} has been down since {since}; next probe at {until}: {reason}")]
    Down {
        /// The breaker's name for the upstream.
        upstream: String,
        /// Since when it has been down.
        since: Timestamp,
        /// When the next request may be made.
        until: Timestamp,
        /// How the last call failed.
        reason: String,
    },
    /// Anything else: the next discovery tries again.
    #[error("cannot read page {page}: {reason}")]
    Failed {
        /// The page.
        page: u32,
        /// The reason in words.
        reason: String,
    },
}

/// The upstream of the source chosen in `settings`, as [`PlayerSource::upstream`] names it.
pub fn upstream(settings: &Settings) -> String {
    match settings.discovery_source {
        DiscoverySource::Pages => upstream_of_pages(&settings.wcl_site_url),
        DiscoverySource::Reports => named(&settings.wcl_api_url),
    }
}

fn upstream_of_pages(site: &Url) -> String {
    site.join(RANKINGS).map_or_else(|_| named(site), |url| named(&url))
}

/// Host and path: the API and the pages of one host are two upstreams, and one may refuse while the other serves.
fn named(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_named_without_user_and_query() {
        let named = |url: &str| named(&url.parse().unwrap());
        assert_eq!(named("https://me:secret@www.example.com/api/v2/client?key=1"), "www.example.com/api/v2/client");
        assert_eq!(upstream_of_pages(&"http://127.0.0.1:8080/".parse().unwrap()), "127.0.0.1:8080/zone/rankings");
    }
}
