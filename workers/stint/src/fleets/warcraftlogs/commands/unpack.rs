//! Converts whole databases back into documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use stint_warcraftlogs::addon::{players, regions};
use stint_warcraftlogs::lua::{Found, FoundRaid};
use stint_warcraftlogs::model::{Difficulty, RaidId, Server, extended_date};

use crate::context::Context;
use crate::document_writer::{self, DocumentWriter};
use crate::format::{count, number};

/// What to unpack.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint wcl unpack stint-data/databases --out players.jsonl\n  stint wcl unpack databases --region \
                        EU | head -1\n\nThe documents have the form of `stint data export wcl players`, one per line, with what the databases contain: no ids, no medians of single bosses, dates without a time, and percentiles and kills as the generator rounded them. Without ids they cannot be imported as players again."
)]
pub(crate) struct Arguments {
    /// The folder with the addons.
    folder: PathBuf,
    /// Only this region.
    #[arg(long)]
    region: Option<String>,
    /// The file to write; without it, standard output.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

/// A player in the format of the `players` collection, with the fields that a database has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    name: &'a str,
    class_id: u32,
    region: &'a str,
    server: &'a Server,
    #[serde(with = "extended_date")]
    updated_at: Timestamp,
    raids: &'a BTreeMap<RaidId, BTreeMap<Difficulty, FoundRaid>>,
}

#[derive(Serialize)]
struct Unpacked {
    file: PathBuf,
    regions: Vec<Region>,
    players: u64,
}

#[derive(Serialize)]
struct Region {
    region: String,
    players: u64,
}

/// Writes every player in the databases.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let Arguments { folder, region, out, force } = arguments;
    let wanted = regions_to_unpack(folder, region.as_deref())?;
    let target = out.as_deref().and_then(document_writer::file_or_stdout);
    let mut writer = DocumentWriter::open(target, *force, context)?;
    let written = write_all(folder, &wanted, &mut writer).and_then(|regions| Ok((regions, writer.finish()?)));
    let Some((regions, players)) = document_writer::ok_unless_broken_pipe(written)? else { return Ok(()) };
    match target {
        Some(file) => context.output.result(&Unpacked { file: file.to_owned(), regions, players }, to_text),
        None => Ok(()),
    }
}

/// Returns the regions to unpack: the given one, or all.
fn regions_to_unpack(folder: &Path, region: Option<&str>) -> Result<Vec<String>> {
    let known = regions(folder)?;
    if known.is_empty() {
        bail!("the folder {} has no databases; generate them with 'stint run wcl/db-generator'", folder.display());
    }
    let Some(region) = region.map(str::to_ascii_uppercase) else { return Ok(known) };
    if !known.contains(&region) {
        bail!("the folder {} has no database for region {region:?}, only for {}", folder.display(), known.join(", "));
    }
    Ok(vec![region])
}

fn write_all(folder: &Path, wanted: &[String], writer: &mut DocumentWriter) -> Result<Vec<Region>> {
    let mut regions = Vec::new();
    for region in wanted {
        let mut unpacked = Region { region: region.clone(), players: 0 };
        for found in players(folder, region)? {
            writer.write(&document(&found?)?)?;
            unpacked.players += 1;
        }
        regions.push(unpacked);
    }
    Ok(regions)
}

fn document(found: &Found) -> Result<Document<'_>> {
    let Found { region, server, name, class_id, updated_at, raids } = found;
    let updated_at = updated_at.to_zoned(TimeZone::UTC)?.timestamp();
    Ok(Document { name, class_id: *class_id, region, server, updated_at, raids })
}

fn to_text(unpacked: &Unpacked) -> String {
    let Unpacked { file, regions, players } = unpacked;
    let listed = regions.iter().map(|Region { region, players }| format!("{region} {}", number(*players)));
    let listed = listed.collect::<Vec<_>>().join(", ");
    format!("unpacked {} ({listed}) to {}\n", count(*players, "player", "players"), file.display())
}
