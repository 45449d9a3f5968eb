//! The file of one region while it is being written.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::aside::Aside;
use super::dictionary::Dictionaries;
use super::format::MAX_SERVERS;
use super::report::{Refused, Report};
use super::server::StagedServer;
use super::trailer::{LOCAL_TABLE, Trailer, first_line};
use crate::addon::{create_addon, region_addon};
use crate::model::Player;

/// A file in the making. Memory: one server, and the dictionaries.
pub(super) struct RegionFile {
    file: Aside,
    target: BufWriter<File>,
    /// One digest per player, in the order of the file: kept in a file, so that a region of any size fits.
    checks: Aside,
    digests: BufWriter<File>,
    dictionaries: Dictionaries,
    trailer: Trailer,
    newest: Option<Timestamp>,
    current: Option<StagedServer>,
}

/// A file with its trailer, not yet under its name.
pub(super) struct WrittenRegion {
    pub(super) region: String,
    /// The newest day among its players.
    pub(super) updated_at: String,
    pub(super) file: Aside,
    pub(super) checks: Aside,
    pub(super) players: u64,
    pub(super) servers: u64,
    pub(super) bytes: u64,
}

impl RegionFile {
    pub(super) fn create(folder: &Path, region: &str) -> Result<RegionFile> {
        let path = super::database_path(folder, region);
        create_addon(folder, &region_addon(region))?;
        let (checks, digests) = Aside::create(path.with_extension("digests"))?;
        let (file, target) = Aside::create(path)?;
        let mut target = BufWriter::with_capacity(1 << 18, target);
        target.write_all(first_line(region).as_bytes()).and_then(|()| target.write_all(LOCAL_TABLE))?;
        Ok(RegionFile {
            file,
            target,
            checks,
            digests: BufWriter::with_capacity(1 << 16, digests),
            dictionaries: Dictionaries::new(),
            trailer: Trailer { region: region.to_owned(), ..Trailer::default() },
            newest: None,
            current: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.trailer.region
    }

    /// Takes a player; an inner error is the reason to refuse it.
    pub(super) fn push(&mut self, player: &Player, report: &mut Report) -> Result<Result<(), String>> {
        if self.current.as_ref().is_none_or(|current| current.server != player.server) {
            self.end_server(report)?;
            if self.trailer.servers.len() >= MAX_SERVERS {
                return Ok(Err(format!("the region has more than {MAX_SERVERS} servers")));
            }
        }
        let server = self.current.get_or_insert_with(|| StagedServer::new(player.server.clone()));
        Ok(server.stage(player, &mut self.dictionaries))
    }

    /// Writes the server whose last player has come.
    fn end_server(&mut self, report: &mut Report) -> Result<()> {
        let Some(staged) = self.current.take() else { return Ok(()) };
        let server = staged.server.clone();
        let encoded = staged.encode(&self.trailer.region, &mut self.dictionaries);
        encoded.refused.into_iter().for_each(|refused: Refused| report.refuse(refused));
        if encoded.digests.is_empty() {
            return Ok(());
        }
        self.trailer.servers.push(server);
        self.trailer.players += encoded.digests.len() as u64;
        self.newest = self.newest.max(encoded.newest);
        let place = self.trailer.servers.len();
        write_server(&mut self.target, place, &encoded.payload)
            .with_context(|| format!("cannot write {}; is the disk full?", self.file.temporary().display()))?;
        let mut digests = encoded.digests.iter();
        digests
            .try_for_each(|digest| self.digests.write_all(&digest.to_le_bytes()))
            .with_context(|| format!("cannot write {}; is the disk full?", self.checks.temporary().display()))
    }

    /// Writes the last server and the trailer.
    pub(super) fn finish(mut self, report: &mut Report) -> Result<WrittenRegion> {
        self.end_server(report)?;
        self.trailer.collect(&self.dictionaries);
        let newest = self.newest.map(|newest| newest.to_zoned(TimeZone::UTC).date().to_string());
        self.trailer.updated_at = newest.unwrap_or_default();
        let context = || format!("cannot write {}; is the disk full?", self.file.temporary().display());
        let offset = self.target.stream_position().with_context(context)?;
        self.trailer.write(&mut self.target, offset).with_context(context)?;
        let bytes = self.target.stream_position().with_context(context)?;
        // On the disk before it is renamed: else a power cut could leave the new name with nothing behind it.
        self.target.flush().and_then(|()| self.target.get_ref().sync_all()).with_context(context)?;
        self.digests.flush().with_context(context)?;
        let Trailer { region, updated_at, players, servers, .. } = self.trailer;
        Ok(WrittenRegion {
            region,
            updated_at,
            file: self.file,
            checks: self.checks,
            players,
            servers: servers.len() as u64,
            bytes,
        })
    }
}

fn write_server(target: &mut impl Write, place: usize, payload: &[u8]) -> std::io::Result<()> {
    let level = "=".repeat(bracket_level(payload));
    write!(target, "S[{place}]=[{level}[\n\n")?;
    target.write_all(payload)?;
    writeln!(target, "]{level}]")
}

/// How many equals signs make a closing bracket that does not occur in the payload; at least two.
fn bracket_level(payload: &[u8]) -> usize {
    let mut found = std::collections::BTreeSet::new();
    let mut run = None;
    for byte in payload {
        run = match (*byte, run) {
            (b']', run) => {
                found.extend(run);
                Some(0)
            }
            (b'=', Some(length)) => Some(length + 1),
            _ => None,
        };
    }
    (2..).find(|level| !found.contains(level)).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::bracket_level;

    #[test]
    fn the_bracket_never_occurs_in_the_payload() {
        assert_eq!(bracket_level(b"Ann!!"), 2);
        assert_eq!(bracket_level(b"a]==]b"), 3);
        assert_eq!(bracket_level(b"a]==]===]b]====]"), 5);
        assert_eq!(bracket_level(b"]=]===]==x]]"), 2);
    }
}
