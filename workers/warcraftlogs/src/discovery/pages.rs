//! The site's ranking pages.

use std::sync::Arc;

use bytes::Bytes;
use http::header::REFERER;
use stint_core::circuit;
use stint_core::clock::Clock;
use stint_http::{Client, HttpError, RequestLimits, RetryPolicy};
use url::Url;

use super::reading::{READING_TIME, read};
use super::sample::outline;
use super::{
    PageResult, PageRows, ParsedPage, RANKINGS, RankingPage, ServerIdError, ServerIds, SourceError, upstream_of_pages,
};
use crate::model::Difficulty;
use crate::store::{Claim, Rule};

/// This metric lists healers and damage dealers in one table; every other metric lists only one role. A rule may name
/// another metric all the same.
const METRIC: &str = "playerspeed";

/// The partition that the original deployment requests for every raid.
const PARTITION: i32 = 5;

/// The ids of regions, which the site's URLs have in place of names.
const REGION_IDS: [(&str, u32); 5] = [("US", 1), ("EU", 2), ("KR", 3), ("TW", 4), ("CN", 5)];

/// Stands for all regions or all servers in a URL, in place of an id.
const ANY: u32 = 0;

/// The difficulty that the site calls mythic, whose groups are larger.
const MYTHIC: Difficulty = 5;

/// A page of 100 rows has about 100 KB. A response twenty times as large is not a ranking page.
const LARGEST_PAGE: usize = 2 * 1024 * 1024;

/// At most this many rows can plausibly all belong to hidden characters: two players in a hundred are hidden.
const FEW_ROWS: u32 = 5;

const PAGE: RetryPolicy =
    RetryPolicy { limits: RequestLimits { max_body: LARGEST_PAGE, ..RetryPolicy::PAGE.limits }, ..RetryPolicy::PAGE };

/// Players found on the ranking pages of a raid and difficulty.
pub struct RankingPages {
    client: Client,
    site: Url,
    clock: Arc<dyn Clock>,
    servers: Arc<dyn ServerIds>,
}

impl RankingPages {
    /// The pages of `site`, through a client that paces its requests.
    pub fn new(client: Client, site: Url, clock: Arc<dyn Clock>, servers: Arc<dyn ServerIds>) -> RankingPages {
        RankingPages { client, site, clock, servers }
    }

    /// Reads a page, with the pass that the caller got from the site's breaker.
    pub(super) async fn page(&self, right: circuit::Pass, claim: &Claim, page: u32) -> Result<PageResult, SourceError> {
        let failed = |reason: String| SourceError::Failed { page, reason };
        let server = self.server(&claim.rule, page).await?;
        let mut request = self.request(&claim.rule, server, page).map_err(failed)?;
        request.extensions_mut().insert(right);
        let answer = self.client.send(request, &PAGE).await.map_err(|error| refused(error, page))?;
        if !answer.status.is_success() {
            // A redirect, a 403 or a 404 in place of a table: the site refuses to be read.
            return Err(SourceError::Refused(format!("status {} for page {page}", answer.status)));
        }
        match read(answer.body.clone(), &*self.clock).await {
            ParsedPage::Table(table) => Ok(found(table, &answer.body)),
            ParsedPage::NotATable => Err(SourceError::Refused(format!("page {page} is not a ranking table"))),
            ParsedPage::TimedOut => Err(failed(format!("it was not read within {} s", READING_TIME.as_secs()))),
        }
    }

    pub(super) fn upstream(&self) -> String {
        upstream_of_pages(&self.site)
    }

    /// The id, as in URLs, of the server that the rule names.
    async fn server(&self, rule: &Rule, page: u32) -> Result<u32, SourceError> {
        if rule.guild.is_some() {
            let reason = "guild: the site has no ranking of one guild's players; set DISCOVERY_SOURCE=reports, or replace \
                          the rule by one without a guild";
            return Err(SourceError::UnsupportedRule(reason.to_owned()));
        }
        let (Some(server), Some(region)) = (&rule.server, &rule.region) else { return Ok(ANY) };
        self.servers.id(region, server).await.map_err(|error| match error {
            ServerIdError::Permanent(reason) => SourceError::UnsupportedRule(reason),
            ServerIdError::Transient(reason) => SourceError::Failed { page, reason },
        })
    }

