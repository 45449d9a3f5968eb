//! All-star points, scores and keystones of a document, which only some databases contain.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use super::{DraftCell, DraftRaids, Text};
use crate::model::EncounterId;

/// The extras of one encounter.
#[derive(Debug)]
pub(crate) struct DraftExtras<'a> {
    pub(crate) star: Option<DraftStar<'a>>,
    pub(crate) score: Option<f64>,
    pub(crate) key_level: Option<u32>,
}

/// All-star points, and the ranks that they earn.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DraftStar<'a> {
    #[serde(default, borrow)]
    pub(crate) spec: Option<Text<'a>>,
    pub(crate) partition: Option<u32>,
    pub(crate) points: f64,
    pub(crate) rank: Option<u32>,
    pub(crate) region_rank: Option<u32>,
    pub(crate) server_rank: Option<u32>,
}

/// The raids of a document with their extras.
pub(super) struct WithExtras<'a>(pub(super) DraftRaids<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for WithExtras<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WithExtras<'a>, D::Error> {
        let mut raids = DraftRaids { with_extras: true, ..DraftRaids::default() };
        raids.fill(deserializer)?;
        Ok(WithExtras(raids))
    }
}

/// An encounter with its extras.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RankWithExtras<'a> {
    best: Option<f64>,
    kills: u32,
    #[serde(default, borrow)]
    spec: Cow<'a, str>,
    #[serde(borrow)]
    all_stars: Option<DraftStar<'a>>,
    score: Option<f64>,
    key_level: Option<u32>,
}

impl<'a> RankWithExtras<'a> {
    pub(super) fn into_cell(self, encounter: EncounterId) -> DraftCell<'a> {
        let RankWithExtras { best, kills, spec, all_stars, score, key_level } = self;
        let extras = DraftExtras { star: all_stars, score, key_level };
        DraftCell { encounter, best, kills, spec, extras: Some(Box::new(extras)) }
    }
}
