//! Reads a database in one pass and in bounded memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::decode::{Record, split_name};
use super::found::Found;
use super::trailer::{LAST_LINE, LOCAL_TABLE, OFFSET_DIGITS, Trailer, first_line};

/// An open database: its trailer is read, its records come one by one.
pub(super) struct Database {
    pub(super) trailer: Trailer,
    pub(super) records: Records,
}

/// The records of a file, one line each.
pub(super) struct Records {
    path: PathBuf,
    lines: std::io::Take<BufReader<File>>,
    line: Vec<u8>,
    /// The place of the current server, counted from 1; 0 before the first.
    server: usize,
    servers: usize,
}

/// One record, as it stands in the file.
pub(super) struct RawRecord<'a> {
    /// The place of its server in the trailer.
    pub(super) server: usize,
    pub(super) name: &'a [u8],
    pub(super) text: &'a [u8],
}

impl Database {
    /// Opens a file and reads its trailer.
    pub(super) fn open(path: &Path) -> Result<Database> {
        Database::open_file(path).with_context(|| {
            let path = path.display();
            format!("cannot read the database {path}; generate it again with 'stint run warcraftlogs db-generator'")
        })
    }

    fn open_file(path: &Path) -> Result<Database> {
        let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
        let (offset, trailer) = read_trailer(&mut file)?;
        file.rewind()?;
        let mut lines = file.take(offset);
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line)?;
        ensure!(line == first_line(&trailer.region).as_bytes(), "its first line is not that of a Stint database");
        let servers = trailer.servers.len();
        Ok(Database { trailer, records: Records { path: path.to_owned(), lines, line, server: 0, servers } })
    }
}

impl Records {
    /// The next record, in the order of the file.
    pub(super) fn next_record(&mut self) -> Result<Option<RawRecord<'_>>> {
        loop {
            self.line.clear();
            let read = self.lines.read_until(b'\n', &mut self.line);
            if read.with_context(|| format!("cannot read {}", self.path.display()))? == 0 {
                return Ok(None);
            }
            // No name starts with any of these: the byte behind one is below 'A' and above the space.
            match self.line.first() {
                Some(b'\n' | b']') => {}
                Some(b'S') if self.line.starts_with(b"S[") => self.server += 1,
                Some(b'l') if self.line == LOCAL_TABLE => {}
                _ => break,
            }
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let (name, text) = split_name(line);
        match self.server.checked_sub(1).filter(|server| *server < self.servers) {
            Some(server) => Ok(Some(RawRecord { server, name, text })),
            None => Err(damaged(&self.path, name)),
        }
    }
}

/// What to say about a record that does not decode.
pub(super) fn damaged(path: &Path, name: &[u8]) -> anyhow::Error {
    let name = String::from_utf8_lossy(name);
    anyhow::anyhow!("{}: the record of {name:?} is damaged; generate the database again", path.display())
}

fn read_trailer(file: &mut BufReader<File>) -> Result<(u64, Trailer)> {
    let last_line_length = (LAST_LINE.len() + OFFSET_DIGITS + 1) as u64;
    let length = file.get_ref().metadata()?.len();
    let end = length.checked_sub(last_line_length).context("it is too short")?;
    file.seek(SeekFrom::Start(end))?;
    let mut last_line = String::new();
    file.read_to_string(&mut last_line).context("its last line is not that of a Stint database")?;
    let offset = last_line.strip_prefix(LAST_LINE).and_then(|offset| offset.trim_end().parse().ok());
    let offset: u64 = offset.context("its last line is not that of a Stint database")?;
    let trailer_length = end.checked_sub(offset).context("its last line points behind its end")?;
    file.seek(SeekFrom::Start(offset))?;
    let mut text = String::new();
    file.take(trailer_length).read_to_string(&mut text).context("its trailer is damaged")?;
    Ok((offset, Trailer::parse(&text)?))
}

/// All players of a database, in the order of the file: server by server, by the bytes of the name.
pub fn read_back(path: &Path) -> impl Iterator<Item = Result<Found>> + use<> {
    let (opened, failed) = match Database::open(path) {
        Ok(database) => (Some(Players { database, record: Record::default() }), None),
        Err(error) => (None, Some(Err(error))),
    };
    failed.into_iter().chain(opened.into_iter().flatten())
}

struct Players {
    database: Database,
    record: Record,
}

impl Players {
    fn next_player(&mut self) -> Result<Option<Found>> {
        let Database { trailer, records } = &mut self.database;
        let path = records.path.clone();
        let Some(raw) = records.next_record()? else { return Ok(None) };
        self.record.decode(raw.text, trailer).ok_or_else(|| damaged(&path, raw.name))?;
        Ok(Some(Found::from_record(&self.record, raw.name, &trailer.servers[raw.server], trailer)))
    }
}

impl Iterator for Players {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Result<Found>> {
        self.next_player().transpose()
    }
}
