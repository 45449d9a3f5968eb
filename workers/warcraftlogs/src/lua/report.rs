//! What a generation did.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Player, PlayerId};

/// What a generation wrote and what it refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it ran. Only said here: in the files it would change every byte-identical generation.
    pub generated_at: Timestamp,
    /// One entry per region, in ascending order.
    pub regions: Vec<RegionReport>,
    /// How many players are in no file.
    pub refused_players: u64,
    /// The first [`Report::LISTED`] of them, with the reason.
    pub refused: Vec<Refused>,
}

/// One region's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionReport {
    /// `US`, `EU`, …
    pub region: String,
    /// The file.
    pub path: PathBuf,
    /// How many players it holds.
    pub players: u64,
    /// How many servers it holds.
    pub servers: u64,
    /// Its size.
    pub bytes: u64,
}

/// A player that could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The upstream's id.
    pub id: PlayerId,
    /// The name, as it came.
    pub name: String,
    /// The server's display name, as it came.
    pub server: String,
    /// The region, as it came.
    pub region: String,
    /// Why, in words.
    pub reason: String,
}

impl Report {
    /// More refused players than this are counted, not listed: the memory of a generation stays bounded.
    pub const LISTED: usize = 10_000;

    pub(super) fn refuse(&mut self, refused: Refused) {
        tracing::warn!(player = refused.id, reason = refused.reason, "player {refused} is left out of the database");
        self.refused_players += 1;
        if self.refused.len() < Report::LISTED {
            self.refused.push(refused);
        }
    }
}

impl Refused {
    pub(super) fn of(player: &Player, reason: String) -> Refused {
        Refused {
            id: player.id,
            name: player.name.clone(),
            server: player.server.name.clone(),
            region: player.region.clone(),
            reason,
        }
    }
}

impl std::fmt::Display for Refused {
    /// `'Ann' (57147396) of 'Tarren Mill', EU`, with anything unprintable escaped.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Refused { id, name, server, region, .. } = self;
        write!(formatter, "{name:?} ({id}) of {server:?}, {region:?}")
    }
}