    fn request(&self, rule: &Rule, server: u32, page: u32) -> Result<http::Request<Bytes>, String> {
        let path = path(rule, server, page);
        let url = self.site.join(&path).map_err(|error| format!("WCL_SITE_URL: {error}"))?;
        // Without this header the site refuses the table, which its own pages load.
        let request = http::Request::get(url.as_str()).header(REFERER, self.site.as_str());
        request.body(Bytes::new()).map_err(|error| format!("WCL_SITE_URL: {error}"))
    }
}

/// The path of a table: raid, metric, boss, difficulty, size, partition, class, spec, bracket, server, region,
/// subregion, leaderboards.
fn path(rule: &Rule, server: u32, page: u32) -> String {
    let Rule { raid, difficulty, .. } = rule;
    let usual_size = if *difficulty == MYTHIC { 20 } else { 10 };
    let size = rule.size.unwrap_or(usual_size);
    let metric = rule.metric.as_deref().filter(|metric| *metric != "default").unwrap_or(METRIC);
    let partition = rule.partition.unwrap_or(PARTITION);
    let region = rule.region.as_ref().map(|region| region.to_uppercase());
    let region = REGION_IDS.iter().find(|(name, _)| Some(*name) == region.as_deref()).map_or(ANY, |(_, id)| *id);
    format!(
        "{RANKINGS}table/{raid}/{metric}/-1/{difficulty}/{size}/{partition}/Any/Any/0/{server}/{region}/0/0/\
         ?search=&page={page}"
    )
}

/// The contents of a page with a table. Rows without a name belong to hidden characters, which are few.
fn found(table: RankingPage, html: &[u8]) -> PageResult {
    let RankingPage { players, rows, by_name, more } = table;
    if rows == 0 {
        return PageResult::PastTheEnd { sample: Some(outline(html)) };
    }
    let named = players.len() as u32;
    let is_hidden_alone = by_name == 0 && rows <= FEW_ROWS;
    if named * 2 >= rows || is_hidden_alone {
        return PageResult::Rows(PageRows { players, more });
    }
    let reason =
        format!("has {rows} rows, of which {named} name a character by its id and {by_name} by its name alone");
    PageResult::Unreadable { players, reason, sample: Some(outline(html)) }
}

fn refused(error: HttpError, page: u32) -> SourceError {
    match error {
        HttpError::Challenged { .. } | HttpError::RateLimited(_) => SourceError::Refused(error.to_string()),
        error => SourceError::Failed { page, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_name_too_few_are_no_page_of_players() {
        let table =
            |players: u64, rows, by_name| RankingPage { players: (1..=players).collect(), rows, by_name, more: true };
        let is_read = |players, rows, by_name| matches!(found(table(players, rows, by_name), b""), PageResult::Rows(_));
        assert!(is_read(98, 100, 0) && is_read(50, 100, 50) && is_read(0, 5, 0));
        assert!(!is_read(49, 100, 0) && !is_read(0, 100, 100) && !is_read(0, 6, 0) && !is_read(0, 1, 1));
        assert_eq!(found(table(0, 0, 0), b"<p>x"), PageResult::PastTheEnd { sample: Some("<p>x".into()) });
    }

    fn rule(difficulty: Difficulty) -> Rule {
        Rule { raid: 26, difficulty, start_page: 1, end_page: 9, ..Rule::default() }
    }

    #[test]
    fn a_rule_without_options_is_read_at_the_originals_addresses() {
        for (difficulty, size) in [(3, 10), (4, 10), (5, 20)] {
            let expected = format!(
                "zone/rankings/table/26/playerspeed/-1/{difficulty}/{size}/5/Any/Any/0/0/0/0/0/?search=&page=7"
            );
            assert_eq!(path(&rule(difficulty), ANY, 7), expected);
        }
    }

    #[test]
    fn each_option_has_its_place_in_the_address() {
        let metric = Some("hps".to_owned());
        let region = Some("eu".to_owned());
        let rule = Rule { partition: Some(2), size: Some(25), metric, region, ..rule(4) };
        let expected = "zone/rankings/table/26/hps/-1/4/25/2/Any/Any/0/304/2/0/0/?search=&page=1";
        assert_eq!(path(&rule, 304, 1), expected);
    }
}
