//! Documents out.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use serde::Serialize;
use stint_core::ports::PortResult;
use stint_warcraftlogs::store::{Damaged, Page};

use super::Collection;
use super::aside::Aside;
use crate::commands::Context;
use crate::usage::WrongUsage;
use crate::wiring::Stores;
use crate::words::count;

/// Documents read at a time: what is in memory, whatever the collection's size.
const PAGE: usize = 1_000;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint data export players players.jsonl\n  stint data export discovers - | mongoimport \
                        -c discovers\n\nWrites relaxed extended JSON, one document to a line, as mongoexport does."
)]
pub(super) struct Export {
    /// The collection.
    collection: Collection,
    /// The file, or - for standard output.
    file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    /// Leave out stored documents that cannot be read, and count them, instead of stopping at the first.
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Serialize)]
struct Exported {
    collection: Collection,
    file: PathBuf,
    documents: u64,
    bad: u64,
}

pub(super) async fn run(arguments: &Export, context: &Context) -> Result<()> {
    let Export { collection, file, force, .. } = arguments;
    let to_stdout = file == Path::new("-");
    if to_stdout && context.output.is_json() {
        return Err(WrongUsage::error("--json and - both want standard output: name a file, or leave --json away"));
    }
    let stores = context.existing_stores().await?;
    if to_stdout {
        let mut exporting = Exporting::new(arguments, context, BufWriter::new(io::stdout().lock()));
        return match exporting.write_all(&stores).await.and_then(|()| Ok(exporting.sink.flush()?)) {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            written => written.context("cannot export to standard output"),
        };
    }
    let mut exporting = Exporting::new(arguments, context, Aside::create(file, *force)?);
    exporting.write_all(&stores).await?;
    let Exporting { sink, documents, bad, .. } = exporting;
    sink.finish()?;
    let exported = Exported { collection: *collection, file: file.clone(), documents, bad };
    context.output.result(&exported, in_words)
}

/// Whoever read us has seen enough: `stint data export players - | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An export that is under way.
struct Exporting<'a, W> {
    arguments: &'a Export,
    context: &'a Context,
    sink: W,
    documents: u64,
    bad: u64,
    bar: ProgressBar,
}

impl<'a, W: Write> Exporting<'a, W> {
    fn new(arguments: &'a Export, context: &'a Context, sink: W) -> Exporting<'a, W> {
        let watched = context.output.is_watched() && arguments.file != Path::new("-");
        let bar = if watched { context.output.bars().add(ProgressBar::new_spinner()) } else { ProgressBar::hidden() };
        Exporting { arguments, context, sink, documents: 0, bad: 0, bar }
    }

    async fn write_all(&mut self, stores: &Stores) -> Result<()> {
        match self.arguments.collection {
            Collection::Players => {
                self.write_pages(async |after| stores.players.page(after.as_ref(), PAGE).await).await
            }
            Collection::Discovers => self.write_pages(async |after| stores.discovers.page(after, PAGE).await).await,
            Collection::Dropped => self.write_pages(async |after| stores.players.dropped_page(after, PAGE).await).await,
            Collection::DiscoverySchedules => {
                // Operators write rules, so there are few.
                let rules = stores.rules.list().await?;
                let documents: Vec<_> = rules.documents.into_iter().map(|status| status.rule).collect();
                self.write_page(&Page::<_, ()> { documents, damaged: rules.damaged, next: None })
            }
        }
    }

    async fn write_pages<T: Serialize, K>(
        &mut self,
        page: impl AsyncFn(Option<K>) -> PortResult<Page<T, K>>,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let page = page(after).await?;
            self.write_page(&page)?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn write_page<T: Serialize, K>(&mut self, page: &Page<T, K>) -> Result<()> {
        for Damaged { id, reason } in &page.damaged {
            let text =
                format!("the stored document {id} of {} cannot be read: {reason}", self.arguments.collection.name());
            if !self.arguments.skip_bad {
                bail!("{text}; leave such documents out with --skip-bad");
            }
            self.context.output.warning(&text);
            self.bad += 1;
        }
        for document in &page.documents {
            let mut line = serde_json::to_vec(document)?;
            line.push(b'\n');
            self.sink.write_all(&line)?;
            self.documents += 1;
        }
        self.bar.set_message(count(self.documents, "document", "documents"));
        self.bar.tick();
        Ok(())
    }
}

fn in_words(exported: &Exported) -> String {
    let Exported { collection, file, documents, bad } = exported;
    let left_out = if *bad > 0 {
        format!(", and left out {}", count(*bad, "bad document", "bad documents"))
    } else {
        String::new()
    };
    format!(
        "exported {} of {} to {}{left_out}\n",
        count(*documents, "document", "documents"),
        collection.name(),
        file.display()
    )
}
