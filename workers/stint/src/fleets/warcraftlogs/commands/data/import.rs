//! Imports documents.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use clap::ValueEnum;
use serde::Serialize;
use stint_warcraftlogs::player_ref::REGIONS;
use stint_warcraftlogs::store::{ImportCounts, Milestone};

use super::Collection;
use super::batch::{self, ImportBatch};
use super::documents::{DocumentText, Documents};
use super::raidlogs::{self, KnownServers};
use super::unknown::UnknownFields;
use crate::context::Context;
use crate::escape::one_line;
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::fleets::warcraftlogs::stores::Stores;
use crate::format::{count, number};
use crate::progress_bars::{ProgressBar, ProgressStyle};
use crate::usage::WrongUsage;

/// The number of documents per transaction. It bounds the memory used, whatever the size of the file.
const BATCH: usize = 1_000;

/// The number of documents between two progress messages, if no progress bar is shown.
const PROGRESS_DOCUMENTS: u64 = 50_000;

/// The number of bad documents that are reported individually. Further ones are only counted.
const MAX_REPORTED: u64 = 20;

/// Warcraft Logs: read documents from a file, one per line, or one JSON array, and merge them with what is stored.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mongoexport -c discovery_schedules | stint data import wcl discovery_schedules -\n  \
                        stint data import wcl players players.jsonl --dry-run\n\nDocuments may be in relaxed or canonical \
                        extended JSON. Imported documents are merged with the stored ones, so importing a file twice has no further effect. For a player in both, the latest update counts, unless --overwrite is given. Unknown fields are counted and reported."
)]
pub(in crate::fleets::warcraftlogs) struct Import {
    /// The collection.
    collection: Collection,
    /// The file, or - for standard input.
    file: PathBuf,
    /// The program that wrote the documents, if not Stint. Its players are converted.
    #[arg(long, value_enum)]
    from: Option<ImportFormat>,
    /// Replace the stored ranks of a player in the same raid and difficulty, even if they are newer.
    #[arg(long)]
    overwrite: bool,
    /// Leave out documents that cannot be read, and count them, instead of stopping at the first one.
    #[arg(long)]
    skip_bad: bool,
    /// Only check every document; store nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Programs whose documents can be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ImportFormat {
    /// The deployment that Stint's first source document describes: players with percentiles by boss, without class and
    /// date.
    Raidlogs,
}

#[derive(Serialize)]
struct Imported {
    collection: Collection,
    /// Documents that were stored, or that could be stored with `dry_run`.
    documents: u64,
    /// Documents that were left out.
    bad: u64,
    dry_run: bool,
    /// How players were merged, if that depends on what is stored.
    players: Option<ImportCounts>,
    /// How many documents have each field that is not known and was left out.
    unknown_fields: UnknownFields,
}

#[async_trait(?Send)]
impl FleetCommand for Import {
    async fn run(self, _: &'static dyn Fleet, context: &Context) -> Result<()> {
        run(&self, context).await
    }
}

async fn run(arguments: &Import, context: &Context) -> Result<()> {
    let Import { collection, file, dry_run, .. } = arguments;
    if *collection != Collection::Players && (arguments.from.is_some() || arguments.overwrite) {
        let text = format!("--from and --overwrite are for players, not for {}", collection.name());
        return Err(WrongUsage::error(text));
    }
    let reader = open(file, context)?;
    // A dry run creates nothing, not even a folder.
    let stores = if *dry_run { None } else { Some(Stores::from_environment(context).await?) };
    let mut importing = Importing {
        arguments,
        context,
        servers: KnownServers::new(),
        stores,
        batch: ImportBatch::new(*collection),
        unknown: UnknownFields::default(),
        players: None,
        stored: 0,
        bad: 0,
    };
    importing.load_known_servers().await?;
    let read = importing.read_all(Documents::new(reader)).await;
    importing.mark_sent().await?;
    read.with_context(|| format!("cannot import {}", name(file)))?;
    let Importing { stored, bad, players, unknown, .. } = importing;
    for (path, documents) in unknown.iter() {
        let documents = count(documents, "document", "documents");
        context.output.warning(&format!("unknown field {} was left out: {documents}", one_line(path)));
    }
    if *dry_run && bad > 0 && !arguments.skip_bad {
        let (good, bad) = (count(stored, "document is", "documents are"), count(bad, "is not", "are not"));
        bail!("{good} good and {bad}; see above for the lines");
    }
    let collection = *collection;
    let imported = Imported { collection, documents: stored, bad, dry_run: *dry_run, players, unknown_fields: unknown };
    context.output.result(&imported, to_text)
}

/// A running import.
struct Importing<'a> {
    arguments: &'a Import,
    context: &'a Context,
    stores: Option<Stores>,
    /// Needed for documents that give only a server's name.
    servers: KnownServers,
    batch: ImportBatch,
    unknown: UnknownFields,
    players: Option<ImportCounts>,
    stored: u64,
    bad: u64,
}

