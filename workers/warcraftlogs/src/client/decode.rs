//! Reading answers leniently: the upstream's rankings are JSON without a schema, and they do vary.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::character::Character;
use super::document::{RanksOf, character_alias, read_points, unit_alias};
use super::rankings::Rankings;
use crate::model::{Player, RaidRanks, Server};
use crate::store::DropReason;

/// What the upstream prints, as the whole body or before it, when a batch holds a character that it never classed.
const NEVER_CLASSED: &str = "No class set for this character";

/// An answer to a batch.
#[derive(Debug)]
pub(super) enum Decoded {
    /// One fate per character, in the order of the batch.
    Fates {
        /// The key's counter, if the answer carried it.
        points: Option<read_points::Points>,
        /// What became of each character.
        fates: Vec<Fate>,
    },
    /// The answer is spoiled by one character that was never classed, and does not say which.
    Spoiled {
        /// The key's counter, if the answer carried it.
        points: Option<read_points::Points>,
    },
}

/// What became of one character of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Ranks came.
    Ranked(Box<Player>),
    /// There will never be ranks.
    Dropped(DropReason),
    /// The request for it can never succeed, and why.
    Rejected(String),
    /// No ranks this time, and why.
    Failed(String),
}

/// An answer that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the answer: {0}")]
pub(super) struct Unreadable(pub(super) String);

/// An answer whose characters are read as `C`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "C: Deserialize<'de>"))]
struct Body<C> {
    data: Option<Data<C>>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "C: Deserialize<'de>"))]
struct Data<C> {
    #[serde(rename = "rateLimitData")]
    points: Option<read_points::Points>,
    #[serde(default, rename = "characterData", alias = "reportData")]
    aliases: Option<BTreeMap<String, C>>,
}

#[derive(Deserialize)]
struct GraphqlError {
    message: String,
    #[serde(default)]
    path: Vec<serde_json::Value>,
}

/// Reads the answer to `batch`.
pub(super) fn ranks(body: &[u8], batch: &[RanksOf], now: Timestamp) -> Result<Decoded, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|error| Unreadable(error.to_string()))?;
    let (head, json) = text.split_at(text.find('{').unwrap_or(text.len()));
    let spoiled = head.contains(NEVER_CLASSED) || text.trim().is_empty();
    if spoiled && batch.len() == 1 {
        let fates = vec![Fate::Dropped(DropReason::NeverClassed)];
        return Ok(Decoded::Fates { points: points_beside(json), fates });
    }
    if spoiled {
        // Which character it was, the answer does not say: each is asked for again, alone.
        return Ok(Decoded::Spoiled { points: points_beside(json) });
    }
    // One pass is enough for almost every answer; only where a character cannot be read, each is read apart.
    match parse::<Option<Character>>(json) {
        Ok(body) => fates(body, batch, now, Ok),
        Err(_) => fates(parse::<&RawValue>(json)?, batch, now, |raw| serde_json::from_str(raw.get())),
    }
}

/// Reads an answer that carries only the key's counter.
pub(super) fn points(body: &[u8]) -> Result<read_points::Points, Unreadable> {
    let body = parse::<IgnoredAny>(std::str::from_utf8(body).map_err(|error| Unreadable(error.to_string()))?)?;
    body.data.and_then(|data| data.points).ok_or_else(|| Unreadable(first_message(&body.errors)))
}

/// The key's counter, if it is there.
fn points_beside(text: &str) -> Option<read_points::Points> {
    parse::<IgnoredAny>(text).ok()?.data?.points
}

fn parse<'a, C: Deserialize<'a>>(text: &'a str) -> Result<Body<C>, Unreadable> {
    serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))
}

