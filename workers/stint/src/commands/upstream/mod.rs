//! A stand-in upstream alone, behind a real socket on loopback.

mod poe_stashes;
mod warcraftlogs;

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use serde::Serialize;
use stint_standins::Upstream;
use tokio::net::TcpListener;

use super::Context;

/// Whose upstream, and how it is set up.
#[derive(clap::Args)]
#[command(after_help = "It listens on loopback only, and prints the settings that point a fleet at it. What it has \
                        counted, refused and served is at /standin/books.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    fleet: Fleet,
}

/// The fleets whose upstream there is a stand-in for.
#[derive(clap::Subcommand)]
enum Fleet {
    /// Warcraft Logs: points, tokens, and ranking pages.
    #[command(name = "warcraftlogs")]
    WarcraftLogs(warcraftlogs::Arguments),
    /// The public stash river of Path of Exile: pages, limits in headers, and bans.
    PoeStashes(poe_stashes::Arguments),
}

/// Serves until Ctrl-C.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.fleet {
        Fleet::WarcraftLogs(arguments) => warcraftlogs::run(arguments, context).await,
        Fleet::PoeStashes(arguments) => poe_stashes::run(arguments, context).await,
    }
}

/// Listens on `port`, prints what `address` makes of the port that it is, and serves `upstream` until Ctrl-C.
async fn serve<A: Serialize>(
    upstream: impl Upstream + 'static,
    port: u16,
    address: impl FnOnce(u16) -> A,
    in_words: impl FnOnce(&A) -> String,
    context: &Context,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.with_context(|| format!("cannot listen on port {port}; try --port 0"))?;
    context.output.result(&address(listener.local_addr()?.port()), in_words)?;
    let until_interrupted = async {
        // Without a handler the process ends by the signal, which is as good.
        let _ = tokio::signal::ctrl_c().await;
    };
    stint_standins::serve(Arc::new(Mutex::new(upstream)), context.clock.clone(), listener, until_interrupted).await?;
    Ok(())
}
