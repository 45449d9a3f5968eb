//! Reads one player from generated databases.

mod suggest;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use stint_warcraftlogs::lua::{Found, FoundEncounter, FoundRaid, lookup};
use stint_warcraftlogs::model::{Difficulty, EncounterRank, RaidRanks};
use stint_warcraftlogs::names;

use super::ranks::{self, Raids};
use crate::context::Context;
use crate::escape::one_line;
use crate::usage::WrongUsage;
use suggest::suggestion;

/// The player to look up.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint wcl lookup stint-data/databases EU 'Tarren Mill' Ånn\n  stint wcl lookup databases eu \
                        Ånn-TarrenMill --json"
)]
pub(crate) struct Arguments {
    /// The folder with the addons.
    folder: PathBuf,
    /// The region, such as EU.
    region: String,
    /// The server: its name, its slug, or its name as the game writes it (Tarren Mill, tarren-mill, TarrenMill). Or
    /// character and server in one, as the game writes them (Ånn-TarrenMill): then no name follows.
    server: String,
    /// The character's name, exactly as the game writes it.
    name: Option<String>,
}

/// Prints the player's ranks.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<()> {
    let Arguments { folder, region, server, name } = arguments;
    let (name, server) = match name {
        Some(name) => name.split_once('-').unwrap_or((name, server)),
        None => server.split_once('-').ok_or_else(|| {
            WrongUsage::error(format!("name a character of {server} too, or write both as Name-Server"))
        })?,
    };
    match lookup(folder, region, server, name)? {
        Some(found) => context.output.result(&found, to_text),
        None => bail!(
            "there is no {name} of {server} in the database of {}{}",
            region.to_ascii_uppercase(),
            suggestion(folder, region, server, name)?
        ),
    }
}

fn to_text(found: &Found) -> String {
    let Found { region, server, name, class_id, updated_at, raids } = found;
    let (name, server, class) = (one_line(name), one_line(&server.name), names::class(*class_id));
    let of_raid = |difficulties: &BTreeMap<Difficulty, FoundRaid>| {
        difficulties.iter().map(|(difficulty, ranks)| (*difficulty, as_stored(ranks))).collect()
    };
    let raids: Raids = raids.iter().map(|(raid, difficulties)| (*raid, of_raid(difficulties))).collect();
    format!("{name} of {server} ({region}), {class}, updated {updated_at}\n{}", ranks::to_text(&raids))
}

/// Converts ranks into their stored form. Fields that a database does not have stay empty.
fn as_stored(ranks: &FoundRaid) -> RaidRanks {
    let FoundRaid { metric, best, median, encounters, all_stars } = ranks;
    let encounter = |found: &FoundEncounter| {
        let FoundEncounter { best, kills, spec, all_stars, score, key_level } = found.clone();
        EncounterRank { best, median: None, kills, spec, all_stars, score, key_level }
    };
    let encounters = encounters.iter().map(|(id, found)| (*id, encounter(found))).collect();
    let (metric, all_stars) = (metric.clone(), all_stars.clone());
    RaidRanks { metric, best: *best, median: *median, encounters, all_stars, metrics: BTreeMap::new() }
}
