//! Converts the `players` of the deployment that Stint's first source document describes (Marsgames/RaidLogs).
//!
//! That deployment stored `{_id, name, server, region, raids: {"2398_4": {encounter, tag, difficulty, zone, metric,
//! averagePerformance, bestPerformance, totalKills}}}`, later with `encounters: {"Alias_26_4_2398": {…}}` instead. It
//! stored no class and no date, and only the name of a server.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use stint_warcraftlogs::model::{Difficulty, EncounterId, EncounterRank, Player, RaidId, RaidRanks, Server};

use super::unknown::UnknownFields;
use crate::fleets::warcraftlogs::commands::servers::{self, likely_slug};

/// Known servers, by region.
pub(super) type KnownServers = BTreeMap<String, Vec<Server>>;

/// The update time given to converted players, whose documents have none: the first day that the databases can
/// represent. Everything else that is stored about them is therefore newer, and they are due at once.
const NEVER: &str = "2020-01-01T00:00:00Z";

/// The fields that are read of a player, and of an encounter.
const FIELDS: [&str; 8] = ["_id", "name", "server", "region", "classId", "updatedAt", "raids", "encounters"];
const ENCOUNTER_FIELDS: [&str; 7] =
    ["encounter", "tag", "difficulty", "zone", "metric", "bestPerformance", "totalKills"];

/// Converts a document into a player. The error names the field. Fields without an equivalent, such as the average of
/// all kills, are counted in `unknown`.
pub(super) fn player(document: &Value, known: &KnownServers, unknown: &mut UnknownFields) -> Result<Player, String> {
    let fields = document.as_object().ok_or("a document is one JSON object")?;
    let region = text(fields, "region")?;
    let mut player = Player {
        id: fields.get("_id").and_then(Value::as_u64).ok_or("field _id: it is not a player's id")?,
        name: text(fields, "name")?,
        class_id: number(fields, "classId")?.unwrap_or_default(),
        server: server(fields, known.get(&region))?,
        region,
        updated_at: updated_at(fields)?,
        raids: BTreeMap::new(),
    };
    let (mut paths, mut cells_by_unit) = (unread(fields, &FIELDS, ""), Cells::new());
    for field in ["raids", "encounters"] {
        let Some(cells) = fields.get(field).filter(|cells| !cells.is_null()) else { continue };
        let cells = cells.as_object().ok_or_else(|| format!("field {field}: it is not an object"))?;
        for (key, cell) in cells {
            let of_cell = |reason| format!("field {field}.{key}{reason}");
            let cell = cell.as_object().ok_or_else(|| of_cell(": it is not an object".to_owned()))?;
            add_cell(&mut cells_by_unit, key, cell).map_err(of_cell)?;
            paths.extend(unread(cell, &ENCOUNTER_FIELDS, &format!("{field}.*.")));
        }
    }
    for ((zone, difficulty), metrics) in cells_by_unit {
        let (ranks, left_out) = one_metric(metrics);
        paths.extend(left_out.into_iter().map(|metric| format!("(ranks by {metric}, beside {})", ranks.metric)));
        player.raids.entry(zone).or_default().insert(difficulty, ranks);
    }
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().for_each(|path| unknown.count(path));
    Ok(player)
}

/// Returns the paths of the fields that are not read.
fn unread(fields: &Map<String, Value>, read: &[&str], before: &str) -> Vec<String> {
    let unread = fields.iter().filter(|(name, value)| !read.contains(&name.as_str()) && !value.is_null());
    unread.map(|(name, _)| format!("{before}{name}")).collect()
}

/// The ranks of each raid and difficulty, by metric and encounter.
type Cells = BTreeMap<(RaidId, Difficulty), BTreeMap<String, BTreeMap<EncounterId, EncounterRank>>>;

