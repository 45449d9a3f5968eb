//! All stars: points for good kills, and the places that they earn.

use serde::Serialize;

use super::facts::Zone;
use super::standing::{Kill, Standing};

/// The points of an all star for one boss, and what they count in: a full percentile is worth all of them.
pub(crate) const POINTS_PER_BOSS: u64 = 120;

/// All-star points, for one boss or for all bosses that were killed in one spec.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrueStars {
    /// The spec, where the points are those of all bosses.
    pub spec: Option<String>,
    /// The partition; 0 while the percentile still moves.
    pub partition: i64,
    /// The points.
    pub points: f64,
    /// The places; `None` while the percentile still moves.
    pub places: Option<Places>,
}

/// Places among all who are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Places {
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
    /// What the kill is worth, in hundredths of a point.
    pub(crate) fn points(&self) -> u64 {
        u64::from(self.best) * POINTS_PER_BOSS / 1_000_000
    }

    /// The places among `total`.
    pub(crate) fn places(&self, total: u32) -> Places {
        let better = u64::from(100_000_000 - self.best) * u64::from(total) / 100_000_000;
        let world = better + 1;
        // Some servers have no ranking of their own.
        let server = (!self.fastest.is_multiple_of(29)).then(|| world.div_ceil(40));
        Places { world, region: world.div_ceil(3), server }
    }

    pub(crate) fn true_stars(&self, partition: i64) -> TrueStars {
        TrueStars {
            spec: None,
            partition: if self.locked_in { partition } else { 0 },
            points: self.points() as f64 / 100.0,
            places: self.locked_in.then(|| self.places(self.total)),
        }
    }
}

impl OfSpec<'_> {
    /// How many are ranked in the spec.
    pub(crate) fn total(&self) -> u32 {
        self.first.total + 5_000
    }

    pub(crate) fn true_stars(&self, partition: i64) -> TrueStars {
        TrueStars {
            spec: Some(self.first.spec.to_owned()),
            partition,
            points: self.points as f64 / 1000.0,
            places: Some(self.first.places(self.total())),
        }
    }
}

impl Standing {
    /// One for each spec that has a kill, in the order of the bosses.
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
