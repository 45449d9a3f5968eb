//! A player as the database gives it back.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::decode::Record;
use super::format::{MAX_KILLS, day, percentile, tenths_plus_one};
use super::trailer::Trailer;
use crate::model::{Difficulty, EncounterId, Player, RaidId, RaidRanks, Server};

/// Everything the database has about one player.
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
pub struct FoundRaid {
    /// `dps`, `hps`, …
    pub metric: String,
    /// The best average, in steps of 0.1.
    pub best: Option<f64>,
    /// The median average, in steps of 0.1.
    pub median: Option<f64>,
    /// Encounters with a kill.
    pub encounters: BTreeMap<EncounterId, FoundEncounter>,
}

/// The rank against one boss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundEncounter {
    /// The best percentile, in steps of 0.1.
    pub best: Option<f64>,
    /// How often; [`MAX_KILLS`] stands for that many or more.
    pub kills: u32,
    /// The specialisation; empty when unknown.
    pub spec: String,
}

impl Found {
    /// What the database is to give back for this player: its percentiles rounded down to 0.1, its date to the day,
    /// its kills capped. `None` when a value is out of the format's range.
    pub fn expected(player: &Player) -> Option<Found> {
        let mut raids = BTreeMap::new();
        for (raid, difficulties) in &player.raids {
            let ranks = difficulties.iter().map(|(difficulty, ranks)| Some((*difficulty, FoundRaid::expected(ranks)?)));
            let ranks: BTreeMap<_, _> = ranks.collect::<Option<_>>()?;
            // A raid without a difficulty says nothing, and the file has no place for it.
            if !ranks.is_empty() {
                raids.insert(*raid, ranks);
            }
        }
        Some(Found {
            region: player.region.clone(),
            server: player.server.clone(),
            name: player.name.clone(),
            class_id: player.class_id,
            updated_at: day(super::format::day_number(player.updated_at)?),
            raids,
        })
    }

    pub(super) fn from_record(record: &Record, name: &[u8], server: &Server, trailer: &Trailer) -> Found {
        let mut raids: BTreeMap<RaidId, BTreeMap<Difficulty, FoundRaid>> = BTreeMap::new();
        for section in &record.sections {
            let head = &trailer.heads[section.head];
            let encounters = record.cells(section).iter().map(|cell| {
                let spec = trailer.specs[cell.spec].clone();
                (cell.encounter, FoundEncounter { best: percentile(cell.tenths), kills: cell.kills, spec })
            });
            let ranks = FoundRaid {
                metric: head.metric.clone(),
                best: percentile(section.best),
                median: percentile(section.median),
                encounters: encounters.collect(),
            };
            raids.entry(head.raid).or_default().insert(head.difficulty, ranks);
        }
        Found {
            region: trailer.region.clone(),
            server: server.clone(),
            name: String::from_utf8_lossy(name).into_owned(),
            class_id: record.class_id,
            updated_at: day(record.day),
            raids,
        }
    }
}

impl FoundRaid {
    fn expected(ranks: &RaidRanks) -> Option<FoundRaid> {
        let rounded = |value| tenths_plus_one(value).map(percentile);
        let encounters = ranks.encounters.iter().map(|(encounter, rank)| {
            let best = rounded(rank.best)?;
            Some((*encounter, FoundEncounter { best, kills: rank.kills.min(MAX_KILLS), spec: rank.spec.clone() }))
        });
        Some(FoundRaid {
            metric: ranks.metric.clone(),
            best: rounded(ranks.best)?,
            median: rounded(ranks.median)?,
            encounters: encounters.collect::<Option<_>>()?,
        })
    }
}
