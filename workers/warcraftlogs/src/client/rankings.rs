//! The `zoneRankings` scalar. The code relies only on what recorded responses show.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess};

use super::all_stars::AllStarsField;
use super::lenient::{self, Lenient, Number, Text};
use crate::model::{EncounterId, EncounterRank, RaidRanks};

/// The meaning of a `zoneRankings` scalar.
#[derive(Debug, PartialEq)]
pub(super) enum Rankings {
    /// Ranks, perhaps without a kill.
    Ranks(RaidRanks),
    /// The character hides them.
    Hidden,
    /// The upstream does not accept the arguments; its message.
    Refused(String),
    /// There is no scalar.
    Absent,
    /// It has no ranks, and why.
    NotRanks(String),
}

/// The difficulty of dungeons, whose brackets are the levels of keystones.
const DUNGEON: u64 = 10;

/// Longest quotation from a text that is not ranks, in characters.
const LONGEST_QUOTE: usize = 200;

/// Words in messages about temporary trouble of the upstream: a later request may succeed.
const TRANSIENT_WORDS: [&str; 12] = [
    "try again",
    "timeout",
    "timed out",
    "temporary",
    "temporarily",
    "internal",
    "server error",
    "unavailable",
    "unauthenticated",
    "rate limit",
    "too many",
    "maintenance",
];

/// A scalar that is an object. Each field is decoded whatever its shape.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scalar<'a> {
    #[serde(default, borrow)]
    error: Text<'a>,
    #[serde(default, borrow)]
    message: Text<'a>,
    #[serde(default, borrow)]
    metric: Text<'a>,
    #[serde(default)]
    best_performance_average: Number,
    #[serde(default)]
    median_performance_average: Number,
    #[serde(default)]
    difficulty: Number,
    #[serde(default)]
    all_stars: AllStarsField,
    #[serde(default)]
    rankings: Rows,
}

/// The bosses of a scalar.
#[derive(Default)]
enum Rows {
    /// The bosses with a kill of a list, or of an object whose keys are the numbers of the rows. Null is an empty list.
    /// They have the score and the level that only a dungeon has.
    Listed(BTreeMap<EncounterId, EncounterRank>),
    /// There is no list, or something else in its place.
    #[default]
    Absent,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BossRanking<'a> {
    encounter: Encounter,
    rank_percent: Number,
    median_percent: Number,
    total_kills: Number,
    #[serde(borrow)]
    spec: Text<'a>,
    #[serde(borrow)]
    best_spec: Text<'a>,
    all_stars: AllStarsField,
    best_amount: Number,
    /// The item level in raids, the keystone's level in dungeons.
    bracket_data: Number,
    keystone_level: Number,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EncounterFields {
    id: Number,
}

/// A row of a scalar: a boss, if it has a kill. A row that is not an object has no boss.
#[derive(Default)]
struct Row(Option<(EncounterId, EncounterRank)>);

/// The boss of a row.
#[derive(Default)]
struct Encounter(EncounterFields);

impl Default for Rankings {
    fn default() -> Rankings {
        Rankings::NotRanks("it is not an object".into())
    }
}

impl<'de> Lenient<'de> for Rankings {
    fn of_null() -> Rankings {
        Rankings::Absent
    }

    /// Some responses have the scalar as JSON text.
    fn of_text(text: &str) -> Rankings {
        let object = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Scalar>(text));
        match object {
            Some(Ok(scalar)) => Rankings::from(scalar),
            _ => Rankings::NotRanks(format!("it says: {}", text.chars().take(LONGEST_QUOTE).collect::<String>())),
        }
    }

    fn of_object<A: MapAccess<'de>>(members: A) -> Result<Rankings, A::Error> {
        Scalar::deserialize(MapAccessDeserializer::new(members)).map(Rankings::from)
    }
}

impl<'de> Lenient<'de> for Rows {
    fn of_null() -> Rows {
        Rows::Listed(BTreeMap::new())
    }

    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Rows, A::Error> {
        let mut rows = BTreeMap::new();
        while let Some(Row(row)) = list.next_element()? {
            rows.extend(row);
        }
        Ok(Rows::Listed(rows))
    }

    fn of_object<A: MapAccess<'de>>(mut members: A) -> Result<Rows, A::Error> {
        let (mut rows, mut numbered) = (BTreeMap::new(), true);
        while let Some((name, Row(row))) = members.next_entry::<String, Row>()? {
            numbered &= name.bytes().all(|byte| byte.is_ascii_digit());
            rows.extend(row);
        }
        Ok(if numbered { Rows::Listed(rows) } else { Rows::Absent })
    }
}

impl<'de> Lenient<'de> for Row {
    fn of_object<A: MapAccess<'de>>(members: A) -> Result<Row, A::Error> {
        BossRanking::deserialize(MapAccessDeserializer::new(members)).map(killed).map(Row)
    }
}

impl<'de> Lenient<'de> for Encounter {
    fn of_object<A: MapAccess<'de>>(members: A) -> Result<Encounter, A::Error> {
        EncounterFields::deserialize(MapAccessDeserializer::new(members)).map(Encounter)
    }
}

