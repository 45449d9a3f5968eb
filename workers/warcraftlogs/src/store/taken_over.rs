//! Players that come from elsewhere, such as another deployment's export, on their way into what is stored.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Difficulty, Player, RaidId, RaidRanks};

/// What became of players that were taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TakenOver {
    /// Players of whom nothing was stored.
    pub new: u64,
    /// Players of whom something as old or older was stored: what came in counts.
    pub updated: u64,
    /// Players of whom something newer was stored: of what came in, only raids and difficulties that were missing were added.
    pub older: u64,
}

/// How a player from elsewhere relates to the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Nothing is stored.
    New,
    /// What is stored is not newer.
    Newer,
    /// What is stored is newer.
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

impl TakenOver {
    /// Counts one player.
    pub(super) fn count(&mut self, relation: Relation) {
        *match relation {
            Relation::New => &mut self.new,
            Relation::Newer => &mut self.updated,
            Relation::Older => &mut self.older,
        } += 1;
    }

    /// Adds what became of others.
    pub fn add(&mut self, other: TakenOver) {
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
