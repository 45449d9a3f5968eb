//! Finds a player from user input, and reads what is stored about it.

use anyhow::bail;
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef, parse_region};
use stint_warcraftlogs::store::Dropped;

use crate::fleets::warcraftlogs::commands::servers::slug;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::usage::WrongUsage;

/// What is stored about a player.
pub(crate) enum Stored {
    /// The player has ranks.
    Ranked(Box<Player>),
    /// The upstream will never have ranks of the player.
    Dropped(Dropped),
    /// Nothing is stored.
    Nothing,
}

/// Parses `57147396` or `Ånn-Tarren Mill-EU`. No character's name contains a dash, and the region is the last part.
pub(super) async fn find(text: &str, stores: &Stores) -> anyhow::Result<PlayerId> {
    if let Ok(id) = text.trim().parse::<PlayerId>() {
        return PlayerRef::by_id(id).map(|_| id).map_err(usage_error);
    }
    let parts = text.split_once('-').and_then(|(name, rest)| Some((name, rest.rsplit_once('-')?)));
    let Some((name, (server, region))) = parts else {
        let example = "Ånn-TarrenMill-EU";
        return Err(WrongUsage::error(format!(
            "{text} is neither an id nor a name, server and region, such as {example}"
        )));
    };
    let region = parse_region(region).map_err(usage_error)?;
    let slug = slug(server, &stores.directory.servers(region).await?);
    let named = PlayerName::new(name, &slug, region).map_err(usage_error)?;
    match stores.directory.find(&named).await? {
        Some(player) => Ok(player.id),
        None => bail!(
            "nothing is stored about {named}; request it: stint wcl refresh --name {} --server {} --region {}",
            named.name(),
            named.server(),
            named.region()
        ),
    }
}

fn usage_error(reason: String) -> anyhow::Error {
    WrongUsage::error(reason.replacen("field ", "", 1))
}

/// Reads what is stored about the player with this id.
pub(crate) async fn read(id: PlayerId, stores: &Stores) -> anyhow::Result<Stored> {
    if let Some(player) = stores.players.get(id).await? {
        return Ok(Stored::Ranked(Box::new(player)));
    }
    let page = stores.players.dropped_page(id.checked_sub(1), 1).await?;
    let dropped = page.documents.into_iter().find(|dropped| dropped.id == id);
    Ok(dropped.map_or(Stored::Nothing, Stored::Dropped))
}
