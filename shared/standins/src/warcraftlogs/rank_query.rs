//! The optional arguments of a query for ranks, beside raid and difficulty, and their effect on the numbers.

use super::constants::Zone;
use crate::random::mix;

/// The optional arguments of a query for ranks. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankQuery {
    /// The metric to rank by; the default is the one that fits the player.
    pub metric: Option<String>,
    /// A partition of the raid's time; the default is the latest. -1 means all of them.
    pub partition: Option<i64>,
    /// The size of the group; the default is the first.
    pub size: Option<i64>,
    /// Only among players of the same item level.
    pub by_bracket: bool,
    /// Compares with the parses of two weeks instead of rankings.
    pub parses: bool,
    /// Compares with the rankings of today instead of those of the day of the kill.
    pub today: bool,
}

/// The sizes of groups where the size is flexible.
const FREE_SIZES: std::ops::RangeInclusive<i64> = 10..=30;

impl RankQuery {
    /// Returns 0 if every argument has its default value. Any two other combinations have different values, and so
    /// different numbers.
    pub(crate) fn salt(&self, own_metric: &str, zone: &Zone) -> u64 {
        let metric = self.metric.as_deref().filter(|metric| *metric != "default" && *metric != own_metric);
        let partition = self.partition.filter(|partition| *partition != zone.partition);
        let number = |number: Option<i64>| number.map_or(0, |number| mix(number.cast_unsigned() ^ 1 << 40));
        let flags = [self.by_bracket, self.parses, self.today].map(u64::from);
        let said = [metric.map_or(0, hash), number(partition), number(self.size), flags[0], flags[1], flags[2]];
        if said == [0; 6] { 0 } else { said.into_iter().fold(0, |salt, part| mix(salt ^ part)) }
    }

    /// Whether the raid has the requested partition.
    pub(crate) fn has_partition(&self, zone: &Zone) -> bool {
        self.partition.is_none_or(|partition| partition == -1 || (1..=zone.partition).contains(&partition))
    }

    /// Whether the difficulty has the requested size.
    pub(crate) fn has_size(&self, zone: &Zone, difficulty: u32) -> bool {
        let fixed = zone.size(difficulty).map(i64::from);
        self.size.is_none_or(|size| fixed.map_or(FREE_SIZES.contains(&size), |fixed| fixed == size))
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
