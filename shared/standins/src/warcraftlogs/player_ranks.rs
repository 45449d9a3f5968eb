//! A player's ranks in one raid and difficulty.

use serde::Serialize;

use super::all_stars::TrueStars;
use super::constants::{CLASSES, Zone, heals};
use super::options::Detail;
use super::population::Profile;
use super::rank_query::RankQuery;
use crate::random::RandomSequence;

/// No raid has more bosses.
const MOST_ENCOUNTERS: usize = 12;
/// A percentile of 100, in millionths.
const WHOLE: i64 = 100_000_000;

/// The kills of one boss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// The best and the median percentile, in millionths of a percent.
    pub(crate) best: u32,
    pub(crate) median: u32,
    pub(crate) kills: u32,
    /// Milliseconds.
    pub(crate) fastest: u32,
    /// Whether the percentile is final. Until then it has no all-star rank.
    pub(crate) locked_in: bool,
    pub(crate) spec: &'static str,
    /// In thousandths.
    pub(crate) amount: u64,
    /// The number of ranked players on this boss.
    pub(crate) total: u32,
    /// The keystone's level, in dungeons.
    pub(crate) key_level: u32,
}

/// The kills of every boss of a raid, in the order of the raid.
#[derive(Clone, Debug)]
pub(crate) struct PlayerRanks {
    pub(crate) metric: Metric,
    kills: [Option<Kill>; MOST_ENCOUNTERS],
    detail: Detail,
}

/// The name of a metric in the API.
#[derive(Clone, Debug)]
pub(crate) enum Metric {
    Default(&'static str),
    Asked(String),
}

impl Metric {
    pub(crate) fn name(&self) -> &str {
        match self {
            Metric::Default(name) => name,
            Metric::Asked(name) => name,
        }
    }
}

/// The true ranks of a player in one raid and difficulty, as a correct client stores them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrueRanks {
    /// The raid.
    pub raid: u32,
    /// The difficulty.
    pub difficulty: u32,
    /// The default metric of the API.
    pub metric: String,
    /// The mean of the best percentiles; `None` without a kill.
    pub best: Option<f64>,
    /// The mean of the median percentiles; `None` without a kill.
    pub median: Option<f64>,
    /// All-star points, by spec.
    pub all_stars: Vec<TrueStars>,
    /// The bosses with a kill.
    pub encounters: Vec<TrueEncounter>,
}

/// The true ranks of a player at one boss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrueEncounter {
    /// The boss.
    pub id: u32,
    /// The best percentile.
    pub best: f64,
    /// The median percentile.
    pub median: f64,
    /// The number of kills.
    pub kills: u32,
    /// The spec of the best kill.
    pub spec: String,
    /// All-star points; `None` if the ranking leaves them out.
    pub all_stars: Option<TrueStars>,
    /// The damage, the healing, or the score of the best kill.
    pub amount: f64,
    /// The level of the best kill's keystone, in dungeons.
    pub key_level: Option<u32>,
}

impl PlayerRanks {
    /// Without a `draw`, the player takes no part.
    pub(crate) fn new(
        profile: &Profile,
        zone: &Zone,
        difficulty: u32,
        rank_query: &RankQuery,
        detail: Detail,
        draw: Option<RandomSequence>,
    ) -> PlayerRanks {
        let specs = CLASSES[profile.class_id as usize - 1].specs;
        let own = if heals(profile.class_id, specs[profile.main_spec]) { "hps" } else { "dps" };
        // In dungeons every player is ranked by the keystone score.
        let own = if zone.has_keystones { "playerscore" } else { own };
        let metric = match rank_query.metric.as_deref() {
            None | Some("default") => Metric::Default(own),
            Some(asked) => Metric::Asked(asked.to_owned()),
        };
        let mut ranks = PlayerRanks { metric, kills: [None; MOST_ENCOUNTERS], detail };
        let Some(mut draw) = draw else { return ranks };
        let salt = rank_query.salt(own, zone);
        let progress = progress(zone.encounters.len() as u64, difficulty, profile.skill, &mut draw);
        let listed = ranks.listed(zone).min(progress as usize);
        for kill in &mut ranks.kills[..listed] {
            *kill = Some(Kill::drawn(profile, specs, salt, &mut draw));
        }
        ranks
    }

