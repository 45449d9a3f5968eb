//! Reads a database in one pass, holding one server at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::format::Digits;
use super::found::Found;
use super::name;
use super::part_path;
use super::record::{Record, split_name};
use super::server::PLACE_DIGITS;
use super::trailer::{LAST_LINE, OFFSET_DIGITS, Trailer, beginning};

/// An open database: its trailer is read, its servers are read one by one.
pub(super) struct Database {
    pub(super) trailer: Trailer,
    pub(super) blocks: Blocks,
}

/// The servers of a database, over all its files.
pub(super) struct Blocks {
    /// The files that are not open yet, the next one last.
    paths: Vec<PathBuf>,
    path: PathBuf,
    lines: BufReader<File>,
    /// Size of the current file: no length in the file may exceed it.
    length: usize,
    /// The expected beginning of each file.
    beginning: String,
    /// How many servers there are, and how many were read.
    servers: usize,
    read: usize,
}

/// One server as written in the file.
pub(super) struct Block {
    /// Its position in the trailer.
    pub(super) server: usize,
    payload: Vec<u8>,
    directory: usize,
}

impl Block {
    /// Its records, in order.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let records = self.payload.get(self.directory + 1..).unwrap_or_default();
        records.split(|byte| *byte == b'\n').filter(|record| !record.is_empty())
    }
}

impl Database {
    /// Opens a database by its last file.
    pub(super) fn open(last: &Path) -> Result<Database> {
        let trailer = last_trailer(last).with_context(|| remedy(last))?;
        let parts = (1..trailer.parts).map(|part| part_path(last, part));
        Database::open_files(parts.chain([last.to_owned()]).collect())
    }

    /// Opens the files of a database, the one with the trailer last.
    pub(super) fn open_files(paths: Vec<PathBuf>) -> Result<Database> {
        let last = paths.last().cloned().context("a database has at least one file")?;
        let trailer = last_trailer(&last).with_context(|| remedy(&last))?;
        let first = paths.first().cloned().unwrap_or_default();
        let mut rest: Vec<PathBuf> = paths.into_iter().skip(1).collect();
        rest.reverse();
        let beginning = beginning(&trailer.region, trailer.format());
        let servers = trailer.servers.len();
        let (lines, length) = open_file(&first, &beginning).with_context(|| remedy(&first))?;
        Ok(Database {
            trailer,
            blocks: Blocks { paths: rest, path: first, lines, length, beginning, servers, read: 0 },
        })
    }
}

impl Blocks {
    /// How many servers were read.
    pub(super) fn servers_read(&self) -> usize {
        self.read
    }

    /// The next server, in the order of the trailer.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>> {
        while self.read < self.servers {
            let next = self.read_block().with_context(|| remedy(&self.path))?;
            if next.is_some() {
                return Ok(next);
            }
            let Some(path) = self.paths.pop() else { break };
            (self.lines, self.length) = open_file(&path, &self.beginning).with_context(|| remedy(&path))?;
            self.path = path;
        }
        Ok(None)
    }

    /// The next server of the current file.
    fn read_block(&mut self) -> Result<Option<Block>> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let Some(level) = line.strip_prefix(&format!("S[{}]=[", self.read + 1)) else {
            ensure!(line.is_empty() || line.starts_with("D."), "{line:?} is no server");
            return Ok(None);
        };
        let level = level.strip_suffix("[\n").context("the bracket of a server does not open")?.to_owned();
        let (directory, length) = self.read_directory()?;
        let mut payload = vec![0; length];
        payload[..directory.len()].copy_from_slice(&directory);
        self.lines.read_exact(&mut payload[directory.len()..])?;
        line.clear();
        self.lines.read_line(&mut line)?;
        ensure!(line == format!("]{level}]\n"), "the bracket of server {} does not close", self.read + 1);
        self.read += 1;
        Ok(Some(Block { server: self.read - 1, payload, directory: directory.len() }))
    }

    /// The directory of a server, and the length of its string.
    fn read_directory(&mut self) -> Result<(Vec<u8>, usize)> {
        let mut digits = vec![0; PLACE_DIGITS];
        self.lines.read_exact(&mut digits)?;
        let buckets = Digits(&digits).take(PLACE_DIGITS).context("the directory is damaged")? as usize;
        let start = digits.len();
        ensure!(buckets < self.length, "the directory of server {} is longer than the file", self.read + 1);
        digits.resize(start + PLACE_DIGITS * (buckets + 1), 0);
        self.lines.read_exact(&mut digits[start..])?;
        let end = Digits(&digits[digits.len() - PLACE_DIGITS..]).take(PLACE_DIGITS);
        let end = end.context("the directory is damaged")? as usize;
        ensure!(end > digits.len(), "the directory of server {} ends before its records", self.read + 1);
        ensure!(end <= self.length, "the records of server {} are longer than the file", self.read + 1);
        Ok((digits, end))
    }
}

