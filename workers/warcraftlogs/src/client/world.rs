//! The API's data on raids and servers.

use serde::Deserialize;
use stint_core::circuit::{Health, Intent, Pass};
use stint_core::ledger::{CallEnd, KeyId};

use super::document::{all_zones, server_id, zone_alias, zones};
use super::points::PointsCounter;
use super::{Api, CallError};
use crate::model::{Difficulty, RaidId};

/// A raid in the upstream's data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Zone {
    /// Its id.
    pub id: RaidId,
    /// Its name, localised.
    #[serde(default)]
    pub name: String,
    /// Whether its ranks are final.
    #[serde(default)]
    pub frozen: bool,
    /// Its difficulties.
    #[serde(default, deserialize_with = "listed")]
    pub difficulties: Vec<ZoneDifficulty>,
    /// Its partitions.
    #[serde(default, deserialize_with = "listed")]
    pub partitions: Vec<Partition>,
}

/// A difficulty of a raid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ZoneDifficulty {
    /// Its id.
    pub id: Difficulty,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// A partition of a raid, such as a patch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Partition {
    /// Its number, as used in settings and rules.
    pub id: i32,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether the upstream uses it when a query names none.
    #[serde(default)]
    pub default: bool,
}

#[derive(Deserialize)]
struct Body {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "rateLimitData")]
    points: Option<PointsCounter>,
    #[serde(rename = "worldData")]
    world: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct Server {
    id: u32,
}

/// A list; null is an empty list, and a null element is skipped.
fn listed<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let list: Option<Vec<Option<T>>> = Option::deserialize(deserializer)?;
    Ok(list.unwrap_or_default().into_iter().flatten().collect())
}

impl Api {
    /// Fetches the upstream's data on these raids; a raid that it does not know is left out.
    pub async fn zones(&self, key: &KeyId, raids: &[RaidId]) -> (CallEnd, Result<Vec<Zone>, CallError>) {
        self.read_world(key, zones(raids), |world| {
            let found = raids.iter().filter_map(|raid| world.remove(&zone_alias(*raid)));
            read(serde_json::Value::Array(found.collect()))
        })
        .await
    }

    /// Fetches the upstream's data on all raids that it knows.
    pub async fn all_zones(&self, key: &KeyId) -> (CallEnd, Result<Vec<Zone>, CallError>) {
        self.read_world(key, all_zones(), |world| read(world.remove("zones").unwrap_or_default())).await
    }

    /// Fetches the id of the server with this slug, as used in the site's URLs. `None`: there is no such server.
    pub async fn server_id(&self, key: &KeyId, region: &str, slug: &str) -> (CallEnd, Result<Option<u32>, CallError>) {
        self.read_world(key, server_id(region, slug), |world| {
            let server: Option<Server> = serde_json::from_value(world.remove("server").unwrap_or_default())?;
            Ok(server.map(|server| server.id))
        })
        .await
    }

    async fn read_world<T>(
        &self,
        key: &KeyId,
        query: String,
        read: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>) -> serde_json::Result<T>,
    ) -> (CallEnd, Result<T, CallError>) {
        self.guarded(Intent::Work, key, |pass| self.ask_for_world(pass, key, query, read), |_| Health::Answered).await
    }

    async fn ask_for_world<T>(
        &self,
        pass: Pass,
        key: &KeyId,
        query: String,
        read: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>) -> serde_json::Result<T>,
    ) -> (CallEnd, Result<T, CallError>) {
        let body = match self.post(pass, key, query).await {
            Ok(body) => body,
            Err(error) => return (error.call_end(), Err(error)),
        };
        let unreadable = |reason: String| CallError::Unreadable(format!("cannot decode the response: {reason}"));
        let data = match serde_json::from_slice::<Body>(&body) {
            Ok(Body { data: Some(data) }) => data,
            Ok(Body { data: None }) => return (CallEnd::Lost, Err(unreadable("it has no data".into()))),
            Err(error) => return (CallEnd::Lost, Err(unreadable(error.to_string()))),
        };
        let end = self.call_end(data.points.as_ref());
        let Some(mut world) = data.world else { return (end, Err(unreadable("it has no worldData".into()))) };
        (end, read(&mut world).map_err(|error| unreadable(error.to_string())))
    }
}

/// Zones; null elements are skipped.
fn read(list: serde_json::Value) -> serde_json::Result<Vec<Zone>> {
    let zones: Option<Vec<Option<Zone>>> = serde_json::from_value(list)?;
    Ok(zones.unwrap_or_default().into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn recorded_zones_are_read() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/wcl/sdk-worldData-zones.json");
        let Ok(recorded) = std::fs::read_to_string(file) else {
            println!("skipped: there is no {file}");
            return;
        };
        let zones = read(serde_json::from_str(&recorded).unwrap()).unwrap();
        let nyalotha = zones.iter().find(|zone| zone.id == 24).unwrap();
        assert!(nyalotha.frozen);
        assert_eq!(nyalotha.difficulties.iter().map(|difficulty| difficulty.id).collect::<Vec<_>>(), [5, 4, 3, 1]);
    }

    #[test]
    fn nulls_are_nothing() {
        let zones = r#"[null, {"id": 26, "name": "A", "frozen": true, "difficulties": null, "partitions": [null]}]"#;
        let [zone] = &read(serde_json::from_str(zones).unwrap()).unwrap()[..] else { panic!("one zone") };
        assert!(zone.frozen && zone.difficulties.is_empty() && zone.partitions.is_empty());
        assert_eq!(read(serde_json::Value::Null).unwrap(), []);
    }
}
