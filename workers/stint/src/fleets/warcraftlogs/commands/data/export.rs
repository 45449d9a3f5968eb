//! Exports documents.

use std::path::PathBuf;

use anyhow::{Result, bail};
use async_trait::async_trait;
use serde::Serialize;
use stint_core::ports::PortResult;
use stint_warcraftlogs::store::{Damaged, Page};

use super::Collection;
use crate::context::Context;
use crate::document_writer::{self, DocumentWriter};
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::fleets::warcraftlogs::stores::Stores;
use crate::format::count;

/// The number of documents read at a time. It bounds the memory used, whatever the size of the collection.
const PAGE: usize = 1_000;

/// Warcraft Logs: write every document of a collection to a file, one per line.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint data export wcl players players.jsonl\n  stint data export wcl discovers - | mongoimport \
                        -c discovers\n\nWrites relaxed extended JSON, one document to a line, as mongoexport does."
)]
pub(in crate::fleets::warcraftlogs) struct Export {
    /// The collection.
    collection: Collection,
    /// The file, or - for standard output.
    file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    /// Leave out stored documents that cannot be read, and count them, instead of stopping at the first one.
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

#[async_trait(?Send)]
impl FleetCommand for Export {
    async fn run(self, _: &'static dyn Fleet, context: &Context) -> Result<()> {
        run(&self, context).await
    }
}

async fn run(arguments: &Export, context: &Context) -> Result<()> {
    let Export { collection, file, force, .. } = arguments;
    let target = document_writer::file_or_stdout(file);
    let writer = DocumentWriter::open(target, *force, context)?;
    let stores = Stores::existing(context).await?;
    let mut exporting = Exporting { arguments, context, writer, bad: 0 };
    let written = match exporting.write_all(&stores).await {
        Ok(()) => exporting.writer.finish(),
        Err(error) => Err(error),
    };
    let Some(documents) = document_writer::ok_unless_broken_pipe(written)? else { return Ok(()) };
    if target.is_none() {
        return Ok(());
    }
    let exported = Exported { collection: *collection, file: file.clone(), documents, bad: exporting.bad };
    context.output.result(&exported, to_text)
}

/// A running export.
struct Exporting<'a> {
    arguments: &'a Export,
    context: &'a Context,
    writer: DocumentWriter,
    bad: u64,
}

impl Exporting<'_> {
    async fn write_all(&mut self, stores: &Stores) -> Result<()> {
        match self.arguments.collection {
            Collection::Players => {
                self.write_pages(async |after| stores.players.page(after.as_ref(), PAGE).await).await
            }
            Collection::Discovers => self.write_pages(async |after| stores.discovers.page(after, PAGE).await).await,
            Collection::Dropped => self.write_pages(async |after| stores.players.dropped_page(after, PAGE).await).await,
            Collection::DiscoverySchedules => {
                // Rules are written by operators, so there are few.
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
        page.documents.iter().try_for_each(|document| self.writer.write(document))
    }
}

fn to_text(exported: &Exported) -> String {
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
