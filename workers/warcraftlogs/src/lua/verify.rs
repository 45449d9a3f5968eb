//! Reads a written file back and compares every player with what went in, before the file gets its name.

use std::fs::File;
use std::io::{BufReader, Read};

use anyhow::{Context, Result, bail, ensure};

use super::decode::Record;
use super::digest;
use super::read::{Database, RawRecord};
use super::region::WrittenRegion;

/// A difference is a fault of ours: the error names the player, and the file does not replace the older one.
pub(super) fn verify(written: &WrittenRegion) -> Result<()> {
    let path = written.file.temporary();
    let Database { trailer, mut records } = Database::open(path)?;
    let checks = written.checks.temporary();
    let opened = File::open(checks).with_context(|| format!("cannot read {}", checks.display()))?;
    let mut digests = BufReader::with_capacity(1 << 16, opened);
    let servers: Vec<u64> = trailer.servers.iter().map(digest::server).collect();
    let specs: Vec<u64> = trailer.specs.iter().map(|spec| digest::text(spec.as_bytes())).collect();
    let (mut record, mut previous, mut players) = (Record::default(), Previous::default(), 0);
    while let Some(raw) = records.next_record()? {
        let mut expected = [0; 8];
        digests.read_exact(&mut expected).context("the database has more players than were written")?;
        let decoded = record.decode(raw.text, &trailer);
        let same = decoded.is_some_and(|()| {
            record.digest(servers[raw.server], raw.name, &trailer, &specs) == u64::from_le_bytes(expected)
        });
        if !same || !previous.is_before(&raw) {
            let (name, server) = (String::from_utf8_lossy(raw.name), &trailer.servers[raw.server].name);
            let path = written.file.path().display();
            bail!(
                "{path}: {name:?} of {server:?} does not read back as written; the older file stays, please report this"
            );
        }
        players += 1;
    }
    let lost = written.players - players.min(written.players);
    ensure!(players == written.players, "{}: {lost} players do not read back", written.file.path().display());
    Ok(())
}

/// The record before, to see that names ascend: the binary search of the readers rests on it.
#[derive(Default)]
struct Previous {
    server: usize,
    name: Vec<u8>,
}

impl Previous {
    fn is_before(&mut self, raw: &RawRecord<'_>) -> bool {
        let ascends = raw.server > self.server || raw.name > self.name.as_slice();
        self.server = raw.server;
        self.name.clear();
        self.name.extend_from_slice(raw.name);
        ascends
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::lua::region::RegionFile;
    use crate::lua::report::Report;
    use crate::model::{Player, Server};

    fn player(name: &str) -> Player {
        let server =
            Server { name: "Area 52".to_owned(), slug: "area-52".to_owned(), normalized_name: "Area52".to_owned() };
        let updated_at = "2026-11-20T10:00:00Z".parse().unwrap();
        Player {
            id: 1,
            name: name.to_owned(),
            class_id: 4,
            region: "US".to_owned(),
            server,
            updated_at,
            raids: [].into(),
        }
    }

    fn written(folder: &std::path::Path) -> WrittenRegion {
        let mut region = RegionFile::create(folder, "US").unwrap();
        for name in ["Ann", "Bea", "Cid"] {
            region.push(&player(name), &mut Report::default()).unwrap().unwrap();
        }
        region.finish(&mut Report::default()).unwrap()
    }

    #[test]
    fn a_byte_that_changed_on_its_way_to_the_disk_is_an_error_that_names_the_player() {
        let folder = tempfile::tempdir().unwrap();
        let written = written(folder.path());
        verify(&written).unwrap();
        let text = std::fs::read_to_string(written.file.temporary()).unwrap();
        let class = text.find("\nBea").unwrap() + 4;
        let file = File::options().write(true).open(written.file.temporary()).unwrap();
        file.write_at(b"&", class as u64).unwrap();
        let error = verify(&written).unwrap_err().to_string();
        assert!(error.contains("Stint_US.lua: \"Bea\" of \"Area 52\" does not read back"), "{error}");
    }

    #[test]
    fn a_lost_line_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut written = written(folder.path());
        written.players += 1;
        let error = verify(&written).unwrap_err().to_string();
        assert!(error.contains("1 players do not read back"), "{error}");
    }
}
