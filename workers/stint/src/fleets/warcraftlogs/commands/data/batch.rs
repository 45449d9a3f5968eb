//! Documents that were read and checked, and are about to be stored in a collection.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use stint_core::ports::PortResult;
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::player_ref::{REGIONS, check_id, parse_region};
use stint_warcraftlogs::store::{Discovered, Dropped, ImportCounts, Rule};

use super::unknown::UnknownFields;
use super::{Collection, extended};
use crate::fleets::warcraftlogs::stores::Stores;

/// Documents of one collection.
pub(super) enum ImportBatch {
    Players(Vec<Player>),
    Discovers(Vec<Discovered>),
    Rules(Vec<Rule>),
    Dropped(Vec<Dropped>),
}

impl ImportBatch {
    pub(super) fn new(collection: Collection) -> ImportBatch {
        match collection {
            Collection::Players => ImportBatch::Players(Vec::new()),
            Collection::Discovers => ImportBatch::Discovers(Vec::new()),
            Collection::DiscoverySchedules => ImportBatch::Rules(Vec::new()),
            Collection::Dropped => ImportBatch::Dropped(Vec::new()),
        }
    }

    /// Reads and checks one document. The error names the field. Fields of players that are not known are counted in
    /// `unknown`.
    pub(super) fn push(&mut self, text: &[u8], unknown: &mut UnknownFields) -> Result<(), String> {
        match self {
            ImportBatch::Players(players) => {
                let value = document(text)?;
                let player: Player = read(&value, check_player)?;
                unknown.compare(&value, &player);
                players.push(player);
            }
            ImportBatch::Discovers(discovers) => discovers.push(read(&document(text)?, check_discovered)?),
            ImportBatch::Rules(rules) => rules.push(rule(text)?),
            ImportBatch::Dropped(dropped) => {
                dropped.push(read(&document(text)?, |dropped: &Dropped| check_document_id(dropped.id))?);
            }
        }
        Ok(())
    }

    /// Adds a player that was converted from another form of document.
    pub(super) fn push_player(&mut self, player: Player) -> Result<(), String> {
        check_player(&player).map_err(|reason| format!("field {reason}"))?;
        if let ImportBatch::Players(players) = self {
            players.push(player);
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            ImportBatch::Players(players) => players.len(),
            ImportBatch::Discovers(discovers) => discovers.len(),
            ImportBatch::Rules(rules) => rules.len(),
            ImportBatch::Dropped(dropped) => dropped.len(),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            ImportBatch::Players(players) => players.clear(),
            ImportBatch::Discovers(discovers) => discovers.clear(),
            ImportBatch::Rules(rules) => rules.clear(),
            ImportBatch::Dropped(dropped) => dropped.clear(),
        }
    }

    /// Stores the documents. Storing the same documents twice changes nothing. Returns how players were merged, unless
    /// they `overwrite` what is stored.
    pub(super) async fn store(&self, stores: &Stores, overwrite: bool) -> PortResult<Option<ImportCounts>> {
        match self {
            ImportBatch::Players(players) if overwrite => stores.players.upsert(players).await?,
            ImportBatch::Players(players) => return stores.players.import(players).await.map(Some),
            ImportBatch::Discovers(discovers) => stores.discovers.merge(discovers).await?,
            ImportBatch::Rules(rules) => {
                for rule in rules {
                    stores.rules.put(rule).await?;
                }
            }
            ImportBatch::Dropped(dropped) => stores.players.drop_players(dropped).await?,
        }
        Ok(None)
    }
}

/// Parses a document into plain JSON.
pub(super) fn document(text: &[u8]) -> Result<Value, String> {
    extended::plain(Value::Object(fields(text)?))
}

fn fields(text: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(text).map_err(|error| not_json(text, &error))? {
        Value::Object(fields) => Ok(fields),
        _ => Err("a document is one JSON object".into()),
    }
}

/// Parses a rule. Fields that are not known stay in extended JSON, so that they are stored unchanged.
fn rule(text: &[u8]) -> Result<Rule, String> {
    let (known, unknown): (Map<String, Value>, Map<String, Value>) =
        fields(text)?.into_iter().partition(|(name, _)| Rule::FIELDS.contains(&name.as_str()));
    let value = extended::plain(Value::Object(known))?;
    check_object_id(&value)?;
    Ok(Rule { unknown, ..read(&value, Rule::check)? })
}

fn read<T: DeserializeOwned>(value: &Value, check: impl Fn(&T) -> Result<(), String>) -> Result<T, String> {
    let document: T = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        if path == "." { reason } else { format!("field {path}: {reason}") }
    })?;
    check(&document).map_err(|reason| format!("field {reason}"))?;
    Ok(document)
}

/// Explains why a document is not JSON. Usually it is spread over several lines, or the file has another format.
fn not_json(text: &[u8], error: &serde_json::Error) -> String {
    if text.first().is_some_and(|first| !b"{[".contains(first)) && text.contains(&b',') {
        return "this is CSV, not JSON: export the collection with 'mongoexport --type=json'".into();
    }
    if error.is_eof() {
        return "the document does not end on its line: write one document per line, or one JSON array".into();
    }
    format!("not JSON: {error}")
}

fn check_document_id(id: PlayerId) -> Result<(), String> {
    check_id(id).map_err(|reason| format!("_id: {reason}"))
}

/// Checks a rule's id, because the parser's own error for it is unhelpful.
fn check_object_id(rule: &Value) -> Result<(), String> {
    let Some(id) = rule.get("_id") else { return Ok(()) };
    let is_hex = |id: &str| id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if id.as_str().is_some_and(is_hex) {
        return Ok(());
    }
    Err(format!(
        "field _id: {id} is not an id of 24 hexadecimal digits, such as {{\"$oid\": \"638190fc00bc58421e002c83\"}}; write one, \
         or add the rule with 'stint wcl rules add'"
    ))
}

/// Checks that a region is in capital letters, like the upstream's compact names.
fn check_region(region: &str) -> Result<(), String> {
    if REGIONS.contains(&region) {
        return Ok(());
    }
    match parse_region(region) {
        Ok(known) => {
            Err(format!("region: write {known} instead of '{region}'; correct the file, for example with sed"))
        }
        Err(_) => Err(format!("region: '{region}' is not one of {}", REGIONS.join(", "))),
    }
}

fn check_discovered(discovered: &Discovered) -> Result<(), String> {
    check_document_id(discovered.id)?;
    if discovered.raids_to_scrap.is_empty() {
        return Err("raidsToScrap: names no raid and difficulty".into());
    }
    Ok(())
}

fn check_player(player: &Player) -> Result<(), String> {
    check_document_id(player.id)?;
    let Player { name, region, server, .. } = player;
    for (field, text) in
        [("name", name), ("region", region), ("server.name", &server.name), ("server.slug", &server.slug)]
    {
        if text.is_empty() {
            return Err(format!("{field}: is empty"));
        }
    }
    check_region(region)?;
    for (raid, difficulties) in &player.raids {
        for (difficulty, ranks) in difficulties {
            let bosses = ranks.encounters.values().flat_map(|boss| [boss.best, boss.median]);
            let percentiles = [ranks.best, ranks.median].into_iter().chain(bosses).flatten();
            if let Some(wrong) = percentiles.into_iter().find(|percentile| !(0.0..=100.0).contains(percentile)) {
                return Err(format!("raids.{raid}.{difficulty}: {wrong} is not a percentile (0 to 100)"));
            }
        }
    }
    Ok(())
}