/// The fate of each character, which `read` makes of what was parsed. A null means that there is no such character, unless
/// something went wrong that may have made it one: an error that names no character may be about any.
fn fates<C>(
    body: Body<C>,
    batch: &[RanksOf],
    now: Timestamp,
    read: impl Fn(C) -> serde_json::Result<Option<Character>>,
) -> Result<Decoded, Unreadable> {
    let Some(data) = body.data else { return Err(Unreadable(first_message(&body.errors))) };
    let mut answers = data.aliases.unwrap_or_default();
    let aliases: Vec<String> =
        batch.iter().enumerate().map(|(place, asked)| character_alias(place, &asked.whom)).collect();
    let names = |error: &GraphqlError, alias: &String| error.path.iter().any(|step| step == alias.as_str());
    let of_nobody = body.errors.iter().find(|error| !aliases.iter().any(|alias| names(error, alias)));
    let fate = |(alias, asked): (&String, &RanksOf)| {
        let error = body.errors.iter().find(|error| names(error, alias));
        match (error, answers.remove(alias).map(&read)) {
            (Some(error), _) => Fate::Failed(format!("the upstream says: {}", error.message)),
            (None, None) => Fate::Failed(format!("the answer lacks {alias}: {}", first_message(&body.errors))),
            (None, Some(Err(error))) => Fate::Failed(format!("cannot read {alias}: {error}")),
            (None, Some(Ok(Some(character)))) => fate_of(character, asked, now),
            (None, Some(Ok(None))) => match of_nobody {
                Some(error) => Fate::Failed(format!("the upstream says: {}", error.message)),
                None => Fate::Dropped(DropReason::Unknown),
            },
        }
    };
    let fates = aliases.iter().zip(batch).map(fate).collect();
    Ok(Decoded::Fates { points: data.points, fates })
}

fn first_message(errors: &[GraphqlError]) -> String {
    errors.first().map_or_else(|| "it has no data".to_owned(), |error| format!("the upstream says: {}", error.message))
}

fn fate_of(mut character: Character, asked: &RanksOf, now: Timestamp) -> Fate {
    let mut raids: BTreeMap<_, BTreeMap<_, RaidRanks>> = BTreeMap::new();
    for unit in &asked.units {
        match character.take(*unit) {
            Rankings::Ranks(ranks) => {
                raids.entry(unit.0).or_default().insert(unit.1, ranks);
            }
            Rankings::Hidden => return Fate::Dropped(DropReason::Hidden),
            Rankings::Refused(message) => {
                return Fate::Rejected(format!("raid {} in difficulty {}: {message}", unit.0, unit.1));
            }
            Rankings::Absent => return Fate::Failed(format!("the answer has no {}", unit_alias(*unit))),
        }
    }
    player(character, raids, now)
}

