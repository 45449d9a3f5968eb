//! All-star points, scores and keystones for the data set, derived from its values as far as possible: a rank is the
//! share of a spec's players who are better, a third of those are in the region, and a server has about an eightieth of
//! a region.

use super::set::{Cell, Section, SplitMix64};

/// Whether documents have extras.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extras {
    Absent,
    Present,
}

/// The bosses of this raid serve as the dungeons of a Mythic+ zone.
pub(super) const DUNGEONS: usize = 2;

/// `"allStars":[…],` for a section: one entry for each spec.
pub(super) fn of_section(section: &Section, dice: &mut SplitMix64) -> String {
    let entries = section.specs().into_iter().map(|spec| {
        let of_spec: Vec<f64> = section.cells.iter().filter(|cell| cell.spec == spec).map(|cell| cell.best).collect();
        let mean = of_spec.iter().sum::<f64>() / of_spec.len() as f64;
        stars(&format!("\"spec\":\"Spec {spec}\","), mean, 1.2 * mean * of_spec.len() as f64, dice)
    });
    format!("\"allStars\":[{}],", entries.collect::<Vec<_>>().join(","))
}

/// `,"allStars":{…}` for a boss, and score and keystone for a dungeon.
pub(super) fn of_cell(raid: usize, cell: &Cell, dice: &mut SplitMix64) -> String {
    let stars = stars("", cell.best, 1.2 * cell.best, dice);
    if raid != DUNGEONS {
        return format!(",\"allStars\":{stars}");
    }
    let level = 2 + (cell.best / 8.0) as u64 + dice.below(4);
    let score = 125.0 + 15.0 * level as f64 + 15.0 * dice.fraction();
    format!(",\"allStars\":{stars},\"score\":{score:.1},\"keyLevel\":{level}")
}

fn stars(spec: &str, percentile: f64, points: f64, dice: &mut SplitMix64) -> String {
    let ranked = 3_000 + dice.below(3) * 6_000;
    let world = 1 + ((100.0 - percentile) / 100.0 * ranked as f64) as u64;
    let region = 1 + (world as f64 * (0.28 + 0.1 * dice.fraction())) as u64;
    let server = 1 + (region as f64 * (0.005 + 0.015 * dice.fraction())) as u64;
    format!(
        "{{{spec}\"partition\":{},\"points\":{points:.3},\"rank\":{world},\"regionRank\":{region},\"serverRank\":{server}}}",
        1 + dice.below(2)
    )
}
