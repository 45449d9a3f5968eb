//! A player as read from the database.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::extras::Star;
use super::format::{day, day_number};
use super::name;
use super::options::{DatabaseOptions, Field};
use super::record::Record;
use super::trailer::Trailer;
use crate::model::{AllStars, Difficulty, EncounterId, Player, RaidId, RaidRanks, Server};

/// All data of the database about one player.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// `US`, `EU`, …
    pub region: String,
    /// The server, in its three spellings.
    pub server: Server,
    /// The character's name.
    pub name: String,
    /// The upstream's class id.
    pub class_id: u32,
    /// The day of the last update, in UTC.
    pub updated_at: Date,
    /// Raid → difficulty → ranks.
    pub raids: BTreeMap<RaidId, BTreeMap<Difficulty, FoundRaid>>,
}

/// Ranks in one raid and difficulty.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundRaid {
    /// `dps`, `hps`, …
    pub metric: String,
    /// The best average, rounded down.
    pub best: Option<f64>,
    /// The median average, rounded down.
    pub median: Option<f64>,
    /// Encounters with a kill.
    pub encounters: BTreeMap<EncounterId, FoundEncounter>,
    /// All-star points by spec and partition, rounded down; empty unless the database contains them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all_stars: Vec<AllStars>,
}

/// The rank against one boss.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundEncounter {
    /// The best percentile, rounded down.
    pub best: Option<f64>,
    /// Number of kills.
    pub kills: u32,
    /// The specialisation; empty when unknown.
    pub spec: String,
    /// All-star points, rounded down; `None` unless the database contains them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_stars: Option<AllStars>,
    /// Score of the best run of a dungeon, rounded down; `None` unless the database contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The level of that run's keystone; `None` unless the database contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_level: Option<u32>,
}

impl Found {
    /// The result that a database of everything should return for this player. `None` if a value is out of the format's
    /// range.
    pub fn expected(player: &Player) -> Option<Found> {
        Found::expected_with(player, &DatabaseOptions::default())
    }

    /// The result that a database with these options should return for this player: percentiles are rounded down, dates
    /// are days.
    pub fn expected_with(player: &Player, options: &DatabaseOptions) -> Option<Found> {
        let mut raids: BTreeMap<RaidId, BTreeMap<Difficulty, FoundRaid>> = BTreeMap::new();
        for (raid, difficulties) in &player.raids {
            for (difficulty, ranks) in
                difficulties.iter().filter(|(difficulty, _)| options.includes_unit(*raid, **difficulty))
            {
                raids.entry(*raid).or_default().insert(*difficulty, FoundRaid::expected(ranks, options)?);
            }
        }
        Some(Found {
            region: player.region.clone(),
            server: player.server.clone(),
            name: player.name.clone(),
            class_id: player.class_id,
            updated_at: day(day_number(player.updated_at)?),
            raids,
        })
    }

    pub(super) fn from_record(record: &Record, server: usize, trailer: &Trailer) -> Found {
        let mut raids: BTreeMap<RaidId, BTreeMap<Difficulty, FoundRaid>> = BTreeMap::new();
        let percentile = |steps: Option<u16>| steps.map(|steps| trailer.precision.percentile(steps));
        for section in &record.sections {
            let head = &trailer.dictionaries.heads[section.head];
            let ids = trailer.dictionaries.encounters_of(head.raid);
            let encounters = section.cells.clone().map(|place| {
                let cell = &record.cells[place];
                let spec = trailer.dictionaries.specs.get(usize::from(cell.spec)).cloned().unwrap_or_default();
                let extras = record.extras.get(place).copied().unwrap_or_default();
                let encounter = FoundEncounter {
                    best: percentile(cell.percent),
                    kills: cell.kills,
                    spec,
                    all_stars: extras.star.map(|star| all_stars(&star, trailer)),
                    score: extras.score.map(|score| trailer.precision.points(score)),
                    key_level: extras.key_level,
                };
                (ids[usize::from(cell.encounter)], encounter)
            });
            let ranks = FoundRaid {
                metric: head.metric.clone(),
                best: percentile(section.best),
                median: percentile(section.median),
                encounters: encounters.collect(),
                all_stars: record.stars[section.stars.clone()].iter().map(|star| all_stars(star, trailer)).collect(),
            };
            raids.entry(head.raid).or_default().insert(head.difficulty, ranks);
        }
        Found {
            region: trailer.region.clone(),
            server: trailer.servers[server].clone(),
            name: name::shown(&record.name),
            class_id: record.class_id,
            updated_at: day(record.day),
            raids,
        }
    }
}

impl FoundRaid {
    fn expected(ranks: &RaidRanks, options: &DatabaseOptions) -> Option<FoundRaid> {
        let rounded = |value: Option<f64>| match value {
            None => Some(None),
            Some(value) => options.precision.round(value).map(|steps| Some(options.precision.percentile(steps))),
        };
        let points = |value: f64| options.precision.round_points(value).map(|steps| options.precision.points(steps));
        let stars = |stars: &AllStars| Some(AllStars { points: points(stars.points)?, ..stars.clone() });
        let extras = options.extras();
        let encounters = ranks.encounters.iter().map(|(encounter, rank)| {
            let all_stars = rank.all_stars.as_ref().filter(|_| extras.boss_all_stars);
            let found = FoundEncounter {
                best: rounded(rank.best)?,
                kills: if options.includes_field(Field::Kills) { rank.kills } else { 0 },
                spec: if options.includes_field(Field::Spec) { rank.spec.clone() } else { String::new() },
                all_stars: all_stars.map_or(Some(None), |of_boss| stars(of_boss).map(Some))?,
                score: rank.score.filter(|_| extras.score).map_or(Some(None), |score| points(score).map(Some))?,
                key_level: rank.key_level.filter(|_| extras.score),
            };
            Some((*encounter, found))
        });
        let all_stars = if extras.all_stars { ranks.all_stars.iter().map(stars).collect() } else { Some(Vec::new()) };
        Some(FoundRaid {
            metric: ranks.metric.clone(),
            best: rounded(ranks.best)?,
            median: rounded(ranks.median.filter(|_| options.includes_field(Field::Median)))?,
            encounters: encounters.collect::<Option<_>>()?,
            all_stars: all_stars?,
        })
    }
}

fn all_stars(star: &Star, trailer: &Trailer) -> AllStars {
    let spec = |number: u16| trailer.dictionaries.specs.get(usize::from(number)).cloned();
    AllStars {
        spec: star.spec.and_then(spec),
        partition: star.partition,
        points: trailer.precision.points(star.points),
        rank: star.rank,
        region_rank: star.region_rank,
        server_rank: star.server_rank,
    }
}
