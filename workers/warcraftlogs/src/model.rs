//! The fleet's model of a player, as stored in the documents that the design and existing deployments share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The upstream's id of a character: `canonicalID`, which survives transfers and renames.
pub type PlayerId = u64;
/// The upstream's id of a raid (a *zone* in its schema), such as 26 for Castle Nathria.
pub type RaidId = u32;
/// 1 raid finder, 3 normal, 4 heroic, 5 mythic.
pub type Difficulty = u32;
/// A raid in one difficulty: the unit that the upstream is asked for, and charges for.
pub type Unit = (RaidId, Difficulty);
/// The upstream's id of a boss.
pub type EncounterId = u32;

/// Which raids to ask for, and in which difficulties: `{"26": [3, 5]}`. Ordered, without repeats.
///
/// Clones share their content until one of them is changed: thousands of players have the same raids, and each is copied
/// on its way from a page to the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RaidsToScrap(Arc<DifficultiesByRaid>);

/// The difficulties to ask for in each raid.
pub type DifficultiesByRaid = BTreeMap<RaidId, BTreeSet<Difficulty>>;

impl RaidsToScrap {
    /// Just one raid in one difficulty.
    pub fn one(raid: RaidId, difficulty: Difficulty) -> RaidsToScrap {
        RaidsToScrap::from(BTreeMap::from([(raid, [difficulty].into())]))
    }

    /// The difficulties of each raid.
    pub fn by_raid(&self) -> &DifficultiesByRaid {
        &self.0
    }

    /// Whether this is a clone of `other`, so that both have the same content. `false` if that is not known.
    pub fn is_clone_of(&self, other: &RaidsToScrap) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Every (raid, difficulty), in ascending order.
    pub fn units(&self) -> impl Iterator<Item = (RaidId, Difficulty)> + '_ {
        self.0.iter().flat_map(|(raid, difficulties)| difficulties.iter().map(|difficulty| (*raid, *difficulty)))
    }

    /// Number of (raid, difficulty) pairs: the price of a request for this player, in call budgets.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Whether there is nothing to fetch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this contains everything in `other`.
    pub fn covers(&self, other: &RaidsToScrap) -> bool {
        other.units().all(|(raid, difficulty)| self.0.get(&raid).is_some_and(|known| known.contains(&difficulty)))
    }

    /// Adds one (raid, difficulty).
    pub fn insert(&mut self, raid: RaidId, difficulty: Difficulty) {
        Arc::make_mut(&mut self.0).entry(raid).or_default().insert(difficulty);
    }

    /// Removes one (raid, difficulty).
    pub fn remove(&mut self, raid: RaidId, difficulty: Difficulty) {
        let by_raid = Arc::make_mut(&mut self.0);
        let emptied = by_raid.get_mut(&raid).is_some_and(|known| known.remove(&difficulty) && known.is_empty());
        if emptied {
            by_raid.remove(&raid);
        }
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &RaidsToScrap) {
        other.units().for_each(|(raid, difficulty)| self.insert(raid, difficulty));
    }
}

impl FromIterator<(RaidId, Difficulty)> for RaidsToScrap {
    fn from_iter<I: IntoIterator<Item = (RaidId, Difficulty)>>(units: I) -> RaidsToScrap {
        let mut by_raid = DifficultiesByRaid::new();
        for (raid, difficulty) in units {
            by_raid.entry(raid).or_default().insert(difficulty);
        }
        RaidsToScrap::from(by_raid)
    }
}

impl From<DifficultiesByRaid> for RaidsToScrap {
    fn from(by_raid: DifficultiesByRaid) -> RaidsToScrap {
        RaidsToScrap(Arc::new(by_raid))
    }
}

impl fmt::Display for RaidsToScrap {
    /// `26: 3 5, 28: 4`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (raid, difficulties)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(formatter, "{separator}{raid}:")?;
            difficulties.iter().try_for_each(|difficulty| write!(formatter, " {difficulty}"))?;
        }
        Ok(())
    }
}

/// One document of the `players` collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Player {
    /// The upstream's canonical id.
    #[serde(rename = "_id")]
    pub id: PlayerId,
    /// The character's name, as the game writes it.
    pub name: String,
    /// The upstream's class id (1 death knight … 13 evoker), which is not the game's.
    pub class_id: u32,
    /// `US`, `EU`, `KR`, `TW` or `CN`.
    pub region: String,
    /// The character's server.
    pub server: Server,
    /// When the ranks were last requested.
    #[serde(with = "extended_date")]
    pub updated_at: Timestamp,
    /// Raid → difficulty → ranks.
    pub raids: BTreeMap<RaidId, BTreeMap<Difficulty, RaidRanks>>,
}

impl Player {
    /// The raids and difficulties that have ranks.
    pub fn ranked_in(&self) -> RaidsToScrap {
        self.ranked_units().collect()
    }

    /// The raids and difficulties that have ranks, in ascending order.
    pub fn ranked_units(&self) -> impl Iterator<Item = Unit> + '_ {
        self.raids.iter().flat_map(|(raid, ranks)| ranks.keys().map(|difficulty| (*raid, *difficulty)))
    }
}

/// A game server, in the three spellings in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// As the site shows it, localised: `Tarren Mill`.
    pub name: String,
    /// As in URLs: `tarren-mill`.
    pub slug: String,
    /// As the game appends it to the name of a character from another realm: `TarrenMill`.
    pub normalized_name: String,
}