fn player(character: Character, raids: BTreeMap<u32, BTreeMap<u32, RaidRanks>>, now: Timestamp) -> Fate {
    let (Ok(id), Ok(class_id)) = (u64::try_from(character.canonical_id), u32::try_from(character.class_id)) else {
        let Character { canonical_id, class_id, .. } = character;
        return Fate::Failed(format!("canonicalID {canonical_id} or classID {class_id} is negative"));
    };
    let server = Server {
        name: character.server.name,
        slug: character.server.slug,
        normalized_name: character.server.normalized_name,
    };
    let region = character.server.region.compact_name;
    Fate::Ranked(Box::new(Player { id, name: character.name, class_id, region, server, updated_at: now, raids }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whom::{Named, Whom};

    const CHARACTER: &str = r#"{"id":7,"canonicalID":7,"name":"Ånn","classID":4,"hidden":false,
        "server":{"name":"Tarren Mill","slug":"tarren-mill","normalizedName":"TarrenMill","region":{"compactName":"EU"}},
        "r26d4":{"metric":"dps","bestPerformanceAverage":90,"medianPerformanceAverage":80.5,"rankings":[]}}"#;

    fn batch(ids: &[u64]) -> Vec<RanksOf> {
        ids.iter().map(|id| RanksOf { whom: Whom::Id(*id), units: vec![(26, 4)] }).collect()
    }

    fn fates(body: &str, ids: &[u64]) -> Vec<Fate> {
        match ranks(body.as_bytes(), &batch(ids), Timestamp::UNIX_EPOCH).unwrap() {
            Decoded::Fates { fates, .. } => fates,
            Decoded::Spoiled { .. } => panic!("spoiled"),
        }
    }

    #[test]
    fn one_characters_error_leaves_the_others_alone() {
        let body = format!(
            r#"{{"data":{{"characterData":{{"c7":{CHARACTER},"c8":null,"c9":null}}}},
                "errors":[{{"message":"boom","path":["characterData","c9"]}}]}}"#
        );
        let fates = fates(&body, &[7, 8, 9, 10]);
        assert!(matches!(&fates[0], Fate::Ranked(player) if player.name == "Ånn"));
        assert_eq!(fates[1], Fate::Dropped(DropReason::Unknown));
        assert_eq!(fates[2], Fate::Failed("the upstream says: boom".into()));
        assert!(matches!(&fates[3], Fate::Failed(reason) if reason.contains("c10")));
    }

    #[test]
    fn a_null_beside_an_error_that_names_nobody_is_not_an_unknown_character() {
        for path in ["", r#","path":["characterData"]"#, r#","path":[]"#] {
            let body = format!(
                r#"{{"data":{{"characterData":{{"c7":{CHARACTER},"c8":null}}}},
                    "errors":[{{"message":"Internal server error"{path}}}]}}"#
            );
            let fates = fates(&body, &[7, 8]);
            assert!(matches!(&fates[0], Fate::Ranked(_)), "what came is kept");
            assert_eq!(fates[1], Fate::Failed("the upstream says: Internal server error".into()), "{path}");
        }
    }

    #[test]
    fn a_character_that_cannot_be_read_leaves_the_others_alone() {
        let broken = CHARACTER.replace(r#""classID":4"#, r#""classID":"mage""#);
        let body = format!(r#"{{"data":{{"characterData":{{"c7":{CHARACTER},"c8":{broken}}}}}}}"#);
        let fates = fates(&body, &[7, 8]);
        assert!(matches!(&fates[0], Fate::Ranked(player) if player.name == "Ånn"));
        assert!(matches!(&fates[1], Fate::Failed(reason) if reason.contains("cannot read c8")), "{:?}", fates[1]);
    }

    #[test]
    fn whoever_was_asked_for_by_name_is_known_by_its_canonical_id() {
        let named = |name| Whom::Named(Named::new(name, "tarren-mill", "EU").unwrap());
        let asked = [named("Ånn"), named("Nobody")].map(|whom| RanksOf { whom, units: vec![(26, 4)] });
        let character = CHARACTER.replace(r#""canonicalID":7"#, r#""canonicalID":8"#);
        let body = format!(r#"{{"data":{{"characterData":{{"n0":{character},"n1":null}}}}}}"#);
        let decoded = ranks(body.as_bytes(), &asked, Timestamp::UNIX_EPOCH).unwrap();
        let Decoded::Fates { fates, .. } = decoded else { panic!("spoiled") };
        assert!(matches!(&fates[0], Fate::Ranked(player) if player.id == 8));
        assert_eq!(fates[1], Fate::Dropped(DropReason::Unknown));
    }

    #[test]
    fn a_never_classed_character_is_found_in_all_three_forms() {
        let text = "No class set for this character. Click the Update button in the upper right to establish a class.";
        let before_json = format!("{text}{{\"data\":{{\"characterData\":{{\"c7\":{CHARACTER}}}}}}}");
        for body in [text, "", &before_json] {
            assert_eq!(fates(body, &[7]), [Fate::Dropped(DropReason::NeverClassed)], "{body}");
            let several = ranks(body.as_bytes(), &batch(&[7, 8]), Timestamp::UNIX_EPOCH).unwrap();
            assert!(matches!(several, Decoded::Spoiled { .. }), "{body}");
        }
    }

    #[test]
    fn hidden_and_refused_are_told_apart() {
        let with = |message: &str| {
            let character = CHARACTER.replace(r#"{"metric":"dps","#, &format!(r#"{{"error":"{message}","#));
            fates(&format!(r#"{{"data":{{"characterData":{{"c7":{character}}}}}}}"#), &[7]).remove(0)
        };
        let hidden = with("You do not have permission to see this character's rankings.");
        assert_eq!(hidden, Fate::Dropped(DropReason::Hidden));
        assert!(matches!(with("Invalid difficulty/size specified."), Fate::Rejected(reason) if reason.contains("26")));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for body in ["<html>Bad gateway</html>", r#"{"errors":[{"message":"Syntax Error"}]}"#, "[1]", "{\"data\":"] {
            assert!(ranks(body.as_bytes(), &batch(&[7]), Timestamp::UNIX_EPOCH).is_err(), "{body}");
        }
    }
}
