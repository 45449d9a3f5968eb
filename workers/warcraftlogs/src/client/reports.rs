//! The API's reports: which ones were uploaded, and which characters are ranked in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use stint_core::circuit::{Health, Intent, Pass};
use stint_core::ledger::{CallEnd, KeyId};

use super::document::{GuildKey, is_report_code, list_reports, report_alias};
use super::points::PointsCounter;
use super::{Api, CallError, reports_document};
use crate::model::{Difficulty, PlayerId, RaidId};
use crate::player_ref::check_id;

/// A page of the list of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportList {
    /// The reports' codes.
    pub codes: Vec<String>,
    /// Whether there is another page.
    pub more: bool,
}

/// The characters ranked in a report, and the raid and difficulties they are ranked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPlayers {
    /// The raid.
    pub raid: RaidId,
    /// The difficulties of its kills.
    pub difficulties: BTreeSet<Difficulty>,
    /// The characters.
    pub players: Vec<RankedPlayer>,
}

/// A character that is ranked in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedPlayer {
    /// The character.
    pub id: PlayerId,
    /// The region and the slug of its server, if requested.
    pub place: Option<(String, String)>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "rateLimitData")]
    points: Option<PointsCounter>,
    #[serde(borrow, rename = "reportData")]
    reports: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

/// A page of the list of reports.
#[derive(Deserialize)]
struct Listed {
    has_more_pages: bool,
    data: Option<Vec<Option<ListedReport>>>,
}

#[derive(Deserialize)]
struct ListedReport {
    code: String,
}

/// A report, with or without the characters' servers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiReport {
    zone: Option<ReportZone>,
    fights: Option<Vec<Option<Fight>>>,
    ranked_characters: Option<Vec<Option<ReportedCharacter>>>,
}

#[derive(Deserialize)]
struct ReportZone {
    id: i64,
}

#[derive(Deserialize)]
struct Fight {
    difficulty: Option<i64>,
}

#[derive(Deserialize)]
struct ReportedCharacter {
    #[serde(rename = "canonicalID")]
    canonical_id: i64,
    server: Option<RankedServer>,
}

#[derive(Deserialize)]
struct RankedServer {
    slug: String,
    region: RankedRegion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RankedRegion {
    compact_name: String,
}

impl Api {
    /// Fetches a page of the reports of `raid` that were uploaded between two instants, in milliseconds; by a guild if
    /// one is given.
    pub async fn list_reports(
        &self,
        key: &KeyId,
        raid: RaidId,
        span: (i64, i64),
        guild: Option<&GuildKey>,
        limit: usize,
        page: u32,
    ) -> (CallEnd, Result<ReportList, CallError>) {
        self.read_reports(key, list_reports(raid, span, guild, limit, page), |reports| {
            let raw = reports.get("reports").ok_or("the response has no reports")?;
            let list: Option<Listed> = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
            let list = list.ok_or("the response has no reports")?;
            let codes = list.data.unwrap_or_default().into_iter().flatten().map(|report| report.code);
            Ok(ReportList { codes: codes.filter(|code| is_report_code(code)).collect(), more: list.has_more_pages })
        })
        .await
    }

    /// Fetches the characters ranked in several reports, with their servers if requested. A deleted or private report
    /// is skipped.
    pub async fn report_players(
        &self,
        key: &KeyId,
        codes: &[String],
        with_servers: bool,
    ) -> (CallEnd, Result<Vec<ReportPlayers>, CallError>) {
        self.read_reports(key, reports_document(codes, with_servers), |reports| {
            let found = (0..codes.len()).filter_map(|index| reports.get(report_alias(index).as_str()));
            found.filter_map(|raw| report_players(raw.get()).transpose()).collect()
        })
        .await
    }

    async fn read_reports<T>(
        &self,
        key: &KeyId,
        query: String,
        read: impl FnOnce(&BTreeMap<Cow<'_, str>, &RawValue>) -> Result<T, String>,
    ) -> (CallEnd, Result<T, CallError>) {
        self.guarded(Intent::Work, key, |pass| self.ask_for_reports(pass, key, query, read), |_| Health::Served).await
    }

    async fn ask_for_reports<T>(
        &self,
        pass: Pass,
        key: &KeyId,
        query: String,
        read: impl FnOnce(&BTreeMap<Cow<'_, str>, &RawValue>) -> Result<T, String>,
    ) -> (CallEnd, Result<T, CallError>) {
        let body = match self.post(pass, key, query).await {
            Ok(body) => body,
            Err(error) => return (error.call_end(), Err(error)),
        };
        let data = match serde_json::from_slice::<Body<'_>>(&body) {
            Ok(Body { data: Some(data) }) => data,
            Ok(Body { data: None }) => return (CallEnd::Lost, Err(unreadable("it has no data".into()))),
            Err(error) => return (CallEnd::Lost, Err(unreadable(error.to_string()))),
        };
        let end = self.call_end(data.points.as_ref());
        (end, read(&data.reports.unwrap_or_default()).map_err(unreadable))
    }
}

fn unreadable(reason: String) -> CallError {
    CallError::Unreadable(format!("cannot decode the response: {reason}"))
}

fn report_players(raw: &str) -> Result<Option<ReportPlayers>, String> {
    let report: Option<ApiReport> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    let Some(report) = report else { return Ok(None) };
    let Some(raid) = report.zone.and_then(|zone| u32::try_from(zone.id).ok()) else { return Ok(None) };
    let fights = report.fights.unwrap_or_default().into_iter().flatten();
    let difficulties = fights.filter_map(|fight| u32::try_from(fight.difficulty?).ok()).collect();
    let characters = report.ranked_characters.unwrap_or_default().into_iter().flatten();
    let player = |character: ReportedCharacter| {
        let place = character.server.map(|server| (server.region.compact_name, server.slug));
        let id = character.canonical_id;
        let checked = u64::try_from(id).map_err(|_| format!("{id} is not a player's id"));
        match checked.and_then(|id| check_id(id).map(|()| id)) {
            Ok(id) => Some(RankedPlayer { id, place }),
            Err(reason) => {
                tracing::warn!(%reason, "a report has an invalid player: {reason}");
                None
            }
        }
    };
    let players = characters.filter_map(player).collect();
    Ok(Some(ReportPlayers { raid, difficulties, players }))
}
