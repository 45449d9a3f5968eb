//! The files of one region while they are being written.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::brackets::{close, open};
use super::dictionary::{Dictionaries, Numbers};
use super::entropy::models::{Models, Statistics};
use super::entropy::walk::Shape;
use super::format::{MAX_SERVERS, day};
use super::partial_file::PartialFile;
use super::report::{GenerationReport, InvalidPlayer, ServerReport};
use super::server::EncodedServer;
use super::stage::{Region, Stage};
use super::trailer::{Trailer, beginning};
use crate::addon::{create_addon, region_addon};
use crate::model::Server;

/// Servers that are encoded in parallel before they are written: what is in memory at once.
const SIDE_BY_SIDE: usize = 32;

/// A region's files, not yet under their final names.
pub(super) struct WrittenRegion {
    pub(super) region: String,
    pub(super) format: u32,
    /// The newest day among its players.
    pub(super) updated_at: String,
    /// In the order in which a client runs them; the last one has the trailer.
    pub(super) files: Vec<PartialFile>,
    pub(super) players: u64,
    pub(super) bytes: u64,
    pub(super) largest: Vec<ServerReport>,
    /// The index in the stage of each server in the files.
    pub(super) places: Vec<usize>,
    pub(super) numbers: Numbers,
}

/// Writes a region: first it counts the values in all records, then it writes them. Returns `None`, and writes no file,
/// if no player of the region is to be written.
pub(super) fn write_region(
    stage: &Stage,
    region: &Region,
    folder: &Path,
    report: &mut GenerationReport,
) -> Result<Option<WrittenRegion>> {
    let servers = with_players(region, stage, report)?;
    if servers.is_empty() {
        return Ok(None);
    }
    let servers = within_limit(servers, region, stage, report)?;
    let (dictionaries, numbers) = region.dictionaries().in_order();
    let models = models(stage, region, &servers, &dictionaries, &numbers)?;
    let trailer = Trailer::new(&region.name, &stage.options, dictionaries, models);
    let mut writer = Writer::create(folder, trailer, stage.options.largest_file)?;
    let (mut places, mut newest) = (Vec::new(), 0);
    for group in servers.chunks(SIDE_BY_SIDE) {
        let encoded: Vec<EncodedServer> = group
            .par_iter()
            .map(|(server, place)| {
                let players = stage.players(region, *place)?;
                players.encode(&region.name, server, &numbers, &writer.trailer.models, writer.trailer.shape())
            })
            .collect::<Result<_>>()?;
        for ((server, place), encoded) in group.iter().zip(encoded) {
            newest = newest.max(encoded.newest);
            report.left_out.not_seen += encoded.not_seen;
            places.push(*place);
            writer.write(server, &encoded)?;
            encoded.refused.into_iter().for_each(|refused| report.refuse(refused));
        }
    }
    writer.trailer.updated_at = day(newest).to_string();
    writer.finish(places, numbers).map(Some)
}

/// The region's servers with their indexes in the stage, without those whose players are all left out.
fn with_players(region: &Region, stage: &Stage, report: &mut GenerationReport) -> Result<Vec<(Server, usize)>> {
    let (servers, without): (Vec<_>, Vec<_>) =
        region.servers().into_iter().partition(|(_, place)| stage.has_players(region, *place));
    for (_, place) in without {
        report.left_out.not_seen += super::row::heads(&stage.rows(region, place)?).len() as u64;
    }
    Ok(servers)
}

/// All servers within the limit that the format can number; players of the others are refused.
fn within_limit(
    mut servers: Vec<(Server, usize)>,
    region: &Region,
    stage: &Stage,
    report: &mut GenerationReport,
) -> Result<Vec<(Server, usize)>> {
    for (server, place) in servers.split_off(servers.len().min(MAX_SERVERS)) {
        let reason = format!("the region has more than {MAX_SERVERS} servers");
        for head in super::row::heads(&stage.rows(region, place)?) {
            let (server, region) = (server.name.clone(), region.name.clone());
            report.refuse(InvalidPlayer { id: head.id, name: String::new(), server, region, reason: reason.clone() });
        }
    }
    Ok(servers)
}

