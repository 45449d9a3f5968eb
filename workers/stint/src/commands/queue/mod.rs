//! Queues and their dead letters.

mod fleet_queue;
mod peek;

use anyhow::ensure;
use serde::Serialize;
use stint_core::ports::{Counts, PortError};

use super::selection::Selection;
use crate::context::Context;
use crate::fleets::fleet::Fleet;
use crate::format::{count, number};
use crate::table::Table;
use crate::views::queue::QueueView;
use fleet_queue::{FleetQueue, backlog, fleet_of, queues};

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
    /// Show messages, or dead letters with their reasons, without receiving them.
    Peek(peek::Peek),
    /// Send dead letters back to their queue, with their receive counts reset.
    Redrive(Redrive),
    /// Delete dead letters, or all messages of a queue.
    Purge(Purge),
}

impl Action {
    /// Returns the fleet of the named queue. Without a name, or with one that no queue has, any fleet may be meant.
    fn fleets(&self) -> Vec<&'static dyn Fleet> {
        let queue = match self {
            Action::List => &None,
            Action::Peek(arguments) => &arguments.queue,
            Action::Redrive(arguments) => &arguments.queue,
            Action::Purge(arguments) => &arguments.queue,
        };
        queue.as_deref().and_then(fleet_of).into_iter().collect()
    }
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint queue redrive --dry-run")]
struct Redrive {
    #[arg(help = format!("The queue; without it {}, the backlog", backlog()))]
    queue: Option<String>,
    /// Only print how many would be sent back.
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  stint queue purge --dead --dry-run\n  stint queue purge {} --all --yes", backlog())
)]
struct Purge {
    #[arg(help = format!("The queue; without it {}, the backlog", backlog()))]
    queue: Option<String>,
    /// Only the dead letters. This is the default.
    #[arg(long, conflicts_with = "all")]
    dead: bool,
    /// Also waiting messages, and messages in flight.
    #[arg(long)]
    all: bool,
    /// Only print how many would be deleted.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Confirm the deletion.
    #[arg(long)]
    yes: bool,
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
    /// Other queues with dead letters, if no queue was named and this one has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<String>,
}

#[derive(Serialize)]
struct Purged {
    queue: String,
    deleted: u64,
    dry_run: bool,
}

/// Lists queues, looks into one, or changes one.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let selection = Selection::existing(&arguments.action.fleets(), context).await?;
    match arguments.action {
        Action::List => list(&selection, context).await,
        Action::Peek(arguments) => peek::run(&arguments, &selection, context).await,
        Action::Redrive(arguments) => redrive(&arguments, &selection, context).await,
        Action::Purge(arguments) => purge(&arguments, &selection, context).await,
    }
}

/// Lists the queues of the first fleet, and the queues of other fleets that contain messages. A fleet that was never
/// started here has nothing to show, and a fleet that is not deployed has no queues.
async fn list(selection: &Selection, context: &Context) -> anyhow::Result<()> {
    let (mut listed, mut missing) = (Listed { queues: Vec::new() }, None);
    for fleet_queue in queues(selection)? {
        let is_first = selection.fleets.first().is_some_and(|first| first.name() == fleet_queue.fleet.name());
        match fleet_queue.queue.counts().await {
            Ok(counts) if counts == Counts::default() && !is_first => {}
            Ok(_) => listed.queues.push(fleet_queue.view(selection).await?),
            Err(error @ PortError::Missing(_)) => missing = missing.or(Some(error)),
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(error) = missing.filter(|_| listed.queues.is_empty()) {
        return Err(error.into());
    }
    context.output.result(&listed, |listed| {
        let mut table =
            Table::new(["queue", ">visible", ">in flight", ">delayed", ">dead letters", ">parked for points"]);
        for QueueView { queue, counts, parked } in &listed.queues {
            let [visible, in_flight, delayed, dead, parked] =
                [counts.visible, counts.in_flight, counts.delayed, counts.dead_letters, *parked].map(number);
            table.row([queue.clone(), visible, in_flight, delayed, dead, parked]);
        }
        table.to_string()
    })
}

async fn redrive(arguments: &Redrive, selection: &Selection, context: &Context) -> anyhow::Result<()> {
    let queue = FleetQueue::find(arguments.queue.as_deref(), selection)?.queue;
    let redriven = if arguments.dry_run { queue.counts().await?.dead_letters } else { queue.redrive().await? };
    let is_elsewhere = redriven == 0 && arguments.queue.is_none();
    let elsewhere = if is_elsewhere { with_dead_letters(selection).await? } else { Vec::new() };
    let result = Redriven { queue: queue.name().to_owned(), redriven, dry_run: arguments.dry_run, elsewhere };
    context.output.result(&result, |Redriven { queue, redriven, dry_run, elsewhere }| {
        let letters = count(*redriven, "dead letter", "dead letters");
        let verb = if *dry_run { "would send" } else { "sent" };
        let hints = elsewhere.iter().map(|other| format!("{other} has dead letters: `stint queue redrive {other}`\n"));
        format!("{verb} {letters} back to {queue}\n{}", hints.collect::<String>())
    })
}

/// Returns the queues with dead letters. A queue that is not deployed has none.
async fn with_dead_letters(selection: &Selection) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for FleetQueue { queue, .. } in queues(selection)? {
        match queue.counts().await {
            Ok(counts) if counts.dead_letters > 0 => found.push(queue.name().to_owned()),
            Ok(_) | Err(PortError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

async fn purge(arguments: &Purge, selection: &Selection, context: &Context) -> anyhow::Result<()> {
    let FleetQueue { fleet, queue } = FleetQueue::find(arguments.queue.as_deref(), selection)?;
    let counts = queue.counts().await?;
    let found = counts.dead_letters + if arguments.all { counts.unfinished() } else { 0 };
    let what = |number| {
        if arguments.all { count(number, "message", "messages") } else { count(number, "dead letter", "dead letters") }
    };
    ensure!(
        arguments.yes || arguments.dry_run,
        "this would permanently delete {} of {}: add --yes to confirm, or look first with `stint queue \
         peek{}`; nothing was deleted",
        what(found),
        queue.name(),
        if arguments.all { "" } else { " --dead" }
    );
    let deleted = if arguments.dry_run { found } else { queue.purge(arguments.all).await? };
    if arguments.all && !arguments.dry_run {
        fleet.after_purge(queue.name(), &selection.settings, &selection.backends).await?;
    }
    let result = Purged { queue: queue.name().to_owned(), deleted, dry_run: arguments.dry_run };
    context.output.result(&result, |Purged { queue, deleted, dry_run }| {
        let verb = if *dry_run { "would delete" } else { "deleted" };
        format!("{verb} {} of {queue}\n", what(*deleted))
    })
}
