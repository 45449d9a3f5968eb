//! All-star points in the `zoneRankings` scalar: a list by spec, and an object for each boss.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess};

use super::lenient::{self, Lenient, Number, Text};
use crate::model::AllStars;

/// The all-star points, whatever their shape.
#[derive(Default)]
pub(super) enum AllStarsField {
    /// One entry for each spec and partition.
    Listed(Vec<AllStars>),
    /// Those for one boss.
    Single(AllStars),
    /// Null, or something else.
    #[default]
    Absent,
}

impl AllStarsField {
    /// The points of all bosses, by spec.
    pub(super) fn of_specs(self) -> Vec<AllStars> {
        if let AllStarsField::Listed(stars) = self { stars } else { Vec::new() }
    }

    /// The points of one boss.
    pub(super) fn of_boss(self) -> Option<AllStars> {
        if let AllStarsField::Single(stars) = self { Some(stars) } else { None }
    }
}

/// A rank that still changes is a dash, and a partition that does not count yet is 0.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields<'a> {
    #[serde(borrow)]
    spec: Text<'a>,
    partition: Number,
    points: Number,
    rank: Number,
    region_rank: Number,
    server_rank: Number,
}

impl Fields<'_> {
    /// Without points there is nothing to store.
    fn stars(self) -> Option<AllStars> {
        let number = |number: Number| number.whole().and_then(|number| u32::try_from(number).ok());
        Some(AllStars {
            points: self.points.0?,
            spec: self.spec.into_owned(),
            partition: number(self.partition).filter(|partition| *partition > 0),
            rank: number(self.rank),
            region_rank: number(self.region_rank),
            server_rank: number(self.server_rank),
        })
    }
}

impl<'de> Lenient<'de> for AllStarsField {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<AllStarsField, A::Error> {
        let mut listed = Vec::new();
        while let Some(stars) = list.next_element::<AllStarsField>()? {
            listed.extend(stars.of_boss());
        }
        Ok(AllStarsField::Listed(listed))
    }

    fn of_object<A: MapAccess<'de>>(members: A) -> Result<AllStarsField, A::Error> {
        let fields = Fields::deserialize(MapAccessDeserializer::new(members))?;
        Ok(fields.stars().map_or(AllStarsField::Absent, AllStarsField::Single))
    }
}

impl<'de> Deserialize<'de> for AllStarsField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AllStarsField, D::Error> {
        lenient::read(deserializer)
    }
}
