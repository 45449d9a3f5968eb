//! The beginning and the end of a database's files. Data that is only known after the last player is at the end of the
//! last file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::brackets::{close, open};
use super::dictionary::{Dictionaries, SectionKey};
use super::entropy::models::Models;
use super::entropy::walk::Shape;
use super::extras::Extras;
use super::format::{FORMAT, FORMAT_WITH_EXTRAS, MAX_PARTS, Precision};
use super::options::{DatabaseOptions, Field};
use crate::model::{EncounterId, Server};

/// The first lines of every file.
pub(super) fn beginning(region: &str, format: u32) -> String {
    format!(
        "-- Stint database, format {format}, region {region}: generated, so changes to it are lost.\n\
         StintDatabases=StintDatabases or {{}}\n\
         local D=StintDatabases[\"{region}\"]or{{data={{}}}}\n\
         StintDatabases[\"{region}\"]=D\n\
         local S=D.data\n"
    )
}

/// The last line is this and a number: the position at which the trailer starts.
pub(super) const LAST_LINE: &str = "-- trailer at byte ";
/// Number of digits of that position, so that the last line has a fixed length.
pub(super) const OFFSET_DIGITS: usize = 12;

const SERVERS_START: &str = "D.servers=[==[\n\n";
const SERVERS_END: &str = "]==]\n";

/// The contents of the end of the last file.
#[derive(Debug)]
pub(super) struct Trailer {
    pub(super) region: String,
    /// The newest day among the players, empty without players.
    pub(super) updated_at: String,
    pub(super) players: u64,
    /// Number of files.
    pub(super) parts: usize,
    pub(super) precision: Precision,
    /// Which of the optional fields are present.
    pub(super) fields: BTreeSet<Field>,
    pub(super) dictionaries: Dictionaries,
    pub(super) sizes: Vec<usize>,
    pub(super) servers: Vec<Server>,
    pub(super) models: Models,
}

impl Trailer {
    /// A trailer of a region that has no servers yet.
    pub(super) fn new(region: &str, options: &DatabaseOptions, dictionaries: Dictionaries, models: Models) -> Trailer {
        Trailer {
            region: region.to_owned(),
            updated_at: String::new(),
            players: 0,
            parts: 1,
            precision: options.precision,
            fields: options.fields.clone(),
            sizes: dictionaries.sizes(),
            dictionaries,
            servers: Vec::new(),
            models,
        }
    }

