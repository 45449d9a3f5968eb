//! What a database says only when it is asked to: all stars, and the scores and keystones of dungeons. A database that says any
//! of it has [format 3](super::format::FORMAT_WITH_EXTRAS).

use std::collections::BTreeSet;

use super::options::Field;

/// Which extras a database says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// All stars of a raid and difficulty.
    pub(crate) all_stars: bool,
    /// All stars of each boss.
    pub(crate) boss_all_stars: bool,
    /// Scores and keystones.
    pub(crate) score: bool,
}

/// All-star points, and the places that they earn.
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
    /// Those among the fields of a database.
    pub(crate) fn of(fields: &BTreeSet<Field>) -> Extras {
        Extras {
            all_stars: fields.contains(&Field::AllStars),
            boss_all_stars: fields.contains(&Field::BossAllStars),
            score: fields.contains(&Field::Score),
        }
    }

    /// Whether there are any.
    pub(crate) fn any(self) -> bool {
        self != Extras::default()
    }

    /// Whether encounters have any.
    pub(crate) fn of_cells(self) -> bool {
        self.boss_all_stars || self.score
    }
}
