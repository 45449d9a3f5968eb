//! Shows everything that is stored about one player.

mod player;
mod words;

use anyhow::bail;

use crate::context::Context;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::moment::when;
pub(super) use player::{Stored, read};
pub(super) use words::{in_words, reason_in_words};

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
        Stored::Ranked(player) => context.output.result(&*player, |player| in_words(player, now)),
        Stored::Dropped(dropped) => {
            bail!("player {id} has no ranks: {} ({})", reason_in_words(dropped.reason), when(dropped.at, now))
        }
        Stored::Nothing => bail!("nothing is stored of player {id}; ask for the player: stint wcl refresh --id {id}"),
    }
}
