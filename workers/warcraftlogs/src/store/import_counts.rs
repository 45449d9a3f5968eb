//! Players that are imported from elsewhere, such as another deployment's export.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Difficulty, Player, RaidId, RaidRanks};

/// Counts of imported players.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCounts {
    /// Players that were not stored before.
    pub new: u64,
    /// Players whose stored data was as old or older: the imported data counts.
    pub updated: u64,
    /// Players whose stored data was newer: only missing raids and difficulties were added.
    pub older: u64,
}

/// How an imported player relates to the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Not stored.
    New,
    /// The stored data is not newer.
    Newer,
    /// The stored data is newer.
    Older,
}

impl Relation {
    /// The relation of a player that was updated at `incoming`.
    pub(super) fn of(incoming: Timestamp, stored: Option<Timestamp>) -> Relation {
        match stored {
            None => Relation::New,
            Some(stored) if stored > incoming => Relation::Older,
            Some(_) => Relation::Newer,
        }
    }
}

impl ImportCounts {
    /// Counts one player.
    pub(super) fn count(&mut self, relation: Relation) {
        *match relation {
            Relation::New => &mut self.new,
            Relation::Newer => &mut self.updated,
            Relation::Older => &mut self.older,
        } += 1;
    }

    /// Adds other counts.
    pub fn add(&mut self, other: ImportCounts) {
        self.new += other.new;
        self.updated += other.updated;
        self.older += other.older;
    }
}

/// The raids and difficulties that only `player` has.
pub(super) fn missing<'a>(
    player: &'a Player,
    stored: &'a Player,
) -> impl Iterator<Item = (RaidId, Difficulty, &'a RaidRanks)> {
    let units = player
        .raids
        .iter()
        .flat_map(|(raid, ranks)| ranks.iter().map(|(difficulty, ranks)| (*raid, *difficulty, ranks)));
    units.filter(|(raid, difficulty, _)| !stored.raids.get(raid).is_some_and(|ranks| ranks.contains_key(difficulty)))
}
