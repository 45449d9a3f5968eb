//! One player out of the databases of a folder.

use std::path::Path;

use anyhow::{Result, bail};

use super::database_path;
use super::decode::Record;
use super::found::Found;
use super::read::{Database, damaged};
use super::trailer::Trailer;
use crate::addon::{REMEDY, regions};

/// Finds a player. The region's case does not matter; the server may be its display name, its normalized name or its
/// slug; the name is exact, and `Name-Server` names the server too (then `server` is ignored). `None` when the region
/// has no such player or no such server; an error when the folder has no such region.
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
    let path = database_path(folder, &region);
    let Database { trailer, mut records } = Database::open(&path)?;
    let wanted = places(&trailer, server);
    if wanted.is_empty() {
        return Ok(None);
    }
    while let Some(raw) = records.next_record()? {
        if raw.name == name.as_bytes() && wanted.contains(&raw.server) {
            let mut record = Record::default();
            record.decode(raw.text, &trailer).ok_or_else(|| damaged(&path, raw.name))?;
            return Ok(Some(Found::from_record(&record, raw.name, &trailer.servers[raw.server], &trailer)));
        }
    }
    Ok(None)
}

/// The servers that are called so; several when two share a display name.
fn places(trailer: &Trailer, name: &str) -> Vec<usize> {
    let servers = trailer.servers.iter().enumerate();
    let called =
        servers.filter(|(_, server)| [&server.normalized_name, &server.name, &server.slug].contains(&&name.to_owned()));
    called.map(|(place, _)| place).collect()
}
