//! Where players are found: two sources behind one interface.

mod pages;
mod parse;
mod reading;
mod reports;
mod rows;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::PlayerId;
use crate::store::{Claim, Pass};

pub use pages::RankingPages;
pub use parse::{ParsedPage, parse};
pub use reports::Reports;
pub use rows::RankingPage;

/// Finds players, page by page.
#[async_trait]
pub trait PlayerSource: Send + Sync {
    /// The players on one page of the rule that was claimed. A page may be asked for again; it may then have changed.
    async fn page(&self, claim: &Claim, pass: &Pass, page: u32) -> Result<Found, SourceError>;
}

/// What a page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Players; a page may have none of its own and still not be the last.
    Players(Vec<PlayerId>),
    /// There is no such page: the one before was the last.
    PastTheEnd,
}

/// Why a page was not read. Each stops this discovery; none loses progress.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The site turned us away. Never evaded: the rule rests.
    #[error("the site turned discovery away: {0}")]
    TurnedAway(String),
    /// The keys have no points for it before then.
    #[error("no points for the reports before {until}")]
    NoPoints {
        /// The earliest reset.
        until: Timestamp,
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
