//! The site's ranking pages.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::REFERER;
use stint_core::clock::Clock;
use stint_http::{Client, HttpError, Limits, RetryPolicy};
use url::Url;

use super::reading::{READING_TIME, read};
use super::{Found, ParsedPage, PlayerSource, SourceError};
use crate::model::Difficulty;
use crate::store::{Claim, Pass, Rule};

/// Mixes healers and damage dealers in one table; every other metric lists only one role.
const METRIC: &str = "playerspeed";

/// The difficulty that the site calls mythic, whose groups are larger.
const MYTHIC: Difficulty = 5;

/// A page of 100 rows has about 100 KB. One that is twenty times as large is no ranking page.
const LARGEST_PAGE: usize = 2 * 1024 * 1024;

const PAGE: RetryPolicy =
    RetryPolicy { limits: Limits { max_body: LARGEST_PAGE, ..RetryPolicy::PAGE.limits }, ..RetryPolicy::PAGE };

/// Players found on the ranking pages of a raid and difficulty.
pub struct RankingPages {
    client: Client,
    site: Url,
    clock: Arc<dyn Clock>,
}

impl RankingPages {
    /// The pages of `site`, through a client that leaves time between two of them.
    pub fn new(client: Client, site: Url, clock: Arc<dyn Clock>) -> RankingPages {
        RankingPages { client, site, clock }
    }

    fn request(&self, rule: &Rule, page: u32) -> Result<http::Request<Bytes>, String> {
        let size = if rule.difficulty == MYTHIC { 20 } else { 10 };
        let path = format!(
            "zone/rankings/table/{}/{METRIC}/-1/{}/{size}/5/Any/Any/0/0/0/0/0/?search=&page={page}",
            rule.raid, rule.difficulty
        );
        let url = self.site.join(&path).map_err(|error| format!("WCL_SITE_URL: {error}"))?;
        // Without it the site refuses the table, which its own pages load.
        let request = http::Request::get(url.as_str()).header(REFERER, self.site.as_str());
        request.body(Bytes::new()).map_err(|error| format!("WCL_SITE_URL: {error}"))
    }
}

#[async_trait]
impl PlayerSource for RankingPages {
    async fn page(&self, claim: &Claim, _pass: &Pass, page: u32) -> Result<Found, SourceError> {
        let failed = |reason: String| SourceError::Failed { page, reason };
        let request = self.request(&claim.rule, page).map_err(failed)?;
        let answer = self.client.send(request, &PAGE).await.map_err(|error| refused(error, page))?;
        if !answer.status.is_success() {
            // A redirect, a 403 or a 404 in place of a table: the site does not want to be read.
            return Err(SourceError::TurnedAway(format!("status {} for page {page}", answer.status)));
        }
        match read(answer.body, &*self.clock).await {
            ParsedPage::Table(table) if table.rows == 0 => Ok(Found::PastTheEnd),
            ParsedPage::Table(table) => Ok(Found::Players(table.players)),
            ParsedPage::NotATable => Err(SourceError::TurnedAway(format!("page {page} is not a ranking table"))),
            ParsedPage::GivenUp => Err(failed(format!("it was not read within {} s", READING_TIME.as_secs()))),
        }
    }
}

fn refused(error: HttpError, page: u32) -> SourceError {
    match error {
        HttpError::Challenged { .. } | HttpError::RateLimited(_) => SourceError::TurnedAway(error.to_string()),
        error => SourceError::Failed { page, reason: error.to_string() },
    }
}
