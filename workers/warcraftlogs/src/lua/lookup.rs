//! Finds one player in the databases of a folder.

use std::path::Path;

use anyhow::{Result, bail};

use super::database_path;
use super::found::Found;
use super::name;
use super::read::{Database, damaged};
use super::record::{Record, split_name};
use super::spelling::is_called;
use super::trailer::Trailer;
use crate::addon::{REMEDY, regions};

/// Finds a player. The region is in any case; the server may be its display name, its normalized name or its slug,
/// spelled as [`is_called`] allows; the name is exact, and `Name-Server` names the server too (then `server` is
/// ignored). Returns `None` if the region has no such player or no such server; fails if the folder has no such region.
pub fn lookup(folder: &Path, region: &str, server: &str, name: &str) -> Result<Option<Found>> {
    let region = region.to_ascii_uppercase();
    let known = regions(folder)?;
    if known.is_empty() {
        bail!("the folder {} has no databases; {REMEDY}", folder.display());
    }
    if !known.contains(&region) {
        bail!("the folder {} has no database for region {region:?}, only for {}", folder.display(), known.join(", "));
    }
    let (name, server) = name.split_once('-').unwrap_or((name, server));
    let Database { trailer, mut blocks } = Database::open(&database_path(folder, &region))?;
    let wanted = places(&trailer, server);
    if wanted.is_empty() {
        return Ok(None);
    }
    let written = name::written(name);
    while let Some(block) = blocks.next_block()? {
        if !wanted.contains(&block.server) {
            continue;
        }
        if let Some(text) = block.records().find(|text| split_name(text).0 == &*written) {
            let mut record = Record::default();
            let read = record.read(text, &trailer.models, trailer.shape());
            read.ok_or_else(|| damaged(&trailer, block.server, text))?;
            return Ok(Some(Found::from_record(&record, block.server, &trailer)));
        }
    }
    Ok(None)
}

/// The servers with that name; several if two share a display name.
fn places(trailer: &Trailer, name: &str) -> Vec<usize> {
    let servers = trailer.servers.iter().enumerate();
    servers.filter(|(_, server)| is_called(server, name)).map(|(place, _)| place).collect()
}
