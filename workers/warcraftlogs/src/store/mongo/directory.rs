//! Finds players by name in MongoDB. The index narrows the search to one server; names on it are then compared here,
//! since MongoDB cannot ignore case without a collation.

use async_trait::async_trait;
use futures::TryStreamExt;
use stint_core::ports::PortResult;
use stint_mongo::explain;
use stint_mongo::mongodb::bson::{Bson, Document, doc};

use super::MongoStore;
use super::documents::read;
use super::players::{PLAYERS, behind, in_order, key_of};
use crate::model::{Player, Server};
use crate::player_ref::PlayerName;
use crate::store::{Directory, PlayerKey};

#[async_trait]
impl Directory for MongoStore {
    /// Steps from server to server by the index, which is faster than listing all players.
    async fn servers(&self, region: &str) -> PortResult<Vec<Server>> {
        let (mut servers, mut filter) = (Vec::new(), doc! { "region": region });
        loop {
            let found = self.mongo.find(PLAYERS, filter, in_order(), 1, "list the servers of a region").await?;
            let Some(first) = found.first() else { return Ok(servers) };
            // No id comes after this one, so the next player is on another server.
            let last = PlayerKey { id: i64::MAX.cast_unsigned(), ..key_of(first) };
            filter = doc! { "$and": [{ "region": region }, behind(&last)] };
            let server = first.get_document("server").cloned().unwrap_or_default();
            servers.extend(read::<Server>(server));
        }
    }

    async fn find(&self, named: &PlayerName) -> PortResult<Option<Player>> {
        let ids = self.ids(named).await?;
        let (count, filter) = (ids.len(), doc! { "_id": { "$in": ids } });
        let found = self.mongo.find(PLAYERS, filter, doc! {}, count, "find a player by name").await?;
        let players = found.into_iter().filter_map(|document| read::<Player>(document).ok());
        Ok(players.max_by_key(|player| player.updated_at))
    }
}

impl MongoStore {
    /// The ids of all players with that name.
    async fn ids(&self, named: &PlayerName) -> PortResult<Vec<Bson>> {
        let failed = |error| explain("find a player by name", &error);
        let (collection, wanted) = (self.mongo.collection(PLAYERS), named.name().to_lowercase());
        let on_the_server = doc! { "region": named.region(), "server.slug": named.server() };
        let mut found = collection.find(on_the_server).projection(doc! { "name": 1 }).await.map_err(failed)?;
        let mut ids = Vec::new();
        while let Some(document) = found.try_next().await.map_err(failed)? {
            let document: Document = document;
            if document.get_str("name").is_ok_and(|name| name.to_lowercase() == wanted) {
                ids.extend(document.get("_id").cloned());
            }
        }
        Ok(ids)
    }
}
