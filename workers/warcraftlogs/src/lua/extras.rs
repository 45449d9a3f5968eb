//! Optional contents of a database: all-star points, and the scores and keystones of dungeons. A database with any of
//! them has [format 3](super::format::FORMAT_WITH_EXTRAS).

use std::collections::BTreeSet;

use super::options::Field;

/// Which extras a database contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// All-star points of a raid and difficulty.
    pub(crate) all_stars: bool,
    /// All-star points of each boss.
    pub(crate) boss_all_stars: bool,
    /// Scores and keystones.
    pub(crate) score: bool,
}

/// All-star points, and the ranks that they earn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Star {
    /// Its number in the dictionary of specs.
    pub(crate) spec: Option<u16>,
    pub(crate) partition: Option<u32>,
    /// In steps of the database's precision.
    pub(crate) points: u32,
    pub(crate) rank: Option<u32>,
    pub(crate) region_rank: Option<u32>,
    pub(crate) server_rank: Option<u32>,
}

/// The extras of one encounter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CellExtras {
    pub(crate) star: Option<Star>,
    /// In steps of the database's precision.
    pub(crate) score: Option<u32>,
    pub(crate) key_level: Option<u32>,
}

impl Extras {
    /// The extras among the fields of a database.
    pub(crate) fn of(fields: &BTreeSet<Field>) -> Extras {
        Extras {
            all_stars: fields.contains(&Field::AllStars),
            boss_all_stars: fields.contains(&Field::BossAllStars),
            score: fields.contains(&Field::Score),
        }
    }

    /// Whether there are any extras.
    pub(crate) fn any(self) -> bool {
        self != Extras::default()
    }

    /// Whether encounters have extras.
    pub(crate) fn of_cells(self) -> bool {
        self.boss_all_stars || self.score
    }
}
