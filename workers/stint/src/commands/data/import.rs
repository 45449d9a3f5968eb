//! Documents in.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Collection;
use super::batch::Batch;
use super::documents::{Documents, Text};
use crate::commands::Context;
use crate::table::printable;
use crate::wiring::Stores;
use crate::words::count;

/// Documents to a transaction: what is in memory, whatever the file's size.
const BATCH: usize = 1_000;

/// Bad documents that are told one by one; the others are counted.
const TOLD: u64 = 20;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  mongoexport -c discovery_schedules | stint data import discovery_schedules -\n  \
                        stint data import players players.jsonl --dry-run\n\nDocuments may be in relaxed or canonical \
                        extended JSON. What is stored already is merged with what comes in, so importing a file twice is \
                        as good as once.")]
pub(super) struct Import {
    /// The collection.
    collection: Collection,
    /// The file, or - for standard input.
    file: PathBuf,
    /// Leave out documents that cannot be read, and count them, instead of stopping at the first.
    #[arg(long)]
    skip_bad: bool,
    /// Only check every document; store nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Imported {
    collection: Collection,
    /// Documents that were stored, or with `dry_run` could be.
    documents: u64,
    /// Documents that were left out.
    bad: u64,
    dry_run: bool,
}

pub(super) async fn run(arguments: &Import, context: &Context) -> Result<()> {
    let Import { collection, file, dry_run, .. } = arguments;
    let reader = open(file, context)?;
    // Not even a folder is created by a dry run.
    let stores = if *dry_run { None } else { Some(context.stores().await?) };
    let mut importing = Importing { arguments, context, stores, batch: Batch::new(*collection), stored: 0, bad: 0 };
    importing.read_all(Documents::new(reader)).await.with_context(|| format!("cannot import {}", name(file)))?;
    let Importing { stored, bad, .. } = importing;
    if *dry_run && bad > 0 && !arguments.skip_bad {
        let (good, bad) = (count(stored, "document is", "documents are"), count(bad, "is not", "are not"));
        bail!("{good} good and {bad}; see above for the lines");
    }
    let imported = Imported { collection: *collection, documents: stored, bad, dry_run: *dry_run };
    context.output.result(&imported, in_words)
}

/// An import that is under way.
struct Importing<'a> {
    arguments: &'a Import,
    context: &'a Context,
    stores: Option<Stores>,
    batch: Batch,
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
            let Some(Text { line, bytes }) = document else { break };
            if let Err(reason) = self.batch.push(&bytes) {
                self.bad(line, &reason).await?;
            }
            if self.batch.len() >= BATCH {
                self.store().await?;
            }
        }
        self.store().await
    }

    /// Stops at a bad document, unless the user wants to hear of all of them.
    async fn bad(&mut self, line: u64, reason: &str) -> Result<()> {
        let text = format!("line {line}: {}", printable(reason));
        if !self.arguments.skip_bad && !self.arguments.dry_run {
            let remedy = "; mend the line, or leave such documents out with --skip-bad";
            return Err(self.stop(&text, remedy).await?);
        }
        self.bad += 1;
        match self.bad {
            bad if bad <= TOLD => self.context.output.warning(&text),
            bad if bad == TOLD + 1 => self.context.output.warning("further bad documents are only counted"),
            _ => {}
        }
        Ok(())
    }

    /// Stores what came before the error, so that the number that is told is true.
    async fn stop(&mut self, reason: &str, remedy: &str) -> Result<anyhow::Error> {
        self.store().await?;
        let before = count(self.stored, "document", "documents");
        let done = if self.arguments.dry_run { "checked" } else { "imported" };
        Ok(anyhow::anyhow!("{reason} ({before} {done} before it){remedy}"))
    }

    async fn store(&mut self) -> Result<()> {
        if let Some(stores) = &self.stores {
            self.batch.store(stores).await?;
        }
        self.stored += self.batch.len() as u64;
        self.batch.clear();
        Ok(())
    }
}

/// Opens the file behind a progress bar, if somebody watches and it is long enough to take a while.
fn open(path: &Path, context: &Context) -> Result<Box<dyn io::BufRead>> {
    let (input, length): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let buffered = |input| Box::new(BufReader::with_capacity(1 << 18, input));
    if !context.output.is_watched() {
        return Ok(buffered(input));
    }
    let bar = context.output.bars().add(ProgressBar::no_length());
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

fn in_words(imported: &Imported) -> String {
    let Imported { collection, documents, bad, dry_run } = imported;
    let verb = if *dry_run { "could import" } else { "imported" };
    let left_out = if *bad > 0 {
        format!(", and left out {}", count(*bad, "bad document", "bad documents"))
    } else {
        String::new()
    };
    format!("{verb} {} of {}{left_out}\n", count(*documents, "document", "documents"), collection.name())
}