/// A player's ranks in one raid and difficulty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RaidRanks {
    /// The metric that the upstream chose: `dps`, `hps`, …
    pub metric: String,
    /// Mean of the best percentiles, 0 to 100. `None` without a kill.
    pub best: Option<f64>,
    /// Mean of the median percentiles, 0 to 100. `None` without a kill.
    pub median: Option<f64>,
    /// Only bosses with a kill.
    pub encounters: BTreeMap<EncounterId, EncounterRank>,
    /// All-star points, by spec and partition; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_stars: Vec<AllStars>,
    /// The same for further metrics, if several were requested, by the metric's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, RaidRanks>,
}

/// A player's rank against one boss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EncounterRank {
    /// The best percentile, 0 to 100.
    pub best: Option<f64>,
    /// The median percentile, 0 to 100.
    pub median: Option<f64>,
    /// At least 1.
    pub kills: u32,
    /// The specialisation of the best kill, such as `Fire`; empty when the upstream does not say.
    #[serde(default)]
    pub spec: String,
    /// All-star points for this boss; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_stars: Option<AllStars>,
    /// Score of the best run of a dungeon; absent in raids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The level of the best run's keystone; absent in raids, and where the upstream does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_level: Option<u32>,
}

/// All-star points, and the ranks that they earn. A rank is absent while it still changes, and where there is no such
/// ranking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllStars {
    /// The specialisation, if the points are those of all bosses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// The partition of the raid, such as a patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// The points.
    pub points: f64,
    /// World rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Region rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_rank: Option<u32>,
    /// Server rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_rank: Option<u32>,
}

/// Dates as in MongoDB's extended JSON: `{"$date": "2026-11-20T10:00:00Z"}`. Also reads a plain string and `{"$date":
/// {"$numberLong": "1669438300480"}}`, the canonical form.
pub mod extended_date {
    use jiff::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    struct Relaxed {
        #[serde(rename = "$date")]
        date: Timestamp,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Plain(Timestamp),
        Relaxed {
            #[serde(rename = "$date")]
            date: Timestamp,
        },
        Canonical {
            #[serde(rename = "$date")]
            date: NumberLong,
        },
    }

    #[derive(Deserialize)]
    struct NumberLong {
        #[serde(rename = "$numberLong")]
        millis: String,
    }

    /// Writes the relaxed form with milliseconds: MongoDB's dates are no more precise.
    pub fn serialize<S: Serializer>(date: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        let date = Timestamp::from_millisecond(date.as_millisecond()).unwrap_or(*date);
        Relaxed { date }.serialize(serializer)
    }

    /// Reads any of the three forms.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Plain(date) | Form::Relaxed { date } => Ok(date),
            Form::Canonical { date } => date
                .millis
                .parse()
                .ok()
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .ok_or_else(|| D::Error::custom(format!("'{}' is not a date in milliseconds", date.millis))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_of_the_design_reads_and_writes_back_the_same() {
        let text = r#"{"_id":57147396,"name":"Ånn","classId":4,"region":"EU","server":{"name":"Tarren Mill","slug":"tarren-mill","normalizedName":"TarrenMill"},"updatedAt":{"$date":"2026-11-20T10:00:00Z"},"raids":{"26":{"4":{"metric":"dps","best":91.2,"median":80.1,"encounters":{"2398":{"best":95.3,"median":80.0,"kills":12,"spec":"Fire"}}}}}}"#;
        let player: Player = serde_json::from_str(text).unwrap();
        assert_eq!(player.raids[&26][&4].encounters[&2398].kills, 12);
        assert_eq!(serde_json::to_string(&player).unwrap(), text);
    }

    #[test]
    fn what_is_optional_reads_and_writes_back_the_same() {
        let text = r#"{"metric":"dps","best":91.2,"median":null,"encounters":{"12291":{"best":95.3,"median":null,"kills":1,"spec":"Fire","allStars":{"partition":3,"points":103.43,"rank":1518,"regionRank":453},"score":169.3,"keyLevel":15}},"allStars":[{"spec":"Fire","partition":3,"points":910.852,"rank":1326,"regionRank":317,"serverRank":53}],"metrics":{"hps":{"metric":"hps","best":1.0,"median":null,"encounters":{}}}}"#;
        let ranks: RaidRanks = serde_json::from_str(text).unwrap();
        assert_eq!(ranks.metrics["hps"].best, Some(1.0));
        assert_eq!(serde_json::to_string(&ranks).unwrap(), text);
    }

    #[test]
    fn dates_are_read_in_every_form_that_mongoexport_writes() {
        #[derive(Deserialize)]
        struct Holder(#[serde(with = "extended_date")] Timestamp);
        for text in [
            r#"{"$date":{"$numberLong":"1669438300480"}}"#,
            r#"{"$date":"2022-11-26T04:51:40.480Z"}"#,
            r#""2022-11-26T04:51:40.480Z""#,
        ] {
            assert_eq!(serde_json::from_str::<Holder>(text).unwrap().0.as_millisecond(), 1_669_438_300_480, "{text}");
        }
    }

    #[test]
    fn raids_to_scrap_count_difficulties_not_characters_of_the_raid() {
        let raids: RaidsToScrap = serde_json::from_str(r#"{"26":[3,5],"28":[3,4,5]}"#).unwrap();
        assert_eq!(raids.len(), 5);
        assert_eq!(raids.to_string(), "26: 3 5, 28: 3 4 5");
    }
}