/// Adds one encounter at one difficulty. Ids that are missing in the document are part of its key: `2398_4`,
/// `Alias_26_4_2398`.
fn add_cell(cells: &mut Cells, key: &str, cell: &Map<String, Value>) -> Result<(), String> {
    let in_key: Vec<Option<u32>> = key.split('_').map(|part| part.parse().ok()).collect();
    let (zone, difficulty, encounter) = match in_key[..] {
        [None, zone, difficulty, encounter] => (zone, difficulty, encounter),
        [encounter, difficulty] => (None, difficulty, encounter),
        _ => (None, None, None),
    };
    let id = |name: &str, in_key: Option<u32>| {
        let id = number(cell, name).map_err(|reason| reason.replacen("field ", ".", 1))?;
        id.or(in_key).ok_or_else(|| format!(".{name}: it is missing"))
    };
    let (zone, difficulty, encounter) = (id("zone", zone)?, id("difficulty", difficulty)?, id("encounter", encounter)?);
    let kills = id("totalKills", Some(0))?;
    if kills == 0 {
        return Ok(());
    }
    let best = match cell.get("bestPerformance") {
        None | Some(Value::Null) => None,
        // The upstream writes a dash for a kill that is not ranked.
        Some(Value::String(dash)) if dash == "-" => None,
        Some(best) => Some(best.as_f64().ok_or_else(|| format!(".bestPerformance: {best} is not a percentile"))?),
    };
    let metric = cell.get("metric").and_then(Value::as_str).unwrap_or("dps").to_owned();
    let ranks = cells.entry((zone, difficulty)).or_default().entry(metric).or_default();
    let rank = EncounterRank { best, kills, ..EncounterRank::default() };
    let kept = ranks.entry(encounter).or_insert_with(|| rank.clone());
    if rank.best > kept.best {
        *kept = rank;
    }
    Ok(())
}

/// Returns the ranks of a raid and difficulty in the metric with the most encounters, and that metric's name; and the
/// names of the other metrics, which are left out. Stint's players have one metric, and a percentile means nothing
/// under the name of another.
fn one_metric(metrics: BTreeMap<String, BTreeMap<EncounterId, EncounterRank>>) -> (RaidRanks, Vec<String>) {
    let mut all: Vec<RaidRanks> = metrics
        .into_iter()
        .map(|(metric, encounters)| {
            let best = average(&encounters);
            RaidRanks { metric, encounters, best, ..RaidRanks::default() }
        })
        .collect();
    all.sort_by(|one, other| {
        let by_encounters = other.encounters.len().cmp(&one.encounters.len());
        by_encounters.then(other.best.unwrap_or(-1.0).total_cmp(&one.best.unwrap_or(-1.0)))
    });
    let mut all = all.into_iter();
    let kept = all.next().unwrap_or_default();
    (kept, all.map(|ranks| ranks.metric).collect())
}

/// Returns the mean of the best percentiles, which is how the upstream defines the best average.
fn average(encounters: &BTreeMap<EncounterId, EncounterRank>) -> Option<f64> {
    let best: Vec<f64> = encounters.values().filter_map(|rank| rank.best).collect();
    (!best.is_empty()).then(|| best.iter().sum::<f64>() / best.len() as f64)
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    let text = fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("field {name}: it is missing or not a string"))
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, String> {
    match fields.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            number.map(Some).ok_or_else(|| format!("field {name}: {value} is not a whole number in range"))
        }
    }
}

fn updated_at(fields: &Map<String, Value>) -> Result<Timestamp, String> {
    let text = fields.get("updatedAt").and_then(Value::as_str).unwrap_or(NEVER);
    text.parse().map_err(|_| format!("field updatedAt: '{text}' is not a date"))
}

