//! Lists the raids with their difficulties and partitions, which rules and settings refer to by number.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use stint_core::ports::{Breakers, KeyPool};
use stint_embedded::Embedded;
use stint_http::Client;
use stint_warcraftlogs::budget::ProcessCounts;
use stint_warcraftlogs::client::{Api, Zone};
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::model::{Difficulty, RaidId};
use stint_warcraftlogs::names;
use stint_warcraftlogs::paid::PaidApi;
use stint_warcraftlogs::raids::RAIDS;

use crate::context::Context;
use crate::escape::one_line;
use crate::fleets::warcraftlogs::outages::api_breaker;
use crate::fleets::warcraftlogs::specs::needs;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::fleets::warcraftlogs::workers::transport;
use crate::format::count;
use crate::settings::from_environment;
use crate::table::Table;

/// Which raids to list, and from where.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint wcl raids --raid 44\n  stint wcl raids --built-in\n\nWith WCL_KEYS the list is read from the API, for about one point; otherwise the built-in list is shown."
)]
pub(crate) struct Arguments {
    /// Only this raid, by its id.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    raid: Option<RaidId>,
    /// Show the built-in list, even if there is a key.
    #[arg(long)]
    built_in: bool,
}

#[derive(Serialize)]
struct Listed {
    source: Source,
    raids: Vec<RaidView>,
}

/// The source of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Api,
    BuiltIn,
}

#[derive(Serialize)]
struct RaidView {
    id: RaidId,
    name: String,
    difficulties: Vec<DifficultyView>,
    /// `None` if only the API knows them.
    partitions: Option<Vec<PartitionView>>,
    /// Whether the raid is frozen; `None` if only the API knows.
    frozen: Option<bool>,
}

#[derive(Serialize)]
struct DifficultyView {
    id: Difficulty,
    name: String,
}

#[derive(Serialize)]
struct PartitionView {
    id: i32,
    name: String,
    default: bool,
}

/// Lists the raids.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let settings: Settings = from_environment()?;
    let (source, mut raids) = if arguments.built_in || settings.wcl_keys.is_empty() {
        (Source::BuiltIn, built_in())
    } else {
        let zones = zones(&settings, context)
            .await
            .context("cannot read the raids from the API; `stint wcl raids --built-in` shows the built-in list")?;
        (Source::Api, zones.into_iter().map(RaidView::from).collect())
    };
    raids.retain(|raid| arguments.raid.is_none_or(|wanted| wanted == raid.id));
    raids.sort_by_key(|raid| raid.id);
    context.output.result(&Listed { source, raids }, to_text)
}

fn built_in() -> Vec<RaidView> {
    let view = |raid: &stint_warcraftlogs::raids::Raid| RaidView {
        id: raid.id,
        name: raid.name.to_owned(),
        difficulties: raid
            .difficulties
            .iter()
            .map(|id| DifficultyView { id: *id, name: names::difficulty(*id) })
            .collect(),
        partitions: None,
        frozen: None,
    };
    RAIDS.iter().map(view).collect()
}

impl From<Zone> for RaidView {
    fn from(zone: Zone) -> RaidView {
        let mut difficulties: Vec<DifficultyView> = zone
            .difficulties
            .into_iter()
            .map(|difficulty| DifficultyView { id: difficulty.id, name: names::difficulty(difficulty.id) })
            .collect();
        difficulties.sort_by_key(|difficulty| difficulty.id);
        let partition = |partition: stint_warcraftlogs::client::Partition| PartitionView {
            id: partition.id,
            name: partition.name,
            default: partition.default,
        };
        let partitions = zone.partitions.into_iter().map(partition).collect();
        let frozen = Some(zone.frozen);
        RaidView { id: zone.id, name: zone.name, difficulties, partitions: Some(partitions), frozen }
    }
}

/// Requests the list from the API, with points that are held first. No request is made while the API is down.
async fn zones(settings: &Settings, context: &Context) -> anyhow::Result<Vec<Zone>> {
    let SharedState { pool, breakers } = SharedState::open(settings, context).await?;
    let breaker = Arc::new(api_breaker(breakers, settings, context));
    let client = Client::new(transport(settings)?, context.clock.clone()).guarded(breaker);
    let api = Api::new(settings, client, context.clock.clone()).map_err(|error| anyhow!(error))?;
    let counts = ProcessCounts::default();
    let paid = PaidApi { pool: &*pool, api: &api, counts: &counts, clock: &*context.clock };
    let grant = paid.hold_for_query(1).await?;
    Ok(paid.ask("zones", &grant, api.all_zones(&grant.hold.key)).await?)
}

/// The state that a call to the API shares with the fleet.
struct SharedState {
    pool: Arc<dyn KeyPool>,
    breakers: Arc<dyn Breakers>,
}

impl SharedState {
    /// Opens the fleet's state. State that no fleet has used yet is kept in memory, so that nothing is created.
    async fn open(settings: &Settings, context: &Context) -> anyhow::Result<SharedState> {
        let stores = if context.is_installed(needs().ports)? { Some(Stores::existing(context).await?) } else { None };
        let in_memory = Embedded::in_memory(context.clock.clone())?;
        let breakers: Arc<dyn Breakers> = match &stores {
            Some(stores) => stores.breakers.clone(),
            None => in_memory.breakers(),
        };
        if let Some(Stores { pool, .. }) = stores
            && !pool.keys().await?.is_empty()
        {
            return Ok(SharedState { pool, breakers });
        }
        let pool = in_memory.key_pool(settings.ledger())?;
        pool.configure(&settings.key_ids()).await?;
        Ok(SharedState { pool, breakers })
    }
}

fn to_text(listed: &Listed) -> String {
    if listed.raids.is_empty() {
        return "there is no such raid; `stint wcl raids` lists all of them\n".to_owned();
    }
    let mut table = Table::new([">id", "raid", "difficulties", "partitions", "ranks"]);
    for raid in &listed.raids {
        let difficulties: Vec<String> =
            raid.difficulties.iter().map(|difficulty| format!("{} {}", difficulty.id, difficulty.name)).collect();
        let ranks = match raid.frozen {
            Some(true) => "frozen",
            Some(false) => "change",
            None => "-",
        };
        let (id, name) = (raid.id.to_string(), one_line(&raid.name));
        table.row([id, name, difficulties.join(", "), partitions(raid), ranks.to_owned()]);
    }
    let source = match listed.source {
        Source::Api => String::new(),
        Source::BuiltIn => format!(
            "{} from the built-in list; with WCL_KEYS, partitions and frozen raids are shown too\n",
            count(listed.raids.len() as u64, "raid", "raids")
        ),
    };
    format!("{table}{source}")
}

/// Formats partitions as `1 9.0, 2 9.1 (default)`.
fn partitions(raid: &RaidView) -> String {
    let Some(partitions) = &raid.partitions else { return "-".to_owned() };
    let words = partitions.iter().map(|partition| {
        let default = if partition.default { " (default)" } else { "" };
        format!("{} {}{default}", partition.id, one_line(&partition.name))
    });
    words.collect::<Vec<_>>().join(", ")
}
