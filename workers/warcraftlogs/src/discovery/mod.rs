//! Where players are found: two sources behind one interface.

mod doubts;
mod guarded;
mod pages;
mod parse;
mod reading;
mod reports;
mod rows;
mod sample;
mod servers;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

use crate::config::{DiscoverySource, Settings};
use crate::model::PlayerId;
use crate::store::{Claim, Pass};

pub(crate) use doubts::{Oddity, of_page, of_pass};
pub use guarded::{Guarded, SITE};
pub use pages::RankingPages;
pub use parse::{ParsedPage, parse};
pub use reports::Reports;
pub use rows::RankingPage;
pub use servers::{AskedServerIds, NoServerId, NoServerIds, ServerIds};

/// Where a site's ranking pages are.
const RANKINGS: &str = "zone/rankings/";

/// Finds players, page by page.
#[async_trait]
pub trait PlayerSource: Send + Sync {
    /// The players on one page of the rule that was claimed. A page may be asked for again; it may then have changed.
    async fn page(&self, claim: &Claim, pass: &Pass, page: u32) -> Result<Found, SourceError>;

    /// The upstream that is asked, by the name that people read. While it rests, no discovery asks it.
    fn upstream(&self) -> String;

    /// How long a time the pass lists what is new of. `None`: each pass lists everybody, and costs nothing.
    fn span(&self, claim: &Claim, pass: &Pass) -> Option<Duration>;
}

/// What a page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Rows, or reports.
    Rows(Listing),
    /// There is no such page: the one before was the last.
    PastTheEnd {
        /// What is there in its place, in outline.
        sample: Option<String>,
    },
    /// Rows that do not name players as they should.
    Unreadable {
        /// The players that are named all the same.
        players: Vec<PlayerId>,
        /// What is wrong with the page.
        reason: String,
        /// The page in outline.
        sample: Option<String>,
    },
    /// Some of a page that costs points: what was paid for before the rest of it failed.
    Part {
        /// The players so far.
        players: Vec<PlayerId>,
        /// Why the rest was not read.
        error: SourceError,
    },
}

/// What the rows of a page say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The players; a page may name none of its own and still not be the last.
    pub players: Vec<PlayerId>,
    /// Whether the page says that there is another one after it.
    pub more: bool,
}

impl Found {
    /// The players of a page that says nothing of the next one.
    pub fn players(players: Vec<PlayerId>) -> Found {
        Found::Rows(Listing { players, more: false })
    }

    /// Everybody whom the page names, whatever else is wrong with it.
    pub fn named(&self) -> &[PlayerId] {
        match self {
            Found::Rows(Listing { players, .. }) | Found::Unreadable { players, .. } | Found::Part { players, .. } => {
                players
            }
            Found::PastTheEnd { .. } => &[],
        }
    }
}

/// Why a page was not read. Each stops this discovery; none loses progress.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The upstream turned us away. Never evaded: it is left alone.
    #[error("the site turned discovery away: {0}")]
    TurnedAway(String),
    /// The keys have no points for it before then.
    #[error("no points for the reports before {until}")]
    NoPoints {
        /// The earliest reset.
        until: Timestamp,
    },
    /// The rule asks for what this source cannot have. It rests, since only a person can mend it.
    #[error("the rule cannot be read: {0}")]
    WrongRule(String),
    /// Not asked: by the word of its breaker the upstream is down. The rule rests until the next probe.
    #[error("{upstream} is down since {since}, and is asked again at {until}: {reason}")]
    Down {
        /// The breaker's name of it.
        upstream: String,
        /// Since when.
        since: Timestamp,
        /// When it is asked next.
        until: Timestamp,
        /// How the last call failed.
        reason: String,
    },
    /// Anything else: the next discovery tries again.
    #[error("cannot read page {page}: {reason}")]
    Failed {
        /// The page.
        page: u32,
        /// In words.
        reason: String,
    },
}

/// The upstream of the source that `settings` choose, as [`PlayerSource::upstream`] names it.
pub fn upstream(settings: &Settings) -> String {
    match settings.discovery_source {
        DiscoverySource::Pages => upstream_of_pages(&settings.wcl_site_url),
        DiscoverySource::Reports => named(&settings.wcl_api_url),
    }
}

fn upstream_of_pages(site: &Url) -> String {
    site.join(RANKINGS).map_or_else(|_| named(site), |url| named(&url))
}

/// Host and path: the API and the pages of one host are two upstreams, and one may be closed while the other is open.
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