fn models(
    stage: &Stage,
    region: &Region,
    servers: &[(Server, usize)],
    dictionaries: &Dictionaries,
    numbers: &Numbers,
) -> Result<Models> {
    let sizes = dictionaries.sizes();
    let shape = Shape { encounters: &sizes, precision: stage.options.precision, extras: stage.options.extras() };
    let count = |mut seen: Statistics, (_, place): &(Server, usize)| {
        let players = stage.players(region, *place)?;
        players.for_each(numbers, |record| {
            seen.count(record, shape);
            Ok(())
        })?;
        Ok(seen)
    };
    let add = |mut left: Statistics, right: Statistics| {
        left.add(right);
        Ok(left)
    };
    let seen: Result<Statistics> =
        servers.par_iter().try_fold(Statistics::default, count).try_reduce(Statistics::default, add);
    Ok(seen?.models())
}

struct Writer<'a> {
    folder: &'a Path,
    trailer: Trailer,
    largest_file: u64,
    files: Vec<PartialFile>,
    target: BufWriter<File>,
    /// Bytes of the current file, and of the files before.
    written: u64,
    before: u64,
    largest: Vec<ServerReport>,
}

impl Writer<'_> {
    fn create(folder: &Path, trailer: Trailer, largest_file: u64) -> Result<Writer<'_>> {
        create_addon(folder, &region_addon(&trailer.region))?;
        let (file, target) = PartialFile::create(super::database_path(folder, &trailer.region))?;
        let target = BufWriter::with_capacity(1 << 18, target);
        let (files, largest) = (vec![file], Vec::new());
        let mut writer = Writer { folder, trailer, largest_file, files, target, written: 0, before: 0, largest };
        writer.begin()?;
        Ok(writer)
    }

    fn begin(&mut self) -> Result<()> {
        let beginning = beginning(&self.trailer.region, self.trailer.format());
        self.put(beginning.as_bytes())
    }

    fn put(&mut self, text: &[u8]) -> Result<()> {
        self.written += text.len() as u64;
        let file = self.files.last().map(|file| file.temporary().to_owned()).unwrap_or_default();
        self.target.write_all(text).with_context(|| format!("cannot write {}; is the disk full?", file.display()))
    }

    fn write(&mut self, server: &Server, encoded: &EncodedServer) -> Result<()> {
        let bytes = encoded.payload.len() as u64;
        if self.written + bytes > self.largest_file && !self.trailer.servers.is_empty() {
            self.next_file()?;
        }
        self.trailer.servers.push(server.clone());
        self.trailer.players += encoded.players;
        let place = self.trailer.servers.len();
        self.put(format!("S[{place}]={}", open(&encoded.payload)).as_bytes())?;
        self.put(&encoded.payload)?;
        self.put(close(&encoded.payload).as_bytes())?;
        self.largest.push(ServerReport { server: server.name.clone(), players: encoded.players, bytes });
        self.largest.sort_by_key(|server| Reverse(server.players));
        self.largest.truncate(ServerReport::LISTED);
        Ok(())
    }

    /// Ends a file. The next file takes its name, and this one gets a numbered name.
    fn next_file(&mut self) -> Result<()> {
        self.sync()?;
        let path = super::part_path(&super::database_path(self.folder, &self.trailer.region), self.files.len());
        let last = self.files.pop().context("there is no file to end")?;
        self.files.push(last.rename(path)?);
        let (file, target) = PartialFile::create(super::database_path(self.folder, &self.trailer.region))?;
        self.files.push(file);
        self.target = BufWriter::with_capacity(1 << 18, target);
        self.before += std::mem::take(&mut self.written);
        self.begin()
    }

    fn sync(&mut self) -> Result<()> {
        // Synced to disk before it is renamed: otherwise a power cut could leave the new name without contents.
        self.target.flush().and_then(|()| self.target.get_ref().sync_all()).context("cannot write the database")
    }

    fn finish(mut self, places: Vec<usize>, numbers: Numbers) -> Result<WrittenRegion> {
        self.trailer.parts = self.files.len();
        let offset = self.target.stream_position().context("cannot write the database")?;
        let mut end = Vec::new();
        self.trailer.write(&mut end, offset)?;
        self.put(&end)?;
        self.sync()?;
        let format = self.trailer.format();
        let Trailer { region, updated_at, players, .. } = self.trailer;
        let bytes = self.before + self.written;
        let (files, largest) = (self.files, self.largest);
        Ok(WrittenRegion { region, format, updated_at, files, players, bytes, largest, places, numbers })
    }
}
