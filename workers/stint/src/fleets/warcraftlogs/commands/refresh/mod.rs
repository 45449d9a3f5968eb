//! Puts a player ahead of the backlog.

mod forecast;
mod player_ref;
mod wait;

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use stint_core::ports::NewMessage;
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{Difficulty, Player, PlayerId, RaidId, RaidsToScrap};
use stint_warcraftlogs::names;
use stint_warcraftlogs::player_ref::{PlayerRef, parse_region};

use crate::context::Context;
use crate::escape::one_line;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::hosting::PollInterval;
use crate::settings::from_environment;
use forecast::Forecast;
use stint_warcraftlogs::config::Settings;
use wait::RefreshWait;

/// The player to fetch, and the raids.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("player").required(true).args(["id", "name"])),
    after_help = "Examples:\n  stint wcl refresh --id 57147396\n  \
                  stint wcl refresh --name Ånn --server 'Tarren Mill' --region EU\n  \
                  stint wcl refresh --id 57147396 --raid 26 --difficulty heroic,mythic\n  \
                  stint wcl refresh --id 57147396 --wait"
)]
pub(crate) struct Arguments {
    /// The player's id in Warcraft Logs.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=i32::MAX as u64))]
    id: Option<PlayerId>,
    /// The character's name, where the id is not known; with --server and --region.
    #[arg(long, requires_all = ["server", "region"])]
    name: Option<String>,
    /// The character's server: its name or its slug (Tarren Mill, tarren-mill).
    #[arg(long, requires = "name", conflicts_with = "id")]
    server: Option<String>,
    /// The server's region: US, EU, KR, TW or CN.
    #[arg(long, requires = "name", conflicts_with = "id", value_parser = parse_region)]
    region: Option<&'static str>,
    /// Only this raid, by its id in Warcraft Logs; otherwise the raids of the discovery rules, and those stored before.
    #[arg(long, requires = "difficulty", value_parser = clap::value_parser!(u32).range(1..))]
    raid: Option<RaidId>,
    /// Only these difficulties of the raid: lfr (1), normal (3), heroic (4) or mythic (5), separated by commas.
    #[arg(long, requires = "raid", value_delimiter = ',', value_parser = names::parse_difficulty)]
    difficulty: Vec<Difficulty>,
    /// Wait for the result and print the ranks, or fail with the reason why there are none.
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds. The player stays queued.
    #[arg(long, requires = "wait", value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// What was queued, and when it will be served.
#[derive(Serialize)]
struct Queued {
    queue: String,
    /// Absent if the player is requested by name.
    id: Option<PlayerId>,
    /// Absent if only the id is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    player: Option<ShownName>,
    raids_to_scrap: RaidsToScrap,
    #[serde(flatten)]
    forecast: Forecast,
}

#[derive(Serialize)]
struct ShownName {
    name: String,
    server: String,
    region: String,
}

/// Queues the player.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let (stores, settings) = (Stores::existing(context).await?, from_environment::<Settings>()?);
    let (player_ref, stored) = player_ref::find(&arguments, &stores).await?;
    let raids_to_scrap = raids(&arguments, stored.as_ref(), &stores).await?;
    ensure!(
        !raids_to_scrap.is_empty(),
        "there are no discovery rules, and nothing is stored of {player_ref}, so it is unknown which raids to fetch; nothing was queued. Name them with --raid 26 --difficulty heroic, or add a rule: `stint wcl rules add --help`"
    );
    let message = PlayerMessage { player_ref, raids_to_scrap };
    if arguments.wait {
        let wait = RefreshWait::new(&message, &stores).await?;
        stores.refreshes.send(&[NewMessage::new(message.to_body())]).await?;
        let (limit, interval) =
            (Duration::from_secs(arguments.timeout), PollInterval::for_queues(context.backend_choice()?.queues));
        return wait.run(limit, interval, settings.wcl_call_budget, context).await;
    }
    stores.refreshes.send(&[NewMessage::new(message.to_body())]).await?;
    let queued = Queued {
        queue: stores.refreshes.name().to_owned(),
        id: message.player_ref.id(),
        player: player_name(&message.player_ref, stored),
        forecast: Forecast::read(&stores, settings.unit(), context.clock.now()).await?,
        raids_to_scrap: message.raids_to_scrap,
    };
    context.output.result(&queued, to_text)
}

/// Returns the requested raids. Without a request, returns the raids that the fleet discovers and those stored for the
/// player.
async fn raids(arguments: &Arguments, stored: Option<&Player>, stores: &Stores) -> anyhow::Result<RaidsToScrap> {
    if let Some(raid) = arguments.raid {
        return Ok(arguments.difficulty.iter().map(|difficulty| (raid, *difficulty)).collect());
    }
    let rules = stores.rules.list().await?.documents;
    let mut raids: RaidsToScrap = rules.iter().map(|status| (status.rule.raid, status.rule.difficulty)).collect();
    raids.merge(&stored.map(Player::ranked_in).unwrap_or_default());
    Ok(raids)
}

fn player_name(player_ref: &PlayerRef, stored: Option<Player>) -> Option<ShownName> {
    match (player_ref, stored) {
        (_, Some(Player { name, server, region, .. })) => Some(ShownName { name, server: server.name, region }),
        (PlayerRef::Named(named), None) => {
            let [name, server, region] = [named.name(), named.server(), named.region()].map(str::to_owned);
            Some(ShownName { name, server, region })
        }
        (PlayerRef::Id(_), None) => None,
    }
}

fn to_text(queued: &Queued) -> String {
    let id = queued.id.map(|id| format!("player {id}"));
    let name = queued
        .player
        .as_ref()
        .map(|ShownName { name, server, region }| format!("{} of {} ({region})", one_line(name), one_line(server)));
    let who: Vec<String> = name.into_iter().chain(id).collect();
    let mut text = format!("queued ahead of the backlog: {}\n", who.join(", "));
    for (raid, difficulties) in queued.raids_to_scrap.by_raid() {
        let difficulties: Vec<String> = difficulties.iter().map(|difficulty| names::difficulty(*difficulty)).collect();
        text.push_str(&format!("  {}: {}\n", names::raid(*raid), difficulties.join(", ")));
    }
    text + &queued.forecast.to_text()
}