impl Importing<'_> {
    async fn read_all(&mut self, mut documents: Documents<Box<dyn io::BufRead>>) -> Result<()> {
        loop {
            let document = match documents.next_document() {
                Ok(document) => document,
                Err(error) => return Err(self.stop(&format!("{error:#}"), "").await?),
            };
            let Some(DocumentText { line, bytes }) = document else { break };
            if let Err(reason) = self.push(&bytes) {
                self.report_bad(line, &reason).await?;
            }
            if self.batch.len() >= BATCH {
                self.store().await?;
            }
        }
        self.store().await
    }

    /// Wakes the workers that have work because of what was stored, whether or not the import succeeded.
    async fn mark_sent(&self) -> Result<()> {
        let Some(stores) = self.stores.as_ref().filter(|_| self.stored > 0) else { return Ok(()) };
        let now = self.context.clock.now();
        match self.arguments.collection {
            Collection::DiscoverySchedules => stores.start_discovery(now).await,
            Collection::Discovers => stores.start_aggregator(now).await,
            Collection::Players => {
                stores.milestones.pass(Milestone::Imported, now).await?;
                stores.start_aggregator(now).await;
            }
            Collection::Dropped => {}
        }
        Ok(())
    }

    /// Reads, converts and checks one document.
    fn push(&mut self, text: &[u8]) -> Result<(), String> {
        match self.arguments.from {
            None => self.batch.push(text, &mut self.unknown),
            Some(ImportFormat::Raidlogs) => {
                let player = raidlogs::player(&batch::document(text)?, &self.servers, &mut self.unknown)?;
                self.batch.push_player(player)
            }
        }
    }

    /// Reads the servers of stored players, if the documents do not describe servers completely.
    async fn load_known_servers(&mut self) -> Result<()> {
        let Some(stores) = self.stores.as_ref().filter(|_| self.arguments.from.is_some()) else { return Ok(()) };
        for region in REGIONS {
            self.servers.insert(region.to_owned(), stores.directory.servers(region).await?);
        }
        Ok(())
    }

    /// Stops at a bad document, unless the user asked to continue.
    async fn report_bad(&mut self, line: u64, reason: &str) -> Result<()> {
        let text = format!("line {line}: {}", one_line(reason));
        if !self.arguments.skip_bad && !self.arguments.dry_run {
            let remedy = "; fix the line, or leave such documents out with --skip-bad";
            return Err(self.stop(&text, remedy).await?);
        }
        self.bad += 1;
        match self.bad {
            bad if bad <= MAX_REPORTED => self.context.output.warning(&text),
            bad if bad == MAX_REPORTED + 1 => self.context.output.warning("further bad documents are only counted"),
            _ => {}
        }
        Ok(())
    }

    /// Stores the documents read before the error, so that the reported count is correct.
    async fn stop(&mut self, reason: &str, remedy: &str) -> Result<anyhow::Error> {
        self.store().await?;
        let before = count(self.stored, "document", "documents");
        let done = if self.arguments.dry_run { "checked" } else { "imported" };
        Ok(anyhow::anyhow!("{reason} ({before} {done} before it){remedy}"))
    }

    async fn store(&mut self) -> Result<()> {
        if let Some(stores) = &self.stores
            && let Some(merged) = self.batch.store(stores, self.arguments.overwrite).await?
        {
            self.players.get_or_insert_default().add(merged);
        }
        let before = self.stored;
        self.stored += self.batch.len() as u64;
        self.batch.clear();
        if self.stored / PROGRESS_DOCUMENTS > before / PROGRESS_DOCUMENTS {
            self.context.output.progress(&format!("{} so far", count(self.stored, "document", "documents")));
        }
        Ok(())
    }
}

/// Opens the file behind a progress bar, if stderr is a terminal and the file is long enough to take a while.
fn open(path: &Path, context: &Context) -> Result<Box<dyn io::BufRead>> {
    let (input, length): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let buffered = |input| Box::new(BufReader::with_capacity(1 << 18, input));
    if !context.output.is_interactive() {
        return Ok(buffered(input));
    }
    let bar = context.output.progress_bars().add(ProgressBar::no_length());
    let template = match length {
        Some(length) => {
            bar.set_length(length);
            "{bytes} of {total_bytes} {bar:40} {eta}"
        }
        None => "{bytes} read",
    };
    bar.set_style(ProgressStyle::with_template(template)?);
    Ok(buffered(Box::new(bar.wrap_read(input)) as Box<dyn Read>))
}

fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn to_text(imported: &Imported) -> String {
    let Imported { collection, documents, bad, dry_run, players, .. } = imported;
    let players = players.as_ref().map_or_else(String::new, |ImportCounts { new, updated, older }| {
        format!("{} new, {} updated, {} older than what is stored\n", number(*new), number(*updated), number(*older))
    });
    let verb = if *dry_run { "could import" } else { "imported" };
    let left_out = if *bad > 0 {
        format!(", and left out {}", count(*bad, "bad document", "bad documents"))
    } else {
        String::new()
    };
    format!("{verb} {} of {}{left_out}\n{players}", count(*documents, "document", "documents"), collection.name())
}