/// Returns the server with that name if players on it are stored; otherwise a server with the slug that most servers of
/// that name have.
fn server(fields: &Map<String, Value>, known: Option<&Vec<Server>>) -> Result<Server, String> {
    let name = text(fields, "server")?;
    if let Some(known) = servers::known(&name, known.into_iter().flatten()) {
        return Ok(known.clone());
    }
    Ok(Server { slug: likely_slug(&name), normalized_name: name.replace([' ', '-'], ""), name })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn convert(document: Value) -> Result<(Value, Value), String> {
        let (mut unknown, known) = (UnknownFields::default(), KnownServers::new());
        let player = player(&document, &known, &mut unknown)?;
        Ok((serde_json::to_value(player).unwrap(), serde_json::to_value(unknown).unwrap()))
    }

    fn cell(best: Value, kills: u32) -> Value {
        json!({
            "encounter": 2398, "tag": "2398_4", "difficulty": 4, "zone": 26, "metric": "hps",
            "averagePerformance": 61, "bestPerformance": best, "totalKills": kills,
        })
    }

    #[test]
    fn both_forms_of_the_original_become_the_same_player() {
        let mut late = cell(json!(81), 1);
        for name in ["encounter", "difficulty", "zone"] {
            late.as_object_mut().unwrap().remove(name);
        }
        let expected = json!({
            "_id": 57147396, "name": "Ånn", "classId": 0, "region": "EU",
            "server": {"name": "Kel'Thuzad", "slug": "kelthuzad", "normalizedName": "Kel'Thuzad"},
            "updatedAt": {"$date": "2020-01-01T00:00:00Z"},
            "raids": {"26": {"4": {"metric": "hps", "best": 88.0, "median": null, "encounters": {
                "2398": {"best": 95.0, "median": null, "kills": 12, "spec": ""},
                "2418": {"best": 81.0, "median": null, "kills": 1, "spec": ""},
            }}}},
        });
        let mut early = late.clone();
        early["zone"] = json!(26);
        for (field, first, second, other) in
            [("raids", "2398_4", "2418_4", early), ("encounters", "Alias_26_4_2398", "Alias_26_4_2418", late)]
        {
            let document = json!({
                "_id": 57147396, "name": "Ånn", "server": "Kel'Thuzad", "region": "EU", "guild": "Night",
                field: { first: cell(json!(95), 12), second: other, "2500_5": cell(json!(1), 0) },
            });
            let (player, unknown) = convert(document).unwrap();
            assert_eq!(player, expected);
            assert_eq!(unknown, json!({"guild": 1, format!("{field}.*.averagePerformance"): 1}));
        }
    }

    #[test]
    fn ranks_of_two_metrics_are_never_mixed() {
        let by = |metric: &str, encounter: u32, best: u32| {
            let mut cell = cell(json!(best), 1);
            (cell["metric"], cell["encounter"]) = (json!(metric), json!(encounter));
            cell
        };
        let document = json!({"_id": 7, "name": "Ann", "server": "Aa", "region": "EU", "raids": {
            "2398_4": by("dps", 2398, 50), "2398_4_hps": by("hps", 2398, 99),
            "2418_4": by("dps", 2418, 60), "2418_4_hps": by("hps", 2418, 70), "2420_4": by("dps", 2420, 40),
        }});
        let (player, unknown) = convert(document).unwrap();
        let ranks = &player["raids"]["26"]["4"];
        assert_eq!((&ranks["metric"], &ranks["best"]), (&json!("dps"), &json!(50.0)));
        assert_eq!(ranks["encounters"]["2398"]["best"], 50.0);
        assert_eq!(unknown["(ranks by hps, beside dps)"], 1);
    }

    #[test]
    fn a_server_that_is_known_brings_its_slug() {
        let aggra = Server {
            name: "Aggra (Português)".into(),
            slug: "aggra-portugues".into(),
            normalized_name: "Aggra(Português)".into(),
        };
        let known = KnownServers::from([("EU".to_owned(), vec![aggra.clone()])]);
        let document = json!({"_id": 7, "name": "Ann", "server": "aggra (português)", "region": "EU"});
        assert_eq!(player(&document, &known, &mut UnknownFields::default()).unwrap().server, aggra);
    }

    #[test]
    fn fields_that_cannot_be_converted_are_named() {
        let with = |field: &str, value: Value| {
            let mut document = json!({"_id": 7, "name": "Ann", "server": "Aa", "region": "EU", "raids": {"2398_4": cell(json!(5), 1)}});
            document[field] = value;
            convert(document).unwrap_err()
        };
        assert_eq!(with("_id", json!("7")), "field _id: it is not a player's id");
        assert_eq!(with("server", json!({})), "field server: it is missing or not a string");
        assert_eq!(with("raids", json!([])), "field raids: it is not an object");
        assert_eq!(with("raids", json!({"2398_4": 5})), "field raids.2398_4: it is not an object");
        assert_eq!(with("raids", json!({"2398_4": {"totalKills": 1}})), "field raids.2398_4.zone: it is missing");
        let wrong = with("raids", json!({"2398_4": cell(json!("many"), 1)}));
        assert_eq!(wrong, "field raids.2398_4.bestPerformance: \"many\" is not a percentile");
    }
}