impl<'de> Deserialize<'de> for Rankings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rankings, D::Error> {
        lenient::read(deserializer)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows, D::Error> {
        lenient::read(deserializer)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        lenient::read(deserializer)
    }
}

impl<'de> Deserialize<'de> for Encounter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Encounter, D::Error> {
        lenient::read(deserializer)
    }
}

impl From<Scalar<'_>> for Rankings {
    fn from(scalar: Scalar<'_>) -> Rankings {
        if let Some(message) = scalar.error.0.filter(|message| !message.is_empty()) {
            return refusal(message.into_owned());
        }
        let Rows::Listed(mut encounters) = scalar.rankings else {
            let said = scalar.message.0.map(|message| format!(": the upstream says: {message}"));
            return Rankings::NotRanks(format!("it has no rankings{}", said.unwrap_or_default()));
        };
        if scalar.difficulty.whole() != Some(DUNGEON) {
            for rank in encounters.values_mut() {
                (rank.score, rank.key_level) = (None, None);
            }
        }
        Rankings::Ranks(RaidRanks {
            metric: scalar.metric.into_owned().unwrap_or_default(),
            best: scalar.best_performance_average.percent(),
            median: scalar.median_performance_average.percent(),
            encounters,
            all_stars: scalar.all_stars.of_specs(),
            metrics: BTreeMap::new(),
        })
    }
}

/// The meaning of an error in place of ranks.
fn refusal(message: String) -> Rankings {
    let lower = message.to_lowercase();
    if lower.contains("permission") {
        Rankings::Hidden
    } else if TRANSIENT_WORDS.iter().any(|word| lower.contains(word)) {
        Rankings::NotRanks(format!("the upstream says: {message}"))
    } else {
        Rankings::Refused(message)
    }
}

