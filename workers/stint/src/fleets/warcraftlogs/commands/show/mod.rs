//! Shows everything that is stored about one player.

mod player;
mod text;

use anyhow::bail;

use crate::context::Context;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::time_format::format_time;
pub(super) use player::{Stored, read};
pub(super) use text::{reason_text, to_text};

/// The player to show.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  stint wcl show 57147396\n  stint wcl show 'Ånn-Tarren Mill-EU'\n  \
                        stint wcl show Ånn-tarren-mill-EU --json")]
pub(crate) struct Arguments {
    /// The player: its id in Warcraft Logs, or its name, server and region with dashes between them.
    player: String,
}

/// Prints what is stored about the player, or fails with the reason why there is nothing.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let stores = Stores::existing(context).await?;
    let id = player::find(&arguments.player, &stores).await?;
    let now = context.clock.now();
    match read(id, &stores).await? {
        Stored::Ranked(player) => context.output.result(&*player, |player| to_text(player, now)),
        Stored::Dropped(dropped) => {
            bail!("player {id} has no ranks: {} ({})", reason_text(dropped.reason), format_time(dropped.at, now))
        }
        Stored::Nothing => bail!("nothing is stored about player {id}; request it: stint wcl refresh --id {id}"),
    }
}
