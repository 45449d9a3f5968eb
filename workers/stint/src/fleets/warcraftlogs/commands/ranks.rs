//! Formats ranks, from the store or from a database.

use std::collections::BTreeMap;
use std::iter::once;

use stint_warcraftlogs::model::{AllStars, Difficulty, EncounterRank, RaidId, RaidRanks};
use stint_warcraftlogs::names;

use crate::escape::one_line;
use crate::format::number;
use crate::table::Table;

/// Ranks by raid and difficulty, as in a player's document.
pub(super) type Raids = BTreeMap<RaidId, BTreeMap<Difficulty, RaidRanks>>;

/// A column of a table of bosses: its heading, and its text for a boss. A column without text for any boss is left out.
type Column = (&'static str, fn(&EncounterRank) -> Option<String>);

const COLUMNS: [Column; 11] = [
    (">best", |rank| Some(percentile(rank.best))),
    (">median", |rank| rank.median.map(|median| median.to_string())),
    (">kills", |rank| Some(number(rank.kills.into()))),
    ("spec", |rank| Some(rank.spec.clone())),
    (">score", |rank| rank.score.map(|score| score.to_string())),
    (">key level", |rank| rank.key_level.map(|level| level.to_string())),
    (">all-stars", |rank| Some(rank.all_stars.as_ref()?.points.to_string())),
    (">world rank", |rank| place(rank.all_stars.as_ref()?.rank)),
    (">region rank", |rank| place(rank.all_stars.as_ref()?.region_rank)),
    (">server rank", |rank| place(rank.all_stars.as_ref()?.server_rank)),
    (">partition", |rank| Some(rank.all_stars.as_ref()?.partition?.to_string())),
];

/// Formats all ranks of a player. An additional metric follows the first one.
pub(super) fn to_text(raids: &Raids) -> String {
    if raids.is_empty() {
        return "no ranks\n".to_owned();
    }
    let mut text = String::new();
    for (raid, difficulties) in raids {
        for (difficulty, ranks) in difficulties {
            text.push_str(&format!("\n{}, {}\n", names::raid(*raid), names::difficulty(*difficulty)));
            for ranks in once(ranks).chain(ranks.metrics.values()) {
                text.push_str(&metric_text(ranks));
            }
        }
    }
    text
}

fn metric_text(ranks: &RaidRanks) -> String {
    let RaidRanks { metric, best, median, encounters, all_stars, metrics: _ } = ranks;
    let (metric, best, median) = (one_line(metric), percentile(*best), percentile(*median));
    let mut text = format!("  {metric}: best average {best}, median average {median}\n");
    all_stars.iter().for_each(|all_stars| text.push_str(&format!("  all-stars{}\n", all_stars_text(all_stars))));
    if encounters.is_empty() {
        return text + "  no kills\n";
    }
    let has_text = |(_, cell): &&Column| encounters.values().any(|rank| cell(rank).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(has_text).collect();
    let mut table = Table::new(once("  boss").chain(columns.iter().map(|(heading, _)| *heading)));
    for (encounter, rank) in encounters {
        let cells = columns.iter().map(|(_, cell)| cell(rank).unwrap_or_else(|| "-".to_owned()));
        table.row(once(format!("  {encounter}")).chain(cells));
    }
    text + &table.to_string()
}

/// Formats all-star points: ` of Fire in partition 3: 910.852 points, 1,326 in the world, 317 in the region, 53 on the
/// server`.
fn all_stars_text(all_stars: &AllStars) -> String {
    let AllStars { spec, partition, points, rank, region_rank, server_rank } = all_stars;
    let spec = spec.as_ref().map(|spec| format!(" of {}", one_line(spec))).unwrap_or_default();
    let partition = partition.map(|partition| format!(" in partition {partition}")).unwrap_or_default();
    let mut text = format!("{spec}{partition}: {points} points");
    for (place, of) in [(rank, "in the world"), (region_rank, "in the region"), (server_rank, "on the server")] {
        if let Some(place) = place {
            text.push_str(&format!(", {} {of}", number(u64::from(*place))));
        }
    }
    text
}

fn place(place: Option<u32>) -> Option<String> {
    place.map(|place| number(place.into()))
}

fn percentile(percentile: Option<f64>) -> String {
    percentile.map_or_else(|| "-".to_owned(), |percentile| percentile.to_string())
}
