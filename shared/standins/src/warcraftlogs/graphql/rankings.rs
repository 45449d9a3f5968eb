//! The JSON of `zoneRankings`, which the schema does not describe. Its members are those of recorded answers.

use std::fmt::Write;

use crate::warcraftlogs::all_stars::{POINTS_PER_BOSS, Ranks};
use crate::warcraftlogs::constants::Zone;
use crate::warcraftlogs::json;
use crate::warcraftlogs::player_ranks::{Kill, PlayerRanks};

/// The arguments of the query.
pub(super) struct RankArguments {
    pub(super) zone: &'static Zone,
    pub(super) difficulty: u32,
    /// -1 means all of them.
    pub(super) partition: i64,
}

/// Writes the whole scalar.
pub(super) fn write(out: &mut String, arguments: &RankArguments, ranks: &PlayerRanks) {
    out.push_str("{\"bestPerformanceAverage\":");
    let averages = ranks.averages();
    float_or_null(out, averages.map(|averages| averages.0));
    out.push_str(",\"medianPerformanceAverage\":");
    float_or_null(out, averages.map(|averages| averages.1));
    out.push_str(",\"difficulty\":");
    json::number(out, arguments.difficulty.into());
    out.push_str(",\"metric\":");
    json::text(out, ranks.metric.name());
    out.push_str(",\"partition\":");
    json::signed(out, arguments.partition);
    out.push_str(",\"zone\":");
    json::number(out, arguments.zone.id.into());
    out.push_str(",\"allStars\":[");
    if ranks.has_all_stars() {
        all_stars(out, arguments, ranks);
    }
    out.push_str("],\"rankings\":[");
    for (position, (encounter, kill)) in arguments.zone.encounters.iter().zip(ranks.kills(arguments.zone)).enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str("{\"encounter\":{\"id\":");
        json::number(out, encounter.0.into());
        out.push_str(",\"name\":");
        json::text(out, encounter.1);
        match kill {
            Some(kill) => killed(out, arguments, kill, ranks.has_all_stars()),
            None => out.push_str(NOT_KILLED),
        }
    }
    out.push_str("]}");
}

/// The members after the name of a boss without a kill. `bestSpec` is missing, not null.
const NOT_KILLED: &str = "},\"rankPercent\":null,\"medianPercent\":null,\"allStars\":null,\"lockedIn\":true,\
\"totalKills\":0,\"fastestKill\":0,\"bestAmount\":0,\"spec\":null}";

fn killed(out: &mut String, arguments: &RankArguments, kill: &Kill, with_all_stars: bool) {
    out.push_str("},\"rankPercent\":");
    json::decimal(out, kill.best.into(), 6);
    out.push_str(",\"medianPercent\":");
    json::decimal(out, kill.median.into(), 6);
    out.push_str(if kill.locked_in { ",\"lockedIn\":true" } else { ",\"lockedIn\":false" });
    out.push_str(",\"totalKills\":");
    json::number(out, kill.kills.into());
    out.push_str(",\"fastestKill\":");
    json::number(out, kill.fastest.into());
    out.push_str(",\"allStars\":");
    if with_all_stars {
        all_star(out, arguments, kill);
    } else {
        out.push_str("null");
    }
    out.push_str(",\"spec\":\"");
    out.push_str(kill.spec);
    out.push_str("\",\"bestSpec\":\"");
    out.push_str(kill.spec);
    out.push_str("\",\"bestAmount\":");
    json::decimal(out, kill.amount, 3);
    if arguments.zone.has_keystones {
        out.push_str(",\"bracketData\":");
        json::number(out, kill.key_level.into());
    }
    out.push('}');
}

/// Writes the all-star points of a kill.
fn all_star(out: &mut String, arguments: &RankArguments, kill: &Kill) {
    out.push_str("{\"points\":");
    json::decimal(out, kill.points(), 2);
    if kill.locked_in {
        out.push_str(",\"possiblePoints\":120,\"partition\":");
        json::number(out, partition(arguments));
        write_ranks(out, &kill.ranks(kill.total), kill, kill.total);
    } else {
        // Not ranked yet: the ranks are strings, and the server rank is missing.
        out.push_str(",\"possiblePoints\":120,\"partition\":0,\"rank\":\"-\",\"regionRank\":\"-\",\"rankPercent\":\"-\",\"total\":0");
    }
    out.push('}');
}

/// Writes one entry for each spec with a kill, in the order of the bosses.
fn all_stars(out: &mut String, arguments: &RankArguments, ranks: &PlayerRanks) {
    for (position, spec) in ranks.specs(arguments.zone).iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str("{\"partition\":");
        json::number(out, partition(arguments));
        out.push_str(",\"spec\":\"");
        out.push_str(spec.first.spec);
        out.push_str("\",\"points\":");
        json::decimal(out, spec.points, 3);
        out.push_str(",\"possiblePoints\":");
        json::number(out, POINTS_PER_BOSS * ranks.kills(arguments.zone).len() as u64);
        let total = spec.total();
        write_ranks(out, &spec.first.ranks(total), spec.first, total);
        out.push('}');
    }
}

/// Writes the rank, the regional rank, the server rank, the percentile, and the total.
fn write_ranks(out: &mut String, ranks: &Ranks, kill: &Kill, total: u32) {
    out.push_str(",\"rank\":");
    json::number(out, ranks.world);
    out.push_str(",\"regionRank\":");
    json::number(out, ranks.region);
    out.push_str(",\"serverRank\":");
    match ranks.server {
        Some(server) => json::number(out, server),
        None => out.push_str("null"),
    }
    out.push_str(",\"rankPercent\":");
    json::decimal(out, u64::from(kill.best), 6);
    out.push_str(",\"total\":");
    json::number(out, total.into());
}

/// Returns the partition of the kills. If all partitions were requested, this is the latest.
fn partition(arguments: &RankArguments) -> u64 {
    u64::try_from(arguments.partition).unwrap_or(arguments.zone.partition.unsigned_abs())
}

/// Writes the shortest representation that parses to the same float.
fn float_or_null(out: &mut String, value: Option<f64>) {
    match value {
        Some(value) => drop(write!(out, "{value}")),
        None => out.push_str("null"),
    }
}
