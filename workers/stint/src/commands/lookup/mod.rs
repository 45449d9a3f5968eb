//! One player out of generated databases.

mod suggest;

use std::path::PathBuf;

use anyhow::bail;
use stint_warcraftlogs::lua::{Found, FoundRaid, lookup};
use stint_warcraftlogs::names;

use super::Context;
use crate::table::{Table, printable};
use crate::usage::WrongUsage;
use crate::words::number;
use suggest::suggestion;

/// Whom to look up.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint lookup stint-data/databases EU 'Tarren Mill' Ånn\n  stint lookup databases eu \
                        Ånn-TarrenMill --json"
)]
pub(crate) struct Arguments {
    /// The folder with the addons.
    folder: PathBuf,
    /// The region, such as EU.
    region: String,
    /// The server: its name, its slug, or its name as the game writes it (Tarren Mill, tarren-mill, TarrenMill). Or
    /// character and server in one, as the game writes them (Ånn-TarrenMill): then no name follows.
    server: String,
    /// The character's name, exactly as the game writes it.
    name: Option<String>,
}

/// Prints the player's ranks.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<()> {
    let Arguments { folder, region, server, name } = arguments;
    let (name, server) = match name {
        Some(name) => name.split_once('-').unwrap_or((name, server)),
        None => server.split_once('-').ok_or_else(|| {
            WrongUsage::error(format!("whom of {server}? name a character too, or write both as Name-Server"))
        })?,
    };
    match lookup(folder, region, server, name)? {
        Some(found) => context.output.result(&found, in_words),
        None => bail!(
            "there is no {name} of {server} in the database of {}{}",
            region.to_ascii_uppercase(),
            suggestion(folder, region, server, name)?
        ),
    }
}

fn in_words(found: &Found) -> String {
    let Found { region, server, name, class_id, updated_at, raids } = found;
    let (name, server) = (printable(name), printable(&server.name));
    let mut text = format!("{name} of {server} ({region}), {}, updated {updated_at}\n", names::class(*class_id));
    for (raid, difficulties) in raids {
        for (difficulty, ranks) in difficulties {
            let (raid, difficulty) = (names::raid(*raid), names::difficulty(*difficulty));
            text.push_str(&format!("\n{raid}, {difficulty}\n"));
            text.push_str(&ranks_in_words(ranks));
        }
    }
    if raids.is_empty() {
        text.push_str("no ranks\n");
    }
    text
}

fn ranks_in_words(ranks: &FoundRaid) -> String {
    let FoundRaid { metric, best, median, encounters } = ranks;
    let mut text = format!(
        "  {}: best average {}, median average {}\n",
        printable(metric),
        percentile(*best),
        percentile(*median)
    );
    if encounters.is_empty() {
        return text + "  no kills\n";
    }
    let mut table = Table::new(["  boss", ">best", ">kills", "spec"]);
    for (encounter, rank) in encounters {
        let best = percentile(rank.best);
        table.row([format!("  {encounter}"), best, number(rank.kills.into()), rank.spec.clone()]);
    }
    text.push_str(&table.to_string());
    text
}

fn percentile(percentile: Option<f64>) -> String {
    percentile.map_or_else(|| "-".to_owned(), |percentile| percentile.to_string())
}