    /// The context needed to interpret a record.
    pub(super) fn shape(&self) -> Shape<'_> {
        Shape { encounters: &self.sizes, precision: self.precision, extras: Extras::of(&self.fields) }
    }

    /// The format of the database.
    pub(super) fn format(&self) -> u32 {
        if Extras::of(&self.fields).any() { FORMAT_WITH_EXTRAS } else { FORMAT }
    }

    pub(super) fn write(&self, target: &mut impl Write, offset: u64) -> io::Result<()> {
        let Trailer { region, updated_at, players, parts, .. } = self;
        writeln!(
            target,
            "D.format={}\nD.region=\"{region}\"\nD.updatedAt=\"{updated_at}\"\nD.players={players}",
            self.format()
        )?;
        writeln!(target, "D.parts={parts}\nD.precision={}", self.precision.steps())?;
        for (name, field) in fields_of(self.format()) {
            writeln!(target, "D.{name}={}", self.fields.contains(field))?;
        }
        let Dictionaries { heads, specs, encounters } = &self.dictionaries;
        let specs: Vec<String> = specs.iter().map(|spec| format!("\"{spec}\"")).collect();
        writeln!(target, "D.specs={{{}}}", specs.join(","))?;
        let heads = heads.iter().map(|head| format!("{},{},\"{}\"", head.raid, head.difficulty, head.metric));
        writeln!(target, "D.sections={{{}}}", heads.collect::<Vec<_>>().join(","))?;
        let raids = encounters.iter().map(|(raid, encounters)| {
            let encounters: Vec<String> = encounters.iter().map(EncounterId::to_string).collect();
            format!("[{raid}]={{{}}}", encounters.join(","))
        });
        writeln!(target, "D.encounters={{{}}}", raids.collect::<Vec<_>>().join(","))?;
        target.write_all(SERVERS_START.as_bytes())?;
        for (place, server) in self.servers.iter().enumerate() {
            writeln!(target, "\t{}\t{}\t{}\t{}", server.normalized_name, server.name, server.slug, place + 1)?;
        }
        target.write_all(SERVERS_END.as_bytes())?;
        let mut models = Vec::new();
        self.models.write_models(&mut models);
        target.write_all(format!("D.models={}", open(&models)).as_bytes())?;
        target.write_all(&models)?;
        target.write_all(close(&models).as_bytes())?;
        writeln!(target, "{LAST_LINE}{offset:0OFFSET_DIGITS$}")
    }

    /// Parses what [`write`](Trailer::write) wrote, without the last line.
    pub(super) fn parse(text: &str) -> Result<Trailer> {
        let mut cursor = Cursor(text);
        let format: u32 = cursor.field("format")?;
        if format != FORMAT && format != FORMAT_WITH_EXTRAS {
            bail!("it has format {format}, this version reads {FORMAT} and {FORMAT_WITH_EXTRAS}");
        }
        let region = cursor.quoted("region")?;
        let updated_at = cursor.quoted("updatedAt")?;
        let (players, parts) = (cursor.field("players")?, cursor.field("parts")?);
        if !(1..=MAX_PARTS).contains(&parts) {
            bail!("it says that it has {parts} files, and no database has more than {MAX_PARTS}");
        }
        let precision = match cursor.field("precision")? {
            1 => Precision::Whole,
            10 => Precision::Tenths,
            other => bail!("it has {other} steps to a percent, this version reads 1 and 10"),
        };
        let mut fields = BTreeSet::new();
        for (name, field) in fields_of(format) {
            fields.extend(cursor.field::<bool>(name)?.then_some(*field));
        }
        if (format == FORMAT_WITH_EXTRAS) != Extras::of(&fields).any() {
            bail!("it has format {format}, and none of what that format is for");
        }
        let dictionaries = Dictionaries {
            specs: Cursor(cursor.table("specs")?).strings()?,
            heads: Cursor(cursor.table("sections")?).heads()?,
            encounters: Cursor(cursor.table("encounters")?).encounters()?,
        };
        cursor.expect(SERVERS_START)?;
        let servers = servers(cursor.until(SERVERS_END)?)?;
        cursor.expect("D.models=[")?;
        let level = cursor.until("[\n")?;
        let models = cursor.until(&format!("]{level}]\n"))?;
        let models = Models::parse(models.as_bytes()).context("its models are damaged")?;
        let sizes = dictionaries.sizes();
        Ok(Trailer { region, updated_at, players, parts, precision, fields, dictionaries, sizes, servers, models })
    }
}

/// The names of the optional fields of a database of this format.
fn fields_of(format: u32) -> &'static [(&'static str, Field)] {
    const FIELDS: [(&str, Field); 6] = [
        ("median", Field::Median),
        ("kills", Field::Kills),
        ("spec", Field::Spec),
        ("allStars", Field::AllStars),
        ("bossAllStars", Field::BossAllStars),
        ("score", Field::Score),
    ];
    if format == FORMAT { &FIELDS[..3] } else { &FIELDS }
}

fn servers(text: &str) -> Result<Vec<Server>> {
    let server = |line: &str| {
        let mut columns = line.split('\t').skip(1).map(str::to_owned);
        let (normalized_name, name, slug) = (columns.next()?, columns.next()?, columns.next()?);
        columns.next().map(|_| Server { name, slug, normalized_name })
    };
    text.lines().map(|line| server(line).with_context(|| format!("the server line {line:?} is damaged"))).collect()
}

/// Parses the subset of Lua that Stint writes.
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

    /// A line `D.name=value`.
    fn line(&mut self, name: &str) -> Result<&'a str> {
        self.expect(&format!("D.{name}="))?;
        self.until("\n")
    }

    fn field<T: FromStr>(&mut self, name: &str) -> Result<T> {
        let text = self.line(name)?;
        text.parse().ok().with_context(|| format!("its {name} is {text:?}, which cannot be"))
    }

    fn quoted(&mut self, name: &str) -> Result<String> {
        let mut value = Cursor(self.line(name)?);
        value.string()
    }

    fn table(&mut self, name: &str) -> Result<&'a str> {
        let text = self.line(name)?;
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        text.with_context(|| format!("its {name} are no table"))
    }

    /// A text in quotation marks and the comma after it, if any.
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

    fn heads(&mut self) -> Result<Vec<SectionKey>> {
        let mut heads = Vec::new();
        while !self.0.is_empty() {
            heads.push(SectionKey { raid: self.number()?, difficulty: self.number()?, metric: self.string()? });
        }
        Ok(heads)
    }

    fn encounters(&mut self) -> Result<BTreeMap<u32, Vec<EncounterId>>> {
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
