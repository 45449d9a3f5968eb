//! Queues and their dead letters.

mod peek;

use std::sync::Arc;

use anyhow::{anyhow, ensure};
use serde::Serialize;
use stint_core::ports::{Counts, PortError, Queue};

use super::Context;
use crate::table::Table;
use crate::wiring::Stores;
use crate::words::{count, number};

/// What to do with queues.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List the queues and how much is in them.
    List,
    /// Show messages, or dead letters with their reasons, without touching them.
    Peek(peek::Peek),
    /// Send dead letters back to their queue, with their receives forgotten.
    Redrive(Redrive),
    /// Delete dead letters, or everything that is in a queue.
    Purge(Purge),
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint queue redrive --dry-run")]
struct Redrive {
    /// The queue; without it wcl-discovered-players, the backlog.
    queue: Option<String>,
    /// Only say how many would go back.
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint queue purge --dead --dry-run\n  stint queue purge wcl-discovered-players --all --yes"
)]
struct Purge {
    /// The queue; without it wcl-discovered-players, the backlog.
    queue: Option<String>,
    /// The dead letters only, which is what is done without --all too.
    #[arg(long, conflicts_with = "all")]
    dead: bool,
    /// Waiting messages too, and those that are being worked on.
    #[arg(long)]
    all: bool,
    /// Only say how many would be deleted.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Yes, delete them for good.
    #[arg(long)]
    yes: bool,
}

/// A queue as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct QueueView {
    pub(crate) queue: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Taken out of the queue to wait for points.
    pub(crate) parked: u64,
}

impl QueueView {
    /// A queue of the fleet as it stands.
    pub(crate) async fn read(queue: &dyn Queue, stores: &Stores) -> anyhow::Result<QueueView> {
        let parked = stores.pool.count_parked(queue.name()).await?;
        Ok(QueueView { counts: queue.counts().await?, parked, queue: queue.name().to_owned() })
    }
}

#[derive(Serialize)]
struct Listed {
    queues: Vec<QueueView>,
}

#[derive(Serialize)]
struct Redriven {
    queue: String,
    redriven: u64,
    dry_run: bool,
}

#[derive(Serialize)]
struct Purged {
    queue: String,
    deleted: u64,
    dry_run: bool,
}

/// Lists queues, looks into one, or changes one.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let stores = context.existing_stores().await?;
    match arguments.action {
        Action::List => list(&stores, context).await,
        Action::Peek(arguments) => peek::run(&arguments, &stores, context).await,
        Action::Redrive(arguments) => redrive(&arguments, &stores, context).await,
        Action::Purge(arguments) => purge(&arguments, &stores, context).await,
    }
}

/// The queue of that name; without a name the backlog.
fn find(name: Option<&str>, stores: &Stores) -> anyhow::Result<Arc<dyn Queue>> {
    let Some(name) = name else { return Ok(stores.queue.clone()) };
    let all = || stores.queues().into_iter().chain(&stores.others);
    all().find(|queue| queue.name() == name).cloned().ok_or_else(|| {
        let names: Vec<&str> = all().map(|queue| queue.name()).collect();
        anyhow!("there is no queue '{name}'; there are: {}", names.join(", "))
    })
}

async fn list(stores: &Stores, context: &Context) -> anyhow::Result<()> {
    let mut listed = Listed { queues: Vec::new() };
    for queue in stores.queues() {
        listed.queues.push(QueueView::read(&**queue, stores).await?);
    }
    // A fleet that was never started here, or is not deployed, has nothing to show.
    for queue in &stores.others {
        match queue.counts().await {
            Ok(counts) if counts == Counts::default() => {}
            Err(PortError::Missing(_)) => {}
            Ok(_) => listed.queues.push(QueueView::read(&**queue, stores).await?),
            Err(error) => return Err(error.into()),
        }
    }
    context.output.result(&listed, |listed| {
        let mut table =
            Table::new(["queue", ">visible", ">in flight", ">delayed", ">dead letters", ">parked for points"]);
        for QueueView { queue, counts, parked } in &listed.queues {
            let [visible, in_flight, delayed, dead, parked] =
                [counts.visible, counts.in_flight, counts.delayed, counts.dead, *parked].map(number);
            table.row([queue.clone(), visible, in_flight, delayed, dead, parked]);
        }
        table.to_string()
    })
}

async fn redrive(arguments: &Redrive, stores: &Stores, context: &Context) -> anyhow::Result<()> {
    let queue = find(arguments.queue.as_deref(), stores)?;
    let redriven = if arguments.dry_run { queue.counts().await?.dead } else { queue.redrive().await? };
    let result = Redriven { queue: queue.name().to_owned(), redriven, dry_run: arguments.dry_run };
    context.output.result(&result, |Redriven { queue, redriven, dry_run }| {
        let letters = count(*redriven, "dead letter", "dead letters");
        if *dry_run {
            format!("would send {letters} back to {queue}\n")
        } else {
            format!("sent {letters} back to {queue}\n")
        }
    })
}

async fn purge(arguments: &Purge, stores: &Stores, context: &Context) -> anyhow::Result<()> {
    let queue = find(arguments.queue.as_deref(), stores)?;
    let counts = queue.counts().await?;
    let found = counts.dead + if arguments.all { counts.unfinished() } else { 0 };
    let what = |number| {
        if arguments.all { count(number, "message", "messages") } else { count(number, "dead letter", "dead letters") }
    };
    ensure!(
        arguments.yes || arguments.dry_run,
        "this would delete {} of {} for good: add --yes if that is what you want, or look first with `stint queue \
         peek{}`; nothing was deleted",
        what(found),
        queue.name(),
        if arguments.all { "" } else { " --dead" }
    );
    let deleted = if arguments.dry_run { found } else { queue.purge(arguments.all).await? };
    if arguments.all && !arguments.dry_run && queue.name() == stores.queue.name() {
        // Their players would count as queued for two weeks. Those who are parked may be queued twice.
        stores.discovers.forget_queued().await?;
    }
    let result = Purged { queue: queue.name().to_owned(), deleted, dry_run: arguments.dry_run };
    context.output.result(&result, |Purged { queue, deleted, dry_run }| {
        let verb = if *dry_run { "would delete" } else { "deleted" };
        format!("{verb} {} of {queue}\n", what(*deleted))
    })
}
