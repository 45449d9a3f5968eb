//! The `zoneRankings` scalar: what the recorded answers look like, and nothing more than that is relied on.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::model::{EncounterRank, RaidRanks};

/// What a `zoneRankings` scalar says.
#[derive(Debug, PartialEq)]
pub(super) enum Rankings {
    /// Ranks, perhaps without a kill.
    Ranks(RaidRanks),
    /// The character hides them.
    Hidden,
    /// The upstream does not take the arguments, with its message.
    Refused(String),
    /// There is no scalar.
    Absent,
}

/// A scalar as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZoneRankings {
    error: Option<String>,
    #[serde(default)]
    metric: Option<String>,
    #[serde(default)]
    best_performance_average: Number,
    #[serde(default)]
    median_performance_average: Number,
    #[serde(default)]
    rankings: Vec<BossRanking>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BossRanking {
    encounter: Option<Encounter>,
    #[serde(default)]
    rank_percent: Number,
    #[serde(default)]
    median_percent: Number,
    #[serde(default)]
    total_kills: Number,
    spec: Option<String>,
    best_spec: Option<String>,
}

#[derive(Deserialize)]
struct Encounter {
    id: u32,
}

/// A number that may also be null, absent, or the string `-` where the site shows a dash.
#[derive(Clone, Copy, Debug, Default)]
struct Number(Option<f64>);

impl From<Option<ZoneRankings>> for Rankings {
    fn from(scalar: Option<ZoneRankings>) -> Rankings {
        let Some(scalar) = scalar else { return Rankings::Absent };
        if let Some(message) = scalar.error {
            let hidden = message.contains("permission");
            return if hidden { Rankings::Hidden } else { Rankings::Refused(message) };
        }
        Rankings::Ranks(RaidRanks {
            metric: scalar.metric.unwrap_or_default(),
            best: scalar.best_performance_average.percent(),
            median: scalar.median_performance_average.percent(),
            encounters: scalar.rankings.into_iter().filter_map(killed).collect(),
        })
    }
}

/// Every boss of the raid is listed; those without a kill are left out.
fn killed(ranking: BossRanking) -> Option<(u32, EncounterRank)> {
    let kills = ranking.total_kills.0.filter(|kills| *kills >= 1.0)? as u32;
    let rank = EncounterRank {
        best: ranking.rank_percent.percent(),
        median: ranking.median_percent.percent(),
        kills,
        spec: ranking.best_spec.or(ranking.spec).unwrap_or_default(),
    };
    Some((ranking.encounter?.id, rank))
}

impl Number {
    /// As a percentile; what lies outside 0 to 100 is none.
    fn percent(self) -> Option<f64> {
        self.0.filter(|percent| (0.0..=100.0).contains(percent))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, or something in its place")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(Some(number as f64)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number as f64)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        Ok(Number(text.parse().ok()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Number, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Number(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Number(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Result<Rankings, serde_json::Error> {
        serde_json::from_str::<Option<ZoneRankings>>(raw).map(Rankings::from)
    }

    #[test]
    fn dashes_nulls_and_missing_fields_are_no_ranks() {
        let raw = r#"{"metric":"hps","bestPerformanceAverage":null,"medianPerformanceAverage":"-","rankings":[
            {"encounter":{"id":1,"name":"a"},"rankPercent":null,"medianPercent":null,"totalKills":0,"spec":null},
            {"encounter":{"id":2,"name":"b"},"rankPercent":"-","medianPercent":50,"totalKills":3,"spec":"Holy",
             "bestSpec":"Holy","allStars":{"rank":"-","partition":0}},
            {"encounter":{"id":3,"name":"c"},"rankPercent":99,"medianPercent":98.5,"totalKills":1,"spec":"Holy"}]}"#;
        let Rankings::Ranks(ranks) = read(raw).unwrap() else { panic!("no ranks") };
        assert_eq!((ranks.best, ranks.median, ranks.metric.as_str()), (None, None, "hps"));
        assert_eq!(ranks.encounters.keys().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!((ranks.encounters[&2].best, ranks.encounters[&2].median), (None, Some(50.0)));
        assert_eq!(ranks.encounters[&3].best, Some(99.0));
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn recorded_answers_are_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/wcl");
        let Ok(recorded) = std::fs::read_to_string(format!("{folder}/sdk-character-zoneRankings-zone24.json")) else {
            println!("skipped: {folder} is absent");
            return;
        };
        let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
        let Rankings::Ranks(ranks) = read(&recorded["zoneRankings"].to_string()).unwrap() else { panic!("no ranks") };
        let listed = recorded["zoneRankings"]["rankings"].as_array().unwrap();
        let killed = listed.iter().filter(|ranking| ranking["totalKills"].as_u64() > Some(0)).count();
        assert_eq!(ranks.encounters.len(), killed);
        assert_eq!(ranks.best, recorded["zoneRankings"]["bestPerformanceAverage"].as_f64());
        assert_eq!(ranks.encounters[&2329].kills, 20);
    }
}
