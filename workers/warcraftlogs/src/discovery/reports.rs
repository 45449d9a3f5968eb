//! The API's reports: the characters ranked in recently uploaded reports. Costs points of the key pool.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use stint_core::clock::before;
use stint_core::points::Points;
use stint_http::HttpError;

use super::{PageResult, PlayerSource, SourceError, named};
use crate::budget::Budget;
use crate::client::{CallError, GuildKey, RankedPlayer, ReportPlayers};
use crate::config::Settings;
use crate::model::PlayerId;
use crate::paid::{QueryError, paid};
use crate::store::{Claim, Pass, Rule};

/// Reports per page: as many as one document reads (the number of the original, Marsgames/RaidLogs).
const REPORTS_PER_PAGE: usize = 20;

/// Upper bound on the cost of listing a page of reports; about 1 was seen.
const LIST_BOUND: Points = Points::whole(5);

/// Upper bound on the cost of one report with its ranked characters; 1 was seen, and the original held 5.
const REPORT_BOUND: Points = Points::whole(5);

/// Reports are listed by the time at which their raid began, but only exist once they are uploaded. So a pass looks
/// back before the start of the previous pass, by the time that an evening's raid and its upload take.
const UPLOAD: Duration = Duration::from_secs(6 * 3600);

/// Points that come back within this time are waited for: at a reset, or while another caller reads the counter or
/// settles a call. The schedule would only come half an hour later.
const PATIENCE: Duration = Duration::from_secs(10);

/// Players found in the reports of a raid and difficulty.
pub struct Reports {
    budget: Budget,
    /// How far back a rule that has never run looks.
    first_look: Duration,
    /// The API's name among the upstreams.
    upstream: String,
}

impl Reports {
    /// Reads reports with points of `budget`.
    pub fn new(budget: Budget, settings: &Settings) -> Reports {
        Reports { budget, first_look: settings.first_look(), upstream: named(&settings.wcl_api_url) }
    }

    /// The time to list, in milliseconds: everything after the start (not the end) of the previous pass. An imported
    /// rule only has the time of that pass's end.
    fn span_in_millis(&self, claim: &Claim, pass: &Pass) -> (i64, i64) {
        let listed_until = claim.listed_until.or(claim.rule.last_run);
        let first_look = || before(pass.started_at, self.first_look);
        let since = listed_until.map_or_else(first_look, |until| before(until, UPLOAD));
        (since.as_millisecond(), pass.started_at.as_millisecond())
    }

    /// The players of as many of the reports as a key can pay for, and the number of those reports.
    async fn players(
        &self,
        rule: &Rule,
        codes: &[String],
        page: u32,
    ) -> Result<(impl Iterator<Item = PlayerId>, usize), SourceError> {
        let (api, failed) = (self.budget.paid_api(), |error| failed(error, page));
        let grant = api.hold(vec![REPORT_BOUND; codes.len()], PATIENCE).await.map_err(failed)?;
        let paid = paid(&grant);
        let question = api.api.report_players(&grant.hold.key, &codes[..paid], is_narrowed(rule));
        let reports = api.ask("report-players", &grant, question).await.map_err(failed)?;
        let wanted =
            |report: &ReportPlayers| report.raid == rule.raid && report.difficulties.contains(&rule.difficulty);
        let players = reports.into_iter().filter(wanted).flat_map(|report| report.players);
        let players = players.filter(|player| lives_there(rule, player)).map(|player| player.id);
        Ok((players.collect::<Vec<PlayerId>>().into_iter(), paid))
    }
}

#[async_trait]
impl PlayerSource for Reports {
    async fn page(&self, claim: &Claim, pass: &Pass, page: u32) -> Result<PageResult, SourceError> {
        let (rule, span) = (&claim.rule, self.span_in_millis(claim, pass));
        let (api, failed) = (self.budget.paid_api(), |error| failed(error, page));
        let grant = api.hold(vec![LIST_BOUND], PATIENCE).await.map_err(failed)?;
        let (key, guild) = (&grant.hold.key, guild(rule));
        let question = api.api.list_reports(key, rule.raid, span, guild.as_ref(), REPORTS_PER_PAGE, page);
        let list = api.ask("reports", &grant, question).await.map_err(failed)?;
        if list.codes.is_empty() {
            return Ok(if list.more {
                PageResult::players(Vec::new())
            } else {
                PageResult::PastTheEnd { sample: None }
            });
        }
        let mut players = BTreeSet::new();
        let mut codes = list.codes.as_slice();
        while !codes.is_empty() {
            match self.players(rule, codes, page).await {
                Ok((found, read)) => {
                    players.extend(found);
                    codes = &codes[read..];
                }
                Err(error) => return Ok(PageResult::Part { players: players.into_iter().collect(), error }),
            }
        }
        Ok(PageResult::players(players.into_iter().collect()))
    }

    fn upstream(&self) -> String {
        self.upstream.clone()
    }

    fn span(&self, claim: &Claim, pass: &Pass) -> Option<Duration> {
        let (since, until) = self.span_in_millis(claim, pass);
        Some(Duration::from_millis(until.saturating_sub(since).try_into().unwrap_or_default()))
    }
}

/// The guild whose reports are read.
fn guild(rule: &Rule) -> Option<GuildKey> {
    let (name, server, region) = (rule.guild.clone()?, rule.server.clone()?, rule.region.clone()?);
    Some(GuildKey { name, server: server.to_lowercase(), region: region.to_uppercase() })
}

/// Whether only players of a region or a server are wanted. A guild's members from elsewhere are wanted too.
fn is_narrowed(rule: &Rule) -> bool {
    rule.region.is_some() && rule.guild.is_none()
}

fn lives_there(rule: &Rule, player: &RankedPlayer) -> bool {
    if !is_narrowed(rule) {
        return true;
    }
    let is =
        |wanted: &Option<String>, place: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(place));
    player.place.as_ref().is_some_and(|(region, server)| is(&rule.region, region) && is(&rule.server, server))
}

fn failed(error: QueryError, page: u32) -> SourceError {
    match error {
        QueryError::NoPoints { until: Some(until), .. } => SourceError::NoPoints { until },
        QueryError::Call(CallError::Down { upstream, since, until, reason }) => {
            SourceError::Down { upstream, since, until, reason }
        }
        QueryError::Call(error @ CallError::Http(HttpError::Challenged { .. })) => {
            SourceError::Refused(error.to_string())
        }
        error => SourceError::Failed { page, reason: error.to_string() },
    }
}