/// Every boss of the raid is listed; those without a kill are left out. Whether it is a dungeon is known only after the
/// rows.
fn killed(ranking: BossRanking<'_>) -> Option<(EncounterId, EncounterRank)> {
    let kills = ranking.total_kills.0.filter(|kills| *kills >= 1.0)? as u32;
    let Encounter(EncounterFields { id }) = ranking.encounter;
    let id = u32::try_from(id.whole()?).ok()?;
    let key_level = ranking.keystone_level.whole().or(ranking.bracket_data.whole());
    let key_level = key_level.and_then(|level| u32::try_from(level).ok());
    let rank = EncounterRank {
        best: ranking.rank_percent.percent(),
        median: ranking.median_percent.percent(),
        kills,
        spec: ranking.best_spec.0.or(ranking.spec.0).unwrap_or_default().into_owned(),
        all_stars: ranking.all_stars.of_boss(),
        score: ranking.best_amount.0,
        key_level,
    };
    Some((id, rank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AllStars;

    fn read(raw: &str) -> Rankings {
        serde_json::from_str(raw).unwrap()
    }

    fn ranks(raw: &str) -> RaidRanks {
        match read(raw) {
            Rankings::Ranks(ranks) => ranks,
            other => panic!("{raw}: {other:?}"),
        }
    }

    #[test]
    fn dashes_nulls_and_missing_fields_are_no_ranks() {
        let raw = r#"{"metric":"hps","bestPerformanceAverage":null,"medianPerformanceAverage":"-","rankings":[
            {"encounter":{"id":1,"name":"a"},"rankPercent":null,"medianPercent":null,"totalKills":0,"spec":null},
            {"encounter":{"id":2,"name":"b"},"rankPercent":"-","medianPercent":50,"totalKills":3,"spec":"Holy",
             "bestSpec":"Holy","allStars":{"rank":"-","partition":0}},
            {"encounter":{"id":3,"name":"c"},"rankPercent":99,"medianPercent":98.5,"totalKills":1,"spec":"Holy"}]}"#;
        let ranks = ranks(raw);
        assert_eq!((ranks.best, ranks.median, ranks.metric.as_str()), (None, None, "hps"));
        assert_eq!(ranks.encounters.keys().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!((ranks.encounters[&2].best, ranks.encounters[&2].median), (None, Some(50.0)));
        assert_eq!(ranks.encounters[&3].best, Some(99.0));
    }

    #[test]
    fn all_stars_keep_points_and_the_places_that_there_are() {
        let raw = r#"{"metric":"hps","difficulty":4,"allStars":[null,{"partition":1,"spec":"Holy","points":910.852,
            "possiblePoints":1320,"rank":1326,"regionRank":317,"serverRank":null,"rankPercent":93.3,"total":20012}],
            "rankings":[
            {"encounter":{"id":1},"totalKills":6,"spec":"Holy","bestAmount":10660.8,"bracketData":252,"allStars":{
             "points":103.43,"possiblePoints":120,"partition":1,"rank":1518,"regionRank":453,"serverRank":54}},
            {"encounter":{"id":2},"totalKills":5,"allStars":{"points":98.7,"partition":0,"rank":"-","regionRank":"-",
             "rankPercent":"-","total":0}},
            {"encounter":{"id":3},"totalKills":1,"allStars":null}]}"#;
        let ranks = ranks(raw);
        let stars = |points, places: [Option<u32>; 3], partition| AllStars {
            spec: None,
            partition,
            points,
            rank: places[0],
            region_rank: places[1],
            server_rank: places[2],
        };
        let of_spec = AllStars { spec: Some("Holy".into()), ..stars(910.852, [Some(1326), Some(317), None], Some(1)) };
        assert_eq!(ranks.all_stars, [of_spec]);
        let of_boss = |boss: u32| ranks.encounters[&boss].all_stars.clone();
        assert_eq!(of_boss(1), Some(stars(103.43, [Some(1518), Some(453), Some(54)], Some(1))));
        assert_eq!(of_boss(2), Some(stars(98.7, [None; 3], None)));
        assert_eq!(of_boss(3), None);
        assert_eq!(
            (ranks.encounters[&1].score, ranks.encounters[&1].key_level),
            (None, None),
            "a raid has no keystones"
        );
    }

    #[test]
    fn dungeons_keep_score_and_key_level() {
        let raw = r#"{"metric":"playerscore","difficulty":10,"rankings":[
            {"encounter":{"id":1},"totalKills":6,"bestAmount":169.3,"bracketData":15},
            {"encounter":{"id":2},"totalKills":1,"bestAmount":12,"keystoneLevel":"7"},
            {"encounter":{"id":3},"totalKills":1,"bestAmount":null}]}"#;
        let ranks = ranks(raw);
        let kept = |dungeon: u32| (ranks.encounters[&dungeon].score, ranks.encounters[&dungeon].key_level);
        assert_eq!([kept(1), kept(2), kept(3)], [(Some(169.3), Some(15)), (Some(12.0), Some(7)), (None, None)]);
    }

    #[test]
    fn every_shape_that_ranks_may_have_is_read() {
        let row = r#"{"encounter":{"id":"2398"},"rankPercent":"95.5","totalKills":"3","spec":{"odd":1},"bestSpec":7}"#;
        let object = format!(r#"{{"metric":"dps","rankings":{{"0":{row},"2":null,"10":{{"encounter":null}}}}}}"#);
        let text = serde_json::Value::from(object.as_str()).to_string();
        for raw in [format!(r#"{{"metric":"dps","rankings":[null,{row},7]}}"#), object, text] {
            let ranks = ranks(&raw);
            let expected = EncounterRank { best: Some(95.5), kills: 3, ..EncounterRank::default() };
            assert_eq!((ranks.metric.as_str(), &ranks.encounters), ("dps", &[(2398, expected)].into()), "{raw}");
        }
        assert_eq!(ranks(r#"{"rankings":null,"error":null}"#), RaidRanks::default());
    }

    #[test]
    fn an_object_of_another_shape_is_no_ranks() {
        assert_eq!(read("null"), Rankings::Absent);
        for (raw, why) in [
            (r#"{"message":"Server Error"}"#, "it has no rankings: the upstream says: Server Error"),
            (r#"{"metric":"dps","bestPerformanceAverage":90}"#, "it has no rankings"),
            (r#"{"rankings":{"message":"no"}}"#, "it has no rankings"),
            (r#"{"rankings":"none"}"#, "it has no rankings"),
            (r#"{"error":{"code":5}}"#, "it has no rankings"),
            (r#"{"error":"Something broke, please try again later."}"#, "the upstream says: Something broke"),
            (r#"{"error":"Internal server error"}"#, "the upstream says: Internal"),
            ("{}", "it has no rankings"),
            ("[]", "it is not an object"),
            ("7", "it is not an object"),
            (r#""Bad Gateway""#, "it says: Bad Gateway"),
            (r#""[1]""#, "it says: [1]"),
        ] {
            assert!(
                matches!(read(raw), Rankings::NotRanks(reason) if reason.starts_with(why)),
                "{raw}: {:?}",
                read(raw)
            );
        }
    }

    #[test]
    fn hidden_and_refused_are_told_apart() {
        let hidden = r#"{"error":"You do not have permission to see this character's rankings."}"#;
        assert_eq!(read(hidden), Rankings::Hidden);
        let refused = "Invalid difficulty/size specified.";
        assert_eq!(read(&format!(r#"{{"error":"{refused}"}}"#)), Rankings::Refused(refused.into()));
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
        let ranks = ranks(&recorded["zoneRankings"].to_string());
        let listed = recorded["zoneRankings"]["rankings"].as_array().unwrap();
        let killed = listed.iter().filter(|ranking| ranking["totalKills"].as_u64() > Some(0)).count();
        assert_eq!(ranks.encounters.len(), killed);
        assert_eq!(ranks.best, recorded["zoneRankings"]["bestPerformanceAverage"].as_f64());
        assert_eq!(ranks.encounters[&2329].kills, 20);
        assert_eq!(ranks.encounters[&2329].all_stars.as_ref().map(|stars| stars.rank), Some(Some(30)));
        assert_eq!(
            ranks.all_stars.iter().map(|stars| stars.server_rank).collect::<Vec<_>>(),
            [Some(52), None, Some(36_951)]
        );
    }
}
