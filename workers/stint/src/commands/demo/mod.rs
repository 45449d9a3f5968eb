//! A whole fleet against its stand-in upstream, on this machine.

mod poe_stashes;
mod warcraftlogs;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use futures::future::{FutureExt, LocalBoxFuture};
use stint_core::points::Points;

use super::Context;

/// Marks a folder as a demo's, so that nothing else is ever replaced.
const MARK: &str = ".stint-demo";

/// How a demo is set up.
#[derive(clap::Args)]
#[command(after_help = "Everything runs on this machine: the upstream is a stand-in on loopback, and nothing real is \
                        asked.\n\nExamples:\n  stint demo --players 3000 --seed 41 --json\n  stint demo poe-stashes --pages 500")]
pub(crate) struct Arguments {
    /// The fleet.
    #[arg(default_value = stint_warcraftlogs::FLEET)]
    fleet: String,
    /// Of poe-stashes: how many pages to follow the river for.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pages: u32,
    /// How many players the stand-in knows.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    players: u32,
    /// How many keys share the work.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=200))]
    keys: u32,
    /// Points per key and window; without it, so many that the keys run dry two or three times.
    #[arg(long)]
    limit: Option<Points>,
    /// How long a key's window is, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(4..=3600))]
    window: u64,
    /// The longest time that the stand-in takes to answer, in milliseconds.
    #[arg(long, default_value_t = 250)]
    latency: u64,
    /// The same seed makes the same players, ranks and costs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the demo's state and what it makes; what an earlier demo left there is replaced.
    #[arg(long, default_value = "./stint-demo")]
    out: PathBuf,
}

/// The demo of a fleet.
type Demo = for<'a> fn(&'a Arguments, &'a Context) -> LocalBoxFuture<'a, anyhow::Result<()>>;

/// Those that there are.
const DEMOS: [(&str, Demo); 2] = [
    (stint_warcraftlogs::FLEET, |arguments, context| warcraftlogs::run(arguments, context).boxed_local()),
    (stint_poe_stashes::FLEET, |arguments, context| poe_stashes::run(arguments, context).boxed_local()),
];

/// Runs the demo.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let Some((_, demo)) = DEMOS.iter().find(|(fleet, _)| *fleet == arguments.fleet) else {
        let fleets: Vec<&str> = DEMOS.iter().map(|(fleet, _)| *fleet).collect();
        bail!("there is no demo of '{}'; there is one of {}", arguments.fleet, fleets.join(", "));
    };
    demo(&arguments, context).await
}

/// Makes an empty folder of `out`, unless it holds something that no demo has left there.
fn clear(out: &Path) -> anyhow::Result<()> {
    if out.exists() && out.read_dir().with_context(|| format!("cannot read {}", out.display()))?.next().is_some() {
        ensure!(
            out.join(MARK).exists(),
            "the folder {} is not empty and not an earlier demo's; choose another with --out",
            out.display()
        );
        std::fs::remove_dir_all(out).with_context(|| format!("cannot replace the demo in {}", out.display()))?;
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    std::fs::write(out.join(MARK), "").with_context(|| format!("cannot write to {}", out.display()))
}
