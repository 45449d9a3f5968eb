//! The result of a generation.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::draft::Draft;
use crate::model::PlayerId;

/// Players and files that a generation wrote, and players that it refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationReport {
    /// When it ran. Only in this report: in the files it would make every generation differ.
    pub generated_at: Timestamp,
    /// One entry per region, in ascending order.
    pub regions: Vec<RegionReport>,
    /// How many players are in no file.
    pub refused_players: u64,
    /// The first [`GenerationReport::LISTED`] of them, with the reason.
    pub refused: Vec<InvalidPlayer>,
    /// Players that are in no file for other reasons than an error in their documents.
    pub left_out: LeftOut,
}

/// How many players the databases leave out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// Without ranks in the raids and difficulties that are written.
    pub without_ranks: u64,
    /// Not updated for as many days as [`DatabaseOptions::max_age_days`](super::DatabaseOptions::max_age_days).
    pub not_seen: u64,
    /// The time since which they were not updated.
    pub not_seen_since: Option<Timestamp>,
    /// Regions with no player left. Their older databases stay unchanged.
    pub regions: Vec<String>,
}

/// One region's database.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionReport {
    /// `US`, `EU`, …
    pub region: String,
    /// The file with the trailer: the only one, unless the region is large.
    pub path: PathBuf,
    /// All files, in the order in which a client runs them.
    pub files: Vec<PathBuf>,
    /// Number of its players.
    pub players: u64,
    /// Number of its servers.
    pub servers: u64,
    /// The size of its files.
    pub bytes: u64,
    /// Bytes per player.
    pub bytes_per_player: f64,
    /// The servers with the most players.
    pub largest_servers: Vec<ServerReport>,
}

/// One server of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerReport {
    /// Its display name.
    pub server: String,
    /// Number of its players.
    pub players: u64,
    /// The size of its string.
    pub bytes: u64,
}

impl ServerReport {
    /// Number of listed servers of a region.
    pub const LISTED: usize = 5;
}

/// A player that could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvalidPlayer {
    /// The upstream's id.
    pub id: PlayerId,
    /// The name in the document.
    pub name: String,
    /// The server's display name in the document.
    pub server: String,
    /// The region in the document.
    pub region: String,
    /// The reason in words.
    pub reason: String,
}

impl GenerationReport {
    /// At most this many refused players are listed, the others are only counted: the memory of a generation stays
    /// bounded.
    pub const LISTED: usize = 10_000;

    pub(super) fn refuse(&mut self, refused: InvalidPlayer) {
        tracing::warn!(player = refused.id, reason = refused.reason, "player {refused} is left out of the database");
        self.refused_players += 1;
        if self.refused.len() < GenerationReport::LISTED {
            self.refused.push(refused);
        }
    }
}

impl GenerationReport {
    /// Logs what was left out, if anything.
    pub(super) fn log_left_out(&self) {
        let LeftOut { without_ranks, not_seen, regions, .. } = &self.left_out;
        if *without_ranks + *not_seen > 0 {
            tracing::info!(
                without_ranks,
                not_seen,
                "left out {without_ranks} players without selected ranks and {not_seen} not updated for too long"
            );
        }
        for region in regions {
            tracing::warn!(%region, "region {region} has no player to write; its older database is unchanged");
        }
    }

    /// Refuses a document that cannot be parsed.
    pub(super) fn refuse_document(&mut self, id: PlayerId, reason: String) {
        let unknown = String::new;
        self.refuse(InvalidPlayer {
            id,
            name: unknown(),
            server: unknown(),
            region: unknown(),
            reason: format!("its document cannot be read: {reason}"),
        });
    }
}

impl InvalidPlayer {
    pub(super) fn of(player: &Draft<'_>, reason: String) -> InvalidPlayer {
        InvalidPlayer {
            id: player.id,
            name: player.name.to_string(),
            server: player.server.name.to_string(),
            region: player.region.to_string(),
            reason,
        }
    }
}

impl std::fmt::Display for InvalidPlayer {
    /// `'Ann' (57147396) of 'Tarren Mill', EU`, with anything unprintable escaped.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let InvalidPlayer { id, name, server, region, .. } = self;
        write!(formatter, "{name:?} ({id}) of {server:?}, {region:?}")
    }
}
