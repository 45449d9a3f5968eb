//! Makes the Lua databases out of all players, and publishes them.
//!
//! # What may happen between any two lines
//! * *Dies while writing:* files are written aside and renamed, so the old ones stay whole.
//! * *Dies before or during publishing:* the next run generates again and publishes what differs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::lua::{DatabaseWriter, Report};
use crate::publish::{Published, Publisher};
use crate::store::Players;

/// Players read at a time: what is in memory, beside the largest server.
const PAGE: usize = 2_000;

/// Generates and publishes the databases.
pub struct DbGenerator {
    players: Arc<dyn Players>,
    publisher: Option<Arc<dyn Publisher>>,
    folder: PathBuf,
}

/// What an invocation did.
#[derive(Debug, Serialize)]
struct Summary {
    #[serde(flatten)]
    report: Report,
    published: String,
}

impl DbGenerator {
    /// A generator that writes into `folder`, and publishes from there if there is a publisher.
    pub fn new(players: Arc<dyn Players>, publisher: Option<Arc<dyn Publisher>>, folder: PathBuf) -> DbGenerator {
        DbGenerator { players, publisher, folder }
    }
}

impl Worker for DbGenerator {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "db-generator",
        summary: "writes all players into Lua databases by region and pushes them to git",
        triggers: &[Trigger::Every { period: Duration::from_secs(24 * 60 * 60) }],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let failed = |error: anyhow::Error| WorkerError::Failed(format!("{error:#}"));
        let report = generate(&*self.players, self.folder.clone(), invocation).await.map_err(failed)?;
        let Some(publisher) = &self.publisher else {
            let published = format!("files in {}", self.folder.display());
            return Ok(Outcome::report(Summary { report, published }));
        };
        let published = publisher.publish(&self.folder, &message(&report)).await;
        let published = published.map_err(|error| WorkerError::Failed(error.to_string()))?;
        Ok(Outcome::report(Summary { report, published: describe(&published) }))
    }
}

/// Streams all players into the writer, which wants them by region and server, as the store has them.
async fn generate(players: &dyn Players, folder: PathBuf, invocation: &Invocation) -> anyhow::Result<Report> {
    let mut writer = DatabaseWriter::create(folder)?;
    let mut after = None;
    loop {
        let page = players.page(after.as_ref(), PAGE).await?;
        for damaged in &page.damaged {
            tracing::warn!(player = damaged.id, "player {} is left out: {}", damaged.id, damaged.reason);
        }
        page.documents.into_iter().try_for_each(|player| writer.push(player))?;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    writer.finish(invocation.now())
}

/// The commit's message: what the databases hold.
fn message(report: &Report) -> String {
    let players: u64 = report.regions.iter().map(|region| region.players).sum();
    let regions = report.regions.iter().map(|region| format!("{} {}", region.region, region.players));
    let list = regions.collect::<Vec<_>>().join(", ");
    format!("databases: {players} players\n\n{list}\n")
}

fn describe(published: &Published) -> String {
    match published {
        Published::Unchanged => "nothing changed".into(),
        Published::Pushed { commit, attempts: 1 } => format!("commit {commit}"),
        Published::Pushed { commit, attempts } => format!("commit {commit}, after {attempts} pushes"),
    }
}
