//! Players in, one Lua file per region out.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::refuse;
use super::region::{RegionFile, WrittenRegion};
use super::report::{Refused, RegionReport, Report};
use super::verify::verify;
use crate::addon;
use crate::model::{Player, Server};

/// Writes the databases of all regions, holding one server at a time.
///
/// The files appear under their names in [`finish`](DatabaseWriter::finish), after each has been read back; until then,
/// and when it fails or is dropped, the older ones stay.
pub struct DatabaseWriter {
    folder: PathBuf,
    report: Report,
    position: Option<Position>,
    region: Option<RegionFile>,
    written: Vec<WrittenRegion>,
}

/// The region and server of the last player, to see that they ascend.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    region: String,
    slug: String,
    name: String,
    normalized_name: String,
}

impl DatabaseWriter {
    /// Starts a generation into this folder, which is created when it is missing.
    pub fn create(folder: impl Into<PathBuf>) -> Result<DatabaseWriter> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create the folder {} for the databases", folder.display()))?;
        Ok(DatabaseWriter { folder, report: Report::default(), position: None, region: None, written: Vec::new() })
    }

    /// Takes the next player. They come by region, then server (slug, name, normalized name), compared by bytes; within
    /// a server in any order. A player that the format cannot carry is refused: it is in the report, and the rest goes on.
    pub fn push(&mut self, player: Player) -> Result<()> {
        self.advance(&player)?;
        if let Err(reason) = refuse::check(&player) {
            self.report.refuse(Refused::of(&player, reason));
            return Ok(());
        }
        if self.region.as_ref().is_none_or(|region| region.name() != player.region) {
            self.end_region()?;
        }
        let region = match &mut self.region {
            Some(region) => region,
            none => none.insert(RegionFile::create(&self.folder, &player.region)?),
        };
        if let Err(reason) = region.push(&player, &mut self.report)? {
            self.report.refuse(Refused::of(&player, reason));
        }
        Ok(())
    }

    /// Completes and reads back every file, then gives them their names and makes addons of them, with the core beside
    /// them. `generated_at` is in the report only.
    pub fn finish(mut self, generated_at: Timestamp) -> Result<Report> {
        self.end_region()?;
        self.written.iter().try_for_each(verify)?;
        for written in self.written {
            let WrittenRegion { region, updated_at, file, players, servers, bytes, .. } = written;
            let path = file.publish()?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            addon::write_region(&self.folder, &region, &updated_at, &[name])?;
            self.report.regions.push(RegionReport { region, path, players, servers, bytes });
        }
        addon::write_core(&self.folder)?;
        self.report.generated_at = generated_at;
        Ok(self.report)
    }

    /// Sees to it that players come in order: a server that came twice would be two servers in the file.
    fn advance(&mut self, player: &Player) -> Result<()> {
        let Server { name, slug, normalized_name } = &player.server;
        if self.position.as_ref().is_some_and(|position| position.is_at(player)) {
            return Ok(());
        }
        let position = Position {
            region: player.region.clone(),
            slug: slug.clone(),
            name: name.clone(),
            normalized_name: normalized_name.clone(),
        };
        match self.position.replace(position) {
            Some(previous) if self.position.as_ref() < Some(&previous) => bail!(
                "player {:?} ({}) of server {slug:?}, region {:?}, comes after server {:?}, region {:?}, but players have \
                 to be ordered by region, then server slug, name and normalized name",
                player.name,
                player.id,
                player.region,
                previous.slug,
                previous.region,
            ),
            _ => Ok(()),
        }
    }

    fn end_region(&mut self) -> Result<()> {
        if let Some(region) = self.region.take() {
            self.written.push(region.finish(&mut self.report)?);
        }
        Ok(())
    }
}

impl Position {
    fn is_at(&self, player: &Player) -> bool {
        let Server { name, slug, normalized_name } = &player.server;
        self.slug == *slug
            && self.name == *name
            && self.normalized_name == *normalized_name
            && self.region == player.region
    }
}
