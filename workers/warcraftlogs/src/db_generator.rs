//! Makes the Lua databases from all players, and publishes them.
//!
//! # What may happen between any two lines
//! * *The process exits while writing:* each file is written under another name and then renamed, so the old files stay
//!   whole. The intermediate rows are in an unnamed file, which vanishes with the process.
//! * *The process exits between two files of a region that has several:* the folder then holds files of two
//!   generations, which do not read back. None of them is published yet, and the next run replaces them.
//! * *The process exits before or during publishing:* the next run generates again and publishes what differs;
//!   [`publish`](crate::publish) says what may happen there.
//! * *The process exits before or while writing archives:* each is written under another name and then renamed, and the
//!   next run writes all of them.
//! * *The process exits before it records that it ran:* the aggregator wakes it again, and it publishes nothing, since
//!   nothing changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use stint_core::schedule::Every;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

use crate::addon::{Archive, write_archives};
use crate::lua::{DatabaseOptions, DatabaseWriter, GenerationReport};
use crate::publish::{Publication, Published, Publisher};
use crate::store::{Milestone, Milestones, Players};

/// Documents read at a time, while the previous ones are being decoded.
const PAGE: usize = 4_000;

/// Generates and publishes the databases.
pub struct DbGenerator {
    players: Arc<dyn Players>,
    publisher: Option<Arc<dyn Publisher>>,
    folder: PathBuf,
    archives: Option<PathBuf>,
    options: DatabaseOptions,
    milestones: Option<Arc<dyn Milestones>>,
}

/// Summary of one invocation.
#[derive(Debug, Serialize)]
struct GeneratorReport {
    #[serde(flatten)]
    report: GenerationReport,
    /// In words.
    published: String,
    publication: Option<Publication>,
    archives: Vec<Archive>,
}

impl DbGenerator {
    /// A generator that writes into `folder`, and publishes from there if `publisher` is set.
    pub fn new(players: Arc<dyn Players>, publisher: Option<Arc<dyn Publisher>>, folder: PathBuf) -> DbGenerator {
        DbGenerator {
            players,
            publisher,
            folder,
            archives: None,
            options: DatabaseOptions::default(),
            milestones: None,
        }
    }

    /// Also writes an archive for each region into this folder.
    pub fn with_archives(self, archives: Option<PathBuf>) -> DbGenerator {
        DbGenerator { archives, ..self }
    }

    /// Also records when it last ran.
    pub fn with_milestones(self, milestones: Arc<dyn Milestones>) -> DbGenerator {
        DbGenerator { milestones: Some(milestones), ..self }
    }

    /// Generates databases with the contents that `options` select.
    pub fn with_options(self, options: DatabaseOptions) -> DbGenerator {
        DbGenerator { options, ..self }
    }
}

impl Worker for DbGenerator {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "db-generator",
        summary: "writes all players into Lua databases by region and pushes them to git",
        triggers: &[Trigger::Every(Every::new(Duration::from_secs(24 * 60 * 60))), Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let begun = invocation.now();
        let failed = |error: anyhow::Error| WorkerError::Failed(format!("{error:#}"));
        let (folder, options) = (self.folder.clone(), self.options.clone());
        let writer = on_own_thread(move || DatabaseWriter::create_with(folder, options)).await.map_err(failed)?;
        let report = generate(&*self.players, writer, invocation).await.map_err(failed)?;
        let (published, publication) = match &self.publisher {
            Some(publisher) => {
                let published = publisher.publish(&self.folder).await;
                describe(published.map_err(|error| WorkerError::Failed(error.to_string()))?)
            }
            None => (format!("files in {}", self.folder.display()), None),
        };
        let archives = match (self.archives.clone(), self.folder.clone()) {
            (Some(target), folder) => on_own_thread(move || write_archives(&folder, &target)).await.map_err(failed)?,
            (None, _) => Vec::new(),
        };
        if let Some(milestones) = &self.milestones {
            milestones.pass(Milestone::Generated, begun).await?;
        }
        Ok(Outcome::report(GeneratorReport { report, published, publication, archives }))
    }
}

/// Streams all documents into the writer, in the order in which the store reads them fastest. The writer sorts them.
async fn generate(
    players: &dyn Players,
    mut writer: DatabaseWriter,
    invocation: &Invocation,
) -> anyhow::Result<GenerationReport> {
    let mut after = None;
    loop {
        let page = players.documents(after, PAGE).await?;
        for damaged in &page.damaged {
            tracing::warn!(player = damaged.id, "player {} is left out: {}", damaged.id, damaged.reason);
        }
        let documents = page.documents;
        writer = on_own_thread(move || writer.push_documents(documents).map(|()| writer)).await?;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let now = invocation.now();
    on_own_thread(move || writer.finish(now)).await
}

/// Runs CPU-bound work on its own thread, so that other tasks of this thread, such as the other schedules of a host,
/// continue.
async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the databases were not written to their end")?
}

/// Returns a publication in words, and the publication itself.
fn describe(published: Published) -> (String, Option<Publication>) {
    match published {
        Published::Unchanged => ("nothing changed".to_owned(), None),
        Published::Planned(publication) | Published::Pushed(publication) => (publication.to_text(), Some(publication)),
    }
}
