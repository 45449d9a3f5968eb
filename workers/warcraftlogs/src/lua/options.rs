//! Options for the contents of the databases.

use std::collections::BTreeSet;

use super::extras::Extras;
use super::format::{LARGEST_FILE, Precision};
use crate::model::{Difficulty, RaidId};

/// The selection of what goes into the databases.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// The precision to which percentiles are rounded down.
    pub precision: Precision,
    /// Only these raids; `None` selects all.
    pub raids: Option<BTreeSet<RaidId>>,
    /// Only these difficulties; `None` selects all.
    pub difficulties: Option<BTreeSet<Difficulty>>,
    /// Contents in addition to the best percentiles.
    pub fields: BTreeSet<Field>,
    /// Players last updated more than this many days before the newest one are left out; `None` keeps all.
    pub max_age_days: Option<u32>,
    /// Once a region's file has this many bytes, another file follows.
    pub largest_file: u64,
}

/// Contents that a database may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Field {
    /// The median average of a raid and difficulty.
    Median,
    /// How often each boss was killed.
    Kills,
    /// The spec of the best kill of each boss.
    Spec,
    /// All-star points of a raid and difficulty, by spec, with their places in the world, the region and the realm.
    AllStars,
    /// The same for each boss.
    BossAllStars,
    /// The score of the best run of each Mythic+ dungeon, and the level of its keystone.
    Score,
}

impl Default for DatabaseOptions {
    fn default() -> DatabaseOptions {
        DatabaseOptions {
            precision: Precision::default(),
            raids: None,
            difficulties: None,
            fields: BTreeSet::from([Field::Median, Field::Kills, Field::Spec]),
            max_age_days: None,
            largest_file: LARGEST_FILE,
        }
    }
}

impl DatabaseOptions {
    /// Whether this raid and difficulty are included.
    pub(crate) fn includes_unit(&self, raid: RaidId, difficulty: Difficulty) -> bool {
        self.raids.as_ref().is_none_or(|raids| raids.contains(&raid))
            && self.difficulties.as_ref().is_none_or(|difficulties| difficulties.contains(&difficulty))
    }

    /// Which extras are included.
    pub(crate) fn extras(&self) -> Extras {
        Extras::of(&self.fields)
    }

    /// Whether this field is included.
    pub(crate) fn includes_field(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }
}