/// Opens a file and reads its first lines; also returns its size.
fn open_file(path: &Path, expected: &str) -> Result<(BufReader<File>, usize)> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut lines = BufReader::with_capacity(1 << 18, file);
    let mut begins = vec![0; expected.len()];
    lines.read_exact(&mut begins)?;
    ensure!(begins == expected.as_bytes(), "its first lines are not those of a Stint database of this version");
    Ok((lines, length))
}

fn last_trailer(path: &Path) -> Result<Trailer> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let last_line_length = (LAST_LINE.len() + OFFSET_DIGITS + 1) as u64;
    let length = file.get_ref().metadata()?.len();
    let end = length.checked_sub(last_line_length).context("it is too short")?;
    file.seek(SeekFrom::Start(end))?;
    let mut last_line = String::new();
    file.read_to_string(&mut last_line).context("its last line is not that of a Stint database")?;
    let offset = last_line.strip_prefix(LAST_LINE).and_then(|offset| offset.trim_end().parse().ok());
    let offset: u64 = offset.context("its last line is not that of a Stint database")?;
    let trailer_length = end.checked_sub(offset).context("its last line points beyond its end")?;
    file.seek(SeekFrom::Start(offset))?;
    let mut text = String::new();
    file.take(trailer_length).read_to_string(&mut text).context("its trailer is damaged")?;
    Trailer::parse(&text)
}

fn remedy(path: &Path) -> String {
    let path = path.display();
    format!("cannot read the database {path}; generate it again with 'stint run wcl/db-generator'")
}

/// The error for a record that cannot be decoded.
pub(super) fn damaged(trailer: &Trailer, server: usize, text: &[u8]) -> anyhow::Error {
    let (name, server) = (name::shown(split_name(text).0), &trailer.servers[server].name);
    anyhow::anyhow!(
        "region {}: the record of {name:?} of {server:?} is damaged; generate the database again",
        trailer.region
    )
}

/// All players of a database, in the order of its files: server by server. `last` is the file with the trailer.
pub fn read_back(last: &Path) -> impl Iterator<Item = Result<Found>> + use<> {
    let (opened, failed) = match Database::open(last) {
        Ok(Database { trailer, blocks }) => (Some(Everyone { trailer, blocks, waiting: Vec::new() }), None),
        Err(error) => (None, Some(Err(error))),
    };
    failed.into_iter().chain(opened.into_iter().flatten())
}

struct Everyone {
    trailer: Trailer,
    blocks: Blocks,
    /// Players of the current server, the next one last.
    waiting: Vec<Result<Found>>,
}

impl Iterator for Everyone {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Result<Found>> {
        while self.waiting.is_empty() {
            let block = match self.blocks.next_block() {
                Ok(block) => block?,
                Err(error) => {
                    self.blocks.servers = 0;
                    return Some(Err(error));
                }
            };
            let mut record = Record::default();
            let found = block.records().map(|text| {
                let read = record.read(text, &self.trailer.models, self.trailer.shape());
                read.map(|()| Found::from_record(&record, block.server, &self.trailer))
                    .ok_or_else(|| damaged(&self.trailer, block.server, text))
            });
            self.waiting = found.collect();
            self.waiting.reverse();
        }
        self.waiting.pop()
    }
}
