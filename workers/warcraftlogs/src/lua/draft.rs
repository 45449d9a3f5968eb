//! A player's document, parsed only for the database: texts are borrowed from the input, and values that the database
//! does not contain are skipped. Raids, difficulties and encounters ascend, whatever their order in the document.

mod extras;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::options::{DatabaseOptions, Field};
use crate::model::{Difficulty, EncounterId, PlayerId, RaidId, Server, extended_date};

pub(crate) use extras::{DraftExtras, DraftStar};
use extras::{RankWithExtras, WithExtras};

/// A document of `players`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "R: Deserialize<'de>"))]
pub(crate) struct Draft<'a, R = DraftRaids<'a>> {
    #[serde(rename = "_id")]
    pub(crate) id: PlayerId,
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    pub(crate) class_id: u32,
    #[serde(borrow)]
    pub(crate) region: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) server: DraftServer<'a>,
    #[serde(with = "extended_date")]
    pub(crate) updated_at: Timestamp,
    pub(crate) raids: R,
}

/// A server in its three spellings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DraftServer<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) slug: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) normalized_name: Cow<'a, str>,
}

/// Every raid and difficulty, and every encounter, in two lists instead of nested tables.
#[derive(Debug, Default)]
pub(crate) struct DraftRaids<'a> {
    pub(crate) sections: Vec<DraftSection<'a>>,
    pub(crate) cells: Vec<DraftCell<'a>>,
    /// Whether all-star points, scores and keystones are read too.
    with_extras: bool,
}

/// One raid and difficulty.
#[derive(Debug)]
pub(crate) struct DraftSection<'a> {
    pub(crate) raid: RaidId,
    pub(crate) difficulty: Difficulty,
    pub(crate) metric: Cow<'a, str>,
    pub(crate) best: Option<f64>,
    pub(crate) median: Option<f64>,
    pub(crate) cells: Range<usize>,
    /// Empty unless extras are read.
    pub(crate) stars: Vec<DraftStar<'a>>,
}

/// One encounter.
#[derive(Debug)]
pub(crate) struct DraftCell<'a> {
    pub(crate) encounter: EncounterId,
    pub(crate) best: Option<f64>,
    pub(crate) kills: u32,
    pub(crate) spec: Cow<'a, str>,
    /// `None` unless extras are read.
    pub(crate) extras: Option<Box<DraftExtras<'a>>>,
}

#[derive(Deserialize)]
struct Rank<'a> {
    best: Option<f64>,
    kills: u32,
    #[serde(default, borrow)]
    spec: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Metric,
    Best,
    Median,
    Encounters,
    AllStars,
    #[serde(other)]
    Other,
}

impl<'a> Draft<'a> {
    /// Parses a document. Extras are skipped unless requested: they are most of it.
    pub(crate) fn read(text: &'a str, with_extras: bool) -> serde_json::Result<Draft<'a>> {
        if !with_extras {
            return serde_json::from_str(text);
        }
        let Draft { id, name, class_id, region, server, updated_at, raids } =
            serde_json::from_str::<Draft<'a, WithExtras<'a>>>(text)?;
        Ok(Draft { id, name, class_id, region, server, updated_at, raids: raids.0 })
    }
}

impl Draft<'_> {
    /// Whether there is any rank among those that `options` select: a killed encounter, or an average.
    pub(crate) fn has_ranks(&self, options: &DatabaseOptions) -> bool {
        self.raids.sections.iter().filter(|section| options.includes_unit(section.raid, section.difficulty)).any(
            |section| {
                let median = section.median.filter(|_| options.includes_field(Field::Median));
                !section.cells.is_empty() || section.best.or(median).is_some()
            },
        )
    }
}

impl DraftServer<'_> {
    /// The server in the form of the fleet's model.
    pub(crate) fn to_server(&self) -> Server {
        let DraftServer { name, slug, normalized_name } = self;
        Server {
            name: name.as_ref().to_owned(),
            slug: slug.as_ref().to_owned(),
            normalized_name: normalized_name.as_ref().to_owned(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for DraftRaids<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DraftRaids<'a>, D::Error> {
        let mut raids = DraftRaids::default();
        raids.fill(deserializer)?;
        Ok(raids)
    }
}

impl<'a> DraftRaids<'a> {
    /// Reads everything, and sorts it: raids are mostly in order already.
    fn fill<'de: 'a, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(Raids(self))?;
        let place = |section: &DraftSection<'_>| (section.raid, section.difficulty);
        if !self.sections.is_sorted_by_key(place) {
            self.sections.sort_by_key(place);
        }
        Ok(())
    }
}

/// Reads a table of raids.
struct Raids<'r, 'a>(&'r mut DraftRaids<'a>);
/// Reads a raid's table of difficulties.
struct Difficulties<'r, 'a>(&'r mut DraftRaids<'a>, RaidId);
/// Reads the ranks of one raid and difficulty.
struct Ranks<'r, 'a>(&'r mut DraftRaids<'a>, RaidId, Difficulty);
/// Reads a table of encounters.
struct Encounters<'r, 'a>(&'r mut DraftRaids<'a>);

impl<'de: 'a, 'a> Visitor<'de> for Raids<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("raids by their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(raid) = map.next_key()? {
            map.next_value_seed(Difficulties(self.0, raid))?;
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Difficulties<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ranks by difficulty")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(difficulty) = map.next_key()? {
            map.next_value_seed(Ranks(self.0, self.1, difficulty))?;
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Ranks<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ranks with metric, best, median and encounters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Ranks(raids, raid, difficulty) = self;
        let first = raids.cells.len();
        let (mut metric, mut best, mut median, mut stars) = (None, None, None, Vec::new());
        while let Some(key) = map.next_key()? {
            match key {
                Key::Metric => metric = Some(map.next_value::<Text<'a>>()?.0),
                Key::Best => best = map.next_value()?,
                Key::Median => median = map.next_value()?,
                Key::Encounters => map.next_value_seed(Encounters(&mut *raids))?,
                Key::AllStars if raids.with_extras => stars = map.next_value()?,
                Key::AllStars | Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let metric = metric.ok_or_else(|| serde::de::Error::missing_field("metric"))?;
        let cells = first..raids.cells.len();
        if !raids.cells[first..].is_sorted_by_key(|cell| cell.encounter) {
            raids.cells[first..].sort_by_key(|cell| cell.encounter);
        }
        raids.sections.push(DraftSection { raid, difficulty, metric, best, median, cells, stars });
        Ok(())
    }
}

/// A text that is borrowed if possible.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Visitor<'de> for Encounters<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("encounters by their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(encounter) = map.next_key()? {
            let cell = if self.0.with_extras {
                map.next_value::<RankWithExtras<'a>>()?.into_cell(encounter)
            } else {
                let Rank { best, kills, spec } = map.next_value::<Rank<'a>>()?;
                DraftCell { encounter, best, kills, spec, extras: None }
            };
            self.0.cells.push(cell);
        }
        Ok(())
    }
}

macro_rules! seed {
    ($($reader:ident),*) => {$(
        impl<'de: 'a, 'a> DeserializeSeed<'de> for $reader<'_, 'a> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_map(self)
            }
        }
    )*};
}

seed!(Difficulties, Ranks, Encounters);
