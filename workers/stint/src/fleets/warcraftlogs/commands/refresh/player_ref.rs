//! Determines which player a refresh is about.

use stint_warcraftlogs::model::Player;
use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef};

use super::Arguments;
use crate::fleets::warcraftlogs::commands::servers::slug;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::usage::WrongUsage;

/// Returns how to request the player, and what is stored of it. The id of a stored player is preferred to its name,
/// because it survives renames.
pub(super) async fn find(arguments: &Arguments, stores: &Stores) -> anyhow::Result<(PlayerRef, Option<Player>)> {
    if let Some(id) = arguments.id {
        return Ok((PlayerRef::Id(id), stores.players.get(id).await?));
    }
    let Arguments { name, server, region, .. } = arguments;
    let [name, server] = [name, server].map(|text| text.as_deref().unwrap_or_default());
    let region = region.unwrap_or_default();
    let slug = slug(server, &stores.directory.servers(region).await?);
    let named = PlayerName::new(name, &slug, region);
    let named = named.map_err(|reason| WrongUsage::error(reason.replacen("field ", "--", 1)))?;
    Ok(match stores.directory.find(&named).await? {
        Some(player) => (PlayerRef::Id(player.id), Some(player)),
        None => (PlayerRef::Named(named), None),
    })
}
