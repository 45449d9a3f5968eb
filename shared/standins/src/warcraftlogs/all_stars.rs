//! All stars: points for good kills, and the ranks that they give.

use serde::Serialize;

use super::constants::Zone;
use super::player_ranks::{Kill, PlayerRanks};

/// The most all-star points for one boss: those of a percentile of 100.
pub(crate) const POINTS_PER_BOSS: u64 = 120;

/// All-star points, for one boss or for all bosses killed in one spec.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrueStars {
    /// The spec, if the points are those of all bosses.
    pub spec: Option<String>,
    /// The partition; 0 while the percentile is not final.
    pub partition: i64,
    /// The points.
    pub points: f64,
    /// The ranks; `None` while the percentile is not final.
    #[serde(rename = "places")]
    pub ranks: Option<Ranks>,
}

/// Ranks among all ranked players.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ranks {
    /// In the world.
    pub world: u64,
    /// In the region.
    pub region: u64,
    /// On the server, where there is such a ranking.
    pub server: Option<u64>,
}

/// All kills in one spec.
pub(crate) struct OfSpec<'s> {
    pub(crate) first: &'s Kill,
    /// In thousandths.
    pub(crate) points: u64,
}

impl Kill {
    /// The all-star points of the kill, in hundredths of a point.
    pub(crate) fn points(&self) -> u64 {
        u64::from(self.best) * POINTS_PER_BOSS / 1_000_000
    }

    /// Returns the ranks among `total` players.
    pub(crate) fn ranks(&self, total: u32) -> Ranks {
        let better = u64::from(100_000_000 - self.best) * u64::from(total) / 100_000_000;
        let world = better + 1;
        // Some servers have no ranking of their own.
        let server = (!self.fastest.is_multiple_of(29)).then(|| world.div_ceil(40));
        Ranks { world, region: world.div_ceil(3), server }
    }

    pub(crate) fn true_stars(&self, partition: i64) -> TrueStars {
        TrueStars {
            spec: None,
            partition: if self.locked_in { partition } else { 0 },
            points: self.points() as f64 / 100.0,
            ranks: self.locked_in.then(|| self.ranks(self.total)),
        }
    }
}

impl OfSpec<'_> {
    /// The number of ranked players in the spec.
    pub(crate) fn total(&self) -> u32 {
        self.first.total + 5_000
    }

    pub(crate) fn true_stars(&self, partition: i64) -> TrueStars {
        TrueStars {
            spec: Some(self.first.spec.to_owned()),
            partition,
            points: self.points as f64 / 1000.0,
            ranks: Some(self.first.ranks(self.total())),
        }
    }
}

impl PlayerRanks {
    /// Returns one entry for each spec with a kill, in the order of the bosses.
    pub(crate) fn specs(&self, zone: &Zone) -> Vec<OfSpec<'_>> {
        let mut specs: Vec<OfSpec<'_>> = Vec::new();
        for kill in self.kills(zone).iter().flatten() {
            match specs.iter_mut().find(|known| known.first.spec == kill.spec) {
                Some(known) => known.points += u64::from(kill.best),
                None => specs.push(OfSpec { first: kill, points: kill.best.into() }),
            }
        }
        for spec in &mut specs {
            spec.points = spec.points * POINTS_PER_BOSS / 100_000;
        }
        specs
    }
}