    /// Returns one entry for each boss of `zone` in the ranking.
    pub(crate) fn kills(&self, zone: &Zone) -> &[Option<Kill>] {
        &self.kills[..self.listed(zone)]
    }

    fn listed(&self, zone: &Zone) -> usize {
        if self.detail == Detail::Reduced { 1 } else { zone.encounters.len() }
    }

    /// Whether the ranking has all-star points.
    pub(crate) fn has_all_stars(&self) -> bool {
        self.detail == Detail::Full
    }

    /// Returns the means of the best and of the median percentiles, summed in the order of the bosses.
    pub(crate) fn averages(&self) -> Option<(f64, f64)> {
        let (mut best, mut median, mut count) = (0.0, 0.0, 0.0);
        for kill in self.kills.iter().flatten() {
            best += percent(kill.best);
            median += percent(kill.median);
            count += 1.0;
        }
        (count > 0.0).then(|| (best / count, median / count))
    }

    pub(crate) fn true_ranks(&self, zone: &Zone, difficulty: u32, partition: i64) -> TrueRanks {
        let kills = zone.encounters.iter().zip(self.kills(zone));
        let encounters = kills.filter_map(|(encounter, kill)| {
            kill.map(|kill| TrueEncounter {
                id: encounter.0,
                best: percent(kill.best),
                median: percent(kill.median),
                kills: kill.kills,
                spec: kill.spec.to_owned(),
                all_stars: self.has_all_stars().then(|| kill.true_stars(partition)),
                amount: kill.amount as f64 / 1000.0,
                key_level: zone.has_keystones.then_some(kill.key_level),
            })
        });
        let averages = self.averages();
        TrueRanks {
            raid: zone.id,
            difficulty,
            metric: self.metric.name().to_owned(),
            best: averages.map(|averages| averages.0),
            median: averages.map(|averages| averages.1),
            all_stars: if self.has_all_stars() { self.stars(zone, partition) } else { Vec::new() },
            encounters: encounters.collect(),
        }
    }
}

impl PlayerRanks {
    fn stars(&self, zone: &Zone, partition: i64) -> Vec<TrueStars> {
        self.specs(zone).iter().map(|spec| spec.true_stars(partition)).collect()
    }
}

impl Kill {
    fn drawn(profile: &Profile, specs: &'static [&'static str], salt: u64, draw: &mut RandomSequence) -> Kill {
        let mut numbers = RandomSequence::of(draw.bits(), crate::random::Purpose::Ranks, salt);
        let spec = if numbers.per_mille(850) { profile.main_spec } else { numbers.below(specs.len() as u64) as usize };
        let best = best(profile.skill, &mut numbers);
        let kills = numbers.within(1, 40) as u32;
        // With one kill, the median equals the best.
        let median = if kills == 1 { best } else { (u64::from(best) * numbers.within(400, 1000) / 1000) as u32 };
        Kill {
            best,
            median,
            kills,
            fastest: numbers.within(120_000, 620_000) as u32,
            locked_in: !numbers.per_mille(80),
            spec: specs[spec],
            amount: u64::from(best) / 12 + numbers.within(900_000, 4_000_000),
            total: numbers.within(5_000, 20_000) as u32,
            key_level: numbers.within(2, 25) as u32,
        }
    }
}

/// Returns the number of bosses with a kill: nearly all in normal, few in mythic.
fn progress(encounters: u64, difficulty: u32, skill: u32, draw: &mut RandomSequence) -> u64 {
    let least = match difficulty {
        5 => 1,
        4 => encounters / 2,
        _ => encounters.saturating_sub(2),
    };
    let lucky = draw.within(least, encounters);
    // Half luck, half skill.
    (lucky + least + (encounters - least) * u64::from(skill) / 999) / 2
}

/// Returns a percentile near the player's own; occasionally exactly 100, and occasionally with few digits.
fn best(skill: u32, draw: &mut RandomSequence) -> u32 {
    let around = i64::from(skill) * 100_000 + draw.below(40_000_000) as i64 - 15_000_000;
    let exact = around.clamp(0, WHOLE);
    let coarse = draw.per_mille(60);
    (if coarse { exact / 1_000_000 * 1_000_000 } else { exact }) as u32
}

/// Converts millionths of a percent to the float that their decimal representation parses to.
pub(crate) fn percent(millionths: u32) -> f64 {
    f64::from(millionths) / 1_000_000.0
}
