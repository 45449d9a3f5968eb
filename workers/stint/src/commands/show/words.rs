//! A player in words.

use jiff::Timestamp;
use stint_warcraftlogs::model::{Player, RaidRanks};
use stint_warcraftlogs::names;
use stint_warcraftlogs::store::DropReason;

use crate::moment::when;
use crate::table::{Table, printable};
use crate::words::number;

/// A player and its ranks.
pub(crate) fn in_words(player: &Player, now: Timestamp) -> String {
    let Player { id, name, class_id, region, server, updated_at, raids } = player;
    let (name, server, class) = (printable(name), printable(&server.name), names::class(*class_id));
    let mut text = format!("{name} of {server} ({region}), {class}, player {id}, updated {}\n", when(*updated_at, now));
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

fn ranks_in_words(ranks: &RaidRanks) -> String {
    let RaidRanks { metric, best, median, encounters, .. } = ranks;
    let (metric, best, median) = (printable(metric), percentile(*best), percentile(*median));
    let text = format!("  {metric}: best average {best}, median average {median}\n");
    if encounters.is_empty() {
        return text + "  no kills\n";
    }
    let mut table = Table::new(["  boss", ">best", ">median", ">kills", "spec"]);
    for (encounter, rank) in encounters {
        let (best, median) = (percentile(rank.best), percentile(rank.median));
        table.row([format!("  {encounter}"), best, median, number(rank.kills.into()), rank.spec.clone()]);
    }
    text + &table.to_string()
}

fn percentile(percentile: Option<f64>) -> String {
    percentile.map_or_else(|| "-".to_owned(), |percentile| percentile.to_string())
}

/// Why the upstream has no ranks of a player.
pub(crate) fn reason_in_words(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Hidden => "the player hides its ranks",
        DropReason::Unknown => "the upstream knows no such player",
        DropReason::NeverClassed => "the upstream never learned the player's class, so it has no ranks of it",
        DropReason::Refused => "the upstream refuses every raid and difficulty that the player was discovered in",
        DropReason::Merged => "it is an older id of a player whose ranks are stored under another one",
    }
}
