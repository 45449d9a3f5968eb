//! One character of a response, parsed in one pass: a response is large, and there are millions of them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::lenient::Number;
use super::rankings::Rankings;
use crate::model::{Difficulty, RaidId, Server};

/// A character with its rankings.
pub(super) struct Character {
    pub(super) canonical_id: Number,
    pub(super) name: String,
    pub(super) class_id: Number,
    pub(super) server: CharacterServer,
    units: Vec<((RaidId, Difficulty), Rankings)>,
    /// Ranks by further metrics.
    further: Vec<((RaidId, Difficulty), Rankings)>,
}

/// The server of a character.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CharacterServer {
    name: String,
    slug: String,
    normalized_name: Option<String>,
    region: CharacterRegion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CharacterRegion {
    compact_name: String,
}

impl CharacterServer {
    /// The region, and the server in the three spellings. If the upstream has no normalised name, it is the name as the
    /// game appends it to a character from another realm: without spaces and hyphens.
    pub(super) fn into_parts(self) -> (String, Server) {
        let CharacterServer { name, slug, normalized_name, region } = self;
        let normalized_name = normalized_name.unwrap_or_else(|| name.replace([' ', '-'], ""));
        (region.compact_name, Server { name, slug, normalized_name })
    }
}

impl Character {
    /// Whether the upstream has never learned the character's class: then nothing is known about its ranks.
    pub(super) fn has_no_class(&self) -> bool {
        self.class_id.whole() == Some(0)
    }

    /// Whether there are ranks in any raid and difficulty.
    pub(super) fn has_ranks(&self) -> bool {
        self.units.iter().any(|(_, rankings)| matches!(rankings, Rankings::Ranks(_)))
    }

    /// Takes out the rankings of a raid and difficulty.
    pub(super) fn take(&mut self, unit: (RaidId, Difficulty)) -> Rankings {
        let place = self.units.iter().position(|(answered, _)| *answered == unit);
        place.map_or(Rankings::Absent, |place| self.units.swap_remove(place).1)
    }

    /// Takes out the rankings of a raid and difficulty by further metrics, in any order.
    pub(super) fn take_further(&mut self, unit: (RaidId, Difficulty)) -> Vec<Rankings> {
        if self.further.is_empty() {
            return Vec::new();
        }
        let (further, others) =
            std::mem::take(&mut self.further).into_iter().partition(|(answered, _)| *answered == unit);
        self.further = others;
        let further: Vec<((RaidId, Difficulty), Rankings)> = further;
        further.into_iter().map(|(_, rankings)| rankings).collect()
    }
}

/// The meaning of one field of a character.
enum CharacterField {
    CanonicalId,
    Name,
    ClassId,
    Server,
    Unit(RaidId, Difficulty),
    /// Ranks by a further metric.
    Further(RaidId, Difficulty),
    Other,
}

impl<'de> Deserialize<'de> for CharacterField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CharacterField, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = CharacterField;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member's name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<CharacterField, E> {
                Ok(match name {
                    "canonicalID" => CharacterField::CanonicalId,
                    "name" => CharacterField::Name,
                    "classID" => CharacterField::ClassId,
                    "server" => CharacterField::Server,
                    _ => unit(name).unwrap_or(CharacterField::Other),
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// Parses the alias `r26d4`, or `r26d4m1` for a further metric, into its raid and difficulty.
fn unit(alias: &str) -> Option<CharacterField> {
    let (raid, rest) = alias.strip_prefix('r')?.split_once('d')?;
    let raid = raid.parse().ok()?;
    match rest.split_once('m') {
        None => Some(CharacterField::Unit(raid, rest.parse().ok()?)),
        Some((difficulty, place)) => {
            let _: u32 = place.parse().ok()?;
            Some(CharacterField::Further(raid, difficulty.parse().ok()?))
        }
    }
}

impl<'de> Deserialize<'de> for Character {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Character, D::Error> {
        deserializer.deserialize_map(CharacterVisitor)
    }
}

struct CharacterVisitor;

impl<'de> Visitor<'de> for CharacterVisitor {
    type Value = Character;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a character")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Character, A::Error> {
        let (mut canonical_id, mut name, mut class_id, mut server) = (None, None, None, None);
        let (mut units, mut further) = (Vec::new(), Vec::new());
        while let Some(member) = members.next_key::<CharacterField>()? {
            match member {
                CharacterField::CanonicalId => canonical_id = Some(members.next_value()?),
                CharacterField::Name => name = Some(members.next_value()?),
                CharacterField::ClassId => class_id = Some(members.next_value()?),
                CharacterField::Server => server = Some(members.next_value()?),
                CharacterField::Unit(raid, difficulty) => units.push(((raid, difficulty), members.next_value()?)),
                CharacterField::Further(raid, difficulty) => further.push(((raid, difficulty), members.next_value()?)),
                CharacterField::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Character {
            canonical_id: canonical_id.ok_or_else(|| A::Error::missing_field("canonicalID"))?,
            name: name.ok_or_else(|| A::Error::missing_field("name"))?,
            class_id: class_id.ok_or_else(|| A::Error::missing_field("classID"))?,
            server: server.ok_or_else(|| A::Error::missing_field("server"))?,
            units,
            further,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_alias_of_ours_is_a_unit() {
        assert!(matches!(unit("r26d4"), Some(CharacterField::Unit(26, 4))));
        assert!(matches!(unit("r26d4m1"), Some(CharacterField::Further(26, 4))));
        for name in ["rankings", "r26", "rd", "r26d", "r-1d4", "name", "rated", "r26d4m", "r26d4mx", "r26dm1"] {
            assert!(unit(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_server_without_a_normalised_name_has_the_games() {
        for (given, expected) in [(r#""Azjol""#, "Azjol"), ("null", "AzjolNerub")] {
            let raw = format!(
                r#"{{"name":"Azjol-Nerub","slug":"azjol-nerub","normalizedName":{given},"region":{{"compactName":"EU"}}}}"#
            );
            let (region, server) = serde_json::from_str::<CharacterServer>(&raw).unwrap().into_parts();
            assert_eq!((region.as_str(), server.normalized_name.as_str()), ("EU", expected));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = serde_json::from_str::<Character>(r#"{"canonicalID":7,"name":"a","classID":4}"#).err();
        assert!(error.unwrap().to_string().contains("server"));
    }
}
