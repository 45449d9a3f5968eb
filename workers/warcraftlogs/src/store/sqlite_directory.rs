//! Finds players by name in SQLite. The index narrows the search to one server; names on it are then compared here,
//! since SQLite ignores the case of ASCII letters only.

use async_trait::async_trait;
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, Result, params};

use super::Directory;
use super::sqlite::SqliteStore;
use crate::model::{Player, Server};
use crate::player_ref::PlayerName;

#[async_trait]
impl Directory for SqliteStore {
    async fn servers(&self, region: &str) -> PortResult<Vec<Server>> {
        let region = region.to_owned();
        let servers = move |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT DISTINCT server_name, server_slug, server_normalized FROM players WHERE region = ?1",
            )?;
            let server = select.query_map([region], |row| {
                Ok(Server { name: row.get(0)?, slug: row.get(1)?, normalized_name: row.get(2)? })
            })?;
            server.collect::<Result<Vec<_>>>()
        };
        self.database.read("list the servers of a region", servers).await
    }

    async fn find(&self, named: &PlayerName) -> PortResult<Option<Player>> {
        let named = named.clone();
        let documents = move |connection: &Connection| documents(connection, &named);
        let documents = self.database.read("find a player by name", documents).await?;
        let players = documents.iter().filter_map(|text| serde_json::from_str::<Player>(text).ok());
        Ok(players.max_by_key(|player| player.updated_at))
    }
}

/// The documents of all players with that name.
fn documents(connection: &Connection, named: &PlayerName) -> Result<Vec<String>> {
    let mut select = connection.prepare_cached(
        "SELECT iif(json_valid(document), json_extract(document, '$.name'), NULL), document FROM players
         WHERE region = ?1 AND server_slug = ?2",
    )?;
    let mut rows = select.query(params![named.region(), named.server()])?;
    let (wanted, mut documents) = (named.name().to_lowercase(), Vec::new());
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(0)?;
        if name.is_some_and(|name| name.to_lowercase() == wanted) {
            documents.push(row.get(1)?);
        }
    }
    Ok(documents)
}
