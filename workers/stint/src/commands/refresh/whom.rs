//! Who is meant, as far as the stores know the player.

use stint_warcraftlogs::model::{Player, Server};
use stint_warcraftlogs::whom::{Named, Whom};

use super::Arguments;
use crate::usage::WrongUsage;
use crate::wiring::Stores;

/// Whom to ask for, and what is stored of the player. The id of a stored player is better than its name: it survives
/// renames.
pub(super) async fn find(arguments: &Arguments, stores: &Stores) -> anyhow::Result<(Whom, Option<Player>)> {
    if let Some(id) = arguments.id {
        return Ok((Whom::Id(id), stores.players.get(id).await?));
    }
    let Arguments { name, server, region, .. } = arguments;
    let [name, server] = [name, server].map(|text| text.as_deref().unwrap_or_default());
    let region = region.unwrap_or_default();
    let slug = slug(server, &stores.directory.servers(region).await?);
    let named = Named::new(name, &slug, region);
    let named = named.map_err(|reason| WrongUsage::error(reason.replacen("field ", "--", 1)))?;
    Ok(match stores.directory.find(&named).await? {
        Some(player) => (Whom::Id(player.id), Some(player)),
        None => (Whom::Named(named), None),
    })
}

/// The slug of a server by any of its spellings, if somebody from there is stored; else what the upstream makes of most
/// names.
pub(crate) fn slug(text: &str, servers: &[Server]) -> String {
    let wanted = text.trim().to_lowercase();
    let is_meant = |server: &&Server| {
        [&server.slug, &server.name, &server.normalized_name].into_iter().any(|known| known.to_lowercase() == wanted)
    };
    match servers.iter().find(is_meant) {
        Some(server) => server.slug.clone(),
        None => wanted.replace(['\'', '’'], "").split_whitespace().collect::<Vec<_>>().join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_any_spelling_and_guessed_otherwise() {
        let server = Server {
            name: "Гордунни".into(), slug: "gordunni".into(), normalized_name: "Гордунни".into()
        };
        for (text, expected) in [
            ("гордунни", "gordunni"),
            ("Gordunni", "gordunni"),
            ("Tarren  Mill", "tarren-mill"),
            ("Mal'Ganis", "malganis"),
            ("kazzak", "kazzak"),
        ] {
            assert_eq!(slug(text, std::slice::from_ref(&server)), expected);
        }
    }
}
