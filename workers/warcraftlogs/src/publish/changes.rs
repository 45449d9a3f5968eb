//! What a publication changes in a region, by comparing the databases before and after.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::Result;
use jiff::civil::Date;
use serde::Serialize;

use crate::addon::players;
use crate::lua::Found;

/// One region's database, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionChange {
    /// `EU`, …
    pub region: String,
    /// Number of its players.
    pub players: u64,
    /// The size of its files.
    pub bytes: u64,
    /// The earlier size; `None` for the first database.
    pub bytes_before: Option<u64>,
    /// Players added, removed and changed. `None` if there was no earlier database, or it cannot be read.
    pub difference: Option<Difference>,
    /// The oldest day among its players.
    pub oldest: Option<Date>,
    /// The newest day among its players.
    pub newest: Option<Date>,
}

/// Players by region, server and name: a player who was renamed or moved counts as removed and added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// In the new database only.
    pub added: u64,
    /// In the earlier database only.
    pub removed: u64,
    /// In both, with other ranks or another date.
    pub changed: u64,
}

/// Compares both databases. It uses two times sixteen bytes of memory for each player of the earlier one.
pub(super) fn compare(region: &str, folder: &Path, before: Option<(&Path, u64)>, bytes: u64) -> Result<RegionChange> {
    let mut earlier = before.and_then(|(folder, _)| match fingerprints(folder, region) {
        Ok(earlier) => Some(earlier),
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::info!(region, reason, "the published database cannot be compared with the new one");
            None
        }
    });
    let mut change = RegionChange {
        region: region.to_owned(),
        players: 0,
        bytes,
        bytes_before: before.map(|(_, bytes)| bytes),
        difference: None,
        oldest: None,
        newest: None,
    };
    let mut difference = Difference::default();
    for found in players(folder, region)? {
        let found = found?;
        change.players += 1;
        change.oldest = Some(change.oldest.map_or(found.updated_at, |oldest| oldest.min(found.updated_at)));
        change.newest = change.newest.max(Some(found.updated_at));
        match earlier.as_mut().map(|earlier| earlier.remove(&identity(&found))) {
            Some(Some(content)) => difference.changed += u64::from(content != fingerprint(&found)),
            Some(None) => difference.added += 1,
            None => {}
        }
    }
    if let Some(left) = earlier {
        change.difference = Some(Difference { removed: left.len() as u64, ..difference });
    }
    Ok(change)
}

fn fingerprints(folder: &Path, region: &str) -> Result<HashMap<u64, u64>> {
    let mut fingerprints = HashMap::new();
    for found in players(folder, region)? {
        let found = found?;
        fingerprints.insert(identity(&found), fingerprint(&found));
    }
    Ok(fingerprints)
}

/// A player's identity as a number. Among a million players, the probability that two share one is one in forty
/// million.
fn identity(found: &Found) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&found.server.slug, &found.server.name, &found.server.normalized_name, &found.name).hash(&mut hasher);
    hasher.finish()
}

/// A hash of all that the database contains about a player.
fn fingerprint(found: &Found) -> u64 {
    let mut hasher = DefaultHasher::new();
    let bits = |percentile: Option<f64>| percentile.map(f64::to_bits);
    (found.class_id, found.updated_at).hash(&mut hasher);
    for (raid, difficulties) in &found.raids {
        for (difficulty, ranks) in difficulties {
            (raid, difficulty, &ranks.metric, bits(ranks.best), bits(ranks.median)).hash(&mut hasher);
            for (encounter, rank) in &ranks.encounters {
                (encounter, bits(rank.best), rank.kills, &rank.spec).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
