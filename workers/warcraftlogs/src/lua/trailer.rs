//! The end of a database: everything that is only known when the last player has come.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};

use super::dictionary::{Dictionaries, Head};
use super::format::FORMAT;
use crate::model::{EncounterId, RaidId, Server};

/// The first line of every database. A reader in Rust takes the version from here, one in Lua from the table.
pub(super) fn first_line(region: &str) -> String {
    format!("-- Stint database, format {FORMAT}, region {region}: generated, so changes to it are lost.\n")
}

/// The last line is this and a number: where the trailer starts.
pub(super) const LAST_LINE: &str = "-- trailer at byte ";
/// How many digits that number has, so that the last line has a fixed length.
pub(super) const OFFSET_DIGITS: usize = 12;

/// The second line: the table of the servers' strings.
pub(super) const LOCAL_TABLE: &[u8] = b"local S={}\n";

const TABLE: &str = "StintDatabases=StintDatabases or {}\n";
const SERVERS_START: &str = "servers=[==[\n\n";
const SERVERS_END: &str = "]==],data=S}\n";

/// What the end of the file says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Trailer {
    pub(super) region: String,
    /// The newest day among the players, empty without players.
    pub(super) updated_at: String,
    pub(super) players: u64,
    pub(super) specs: Vec<String>,
    pub(super) heads: Vec<Head>,
    pub(super) encounters: BTreeMap<RaidId, Vec<EncounterId>>,
    pub(super) servers: Vec<Server>,
}

impl Trailer {
    /// Puts what the dictionaries have gathered in the order of the file.
    pub(super) fn collect(&mut self, dictionaries: &Dictionaries) {
        self.specs = dictionaries.specs.used().cloned().collect();
        self.heads = dictionaries.heads.used().cloned().collect();
        let raids = dictionaries.encounters.iter();
        self.encounters = raids.map(|(raid, encounters)| (*raid, encounters.used().copied().collect())).collect();
    }

    pub(super) fn write(&self, target: &mut impl Write, offset: u64) -> io::Result<()> {
        let Trailer { region, updated_at, players, .. } = self;
        target.write_all(TABLE.as_bytes())?;
        writeln!(target, "StintDatabases[\"{region}\"]={{format={FORMAT},region=\"{region}\",")?;
        writeln!(target, "updatedAt=\"{updated_at}\",players={players},")?;
        let specs: Vec<String> = self.specs.iter().map(|spec| format!("\"{spec}\"")).collect();
        writeln!(target, "specs={{{}}},", specs.join(","))?;
        let heads = self.heads.iter().map(|head| format!("{},{},\"{}\"", head.raid, head.difficulty, head.metric));
        writeln!(target, "sections={{{}}},", heads.collect::<Vec<_>>().join(","))?;
        let raids = self.encounters.iter().map(|(raid, encounters)| {
            let encounters: Vec<String> = encounters.iter().map(EncounterId::to_string).collect();
            format!("[{raid}]={{{}}}", encounters.join(","))
        });
        writeln!(target, "encounters={{{}}},", raids.collect::<Vec<_>>().join(","))?;
        target.write_all(SERVERS_START.as_bytes())?;
        for (place, server) in self.servers.iter().enumerate() {
            writeln!(target, "\t{}\t{}\t{}\t{}", server.normalized_name, server.name, server.slug, place + 1)?;
        }
        target.write_all(SERVERS_END.as_bytes())?;
        writeln!(target, "{LAST_LINE}{offset:0OFFSET_DIGITS$}")
    }

    /// Reads what [`write`](Trailer::write) wrote, without the last line.
    pub(super) fn parse(text: &str) -> Result<Trailer> {
        let mut cursor = Cursor(text);
        let mut trailer = Trailer::default();
        cursor.expect(TABLE)?;
        cursor.expect("StintDatabases[\"")?;
        trailer.region = cursor.until("\"]={format=")?.to_owned();
        let format: u32 = cursor.until(",region=\"")?.parse().context("the format version is no number")?;
        if format != FORMAT {
            bail!("it has format {format}, this version reads {FORMAT}");
        }
        cursor.until("\",\nupdatedAt=\"")?;
        trailer.updated_at = cursor.until("\",players=")?.to_owned();
        trailer.players = cursor.until(",\nspecs={")?.parse().context("the number of players is no number")?;
        trailer.specs = Cursor(cursor.until("},\nsections={")?).strings()?;
        trailer.heads = Cursor(cursor.until("},\nencounters={")?).heads()?;
        trailer.encounters = Cursor(cursor.until("},\nservers=")?).encounters()?;
        cursor.expect(&SERVERS_START["servers=".len()..])?;
        trailer.servers = servers(cursor.until(SERVERS_END)?)?;
        Ok(trailer)
    }
}

fn servers(text: &str) -> Result<Vec<Server>> {
    let server = |line: &str| {
        let mut columns = line.split('\t').skip(1).map(str::to_owned);
        let (normalized_name, name, slug) = (columns.next()?, columns.next()?, columns.next()?);
        columns.next().map(|_| Server { name, slug, normalized_name })
    };
    text.lines().map(|line| server(line).with_context(|| format!("the server line {line:?} is damaged"))).collect()
}

/// Takes apart the little Lua that we write ourselves.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn expect(&mut self, text: &str) -> Result<()> {
        self.0 = self.0.strip_prefix(text).with_context(|| format!("its trailer lacks {text:?}"))?;
        Ok(())
    }

    fn until(&mut self, text: &str) -> Result<&'a str> {
        let (before, after) = self.0.split_once(text).with_context(|| format!("its trailer lacks {text:?}"))?;
        self.0 = after;
        Ok(before)
    }

    /// A text in quotation marks and the comma behind it, if any.
    fn string(&mut self) -> Result<String> {
        self.expect("\"")?;
        let text = self.until("\"")?.to_owned();
        self.0 = self.0.strip_prefix(',').unwrap_or(self.0);
        Ok(text)
    }

    fn number(&mut self) -> Result<u32> {
        let text = self.until(",")?;
        text.parse().with_context(|| format!("{text:?} is no number"))
    }

    fn strings(&mut self) -> Result<Vec<String>> {
        let mut strings = Vec::new();
        while !self.0.is_empty() {
            strings.push(self.string()?);
        }
        Ok(strings)
    }

    fn heads(&mut self) -> Result<Vec<Head>> {
        let mut heads = Vec::new();
        while !self.0.is_empty() {
            heads.push(Head { raid: self.number()?, difficulty: self.number()?, metric: self.string()? });
        }
        Ok(heads)
    }

    fn encounters(&mut self) -> Result<BTreeMap<RaidId, Vec<EncounterId>>> {
        let mut raids = BTreeMap::new();
        while !self.0.is_empty() {
            self.expect("[")?;
            let raid = self.until("]={")?.parse().context("a raid is no number")?;
            let encounters = self.until("}")?.split(',').filter(|text| !text.is_empty()).map(str::parse);
            raids.insert(raid, encounters.collect::<Result<_, _>>().context("an encounter is no number")?);
            self.0 = self.0.strip_prefix(',').unwrap_or(self.0);
        }
        Ok(raids)
    }
}
