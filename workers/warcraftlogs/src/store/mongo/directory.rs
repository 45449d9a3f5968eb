//! Finds players by name in MongoDB. The index narrows the search to one server; names on it are then compared here,
//! since MongoDB cannot ignore case without a collation.

use async_trait::async_trait;
use futures::TryStreamExt;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{MAX_TIME, Retry};

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
        let (collection, wanted) = (self.mongo.collection(PLAYERS), named.name().to_lowercase());
        let on_the_server = doc! { "region": named.region(), "server.slug": named.server() };
        let find = || async {
            let found =
                collection.find(on_the_server.clone()).projection(doc! { "name": 1 }).max_time(MAX_TIME).await?;
            found.try_collect::<Vec<Document>>().await
        };
        let mut found = self.mongo.run("find a player by name", Retry::Idempotent, find).await?;
        found.retain(|document| document.get_str("name").is_ok_and(|name| name.to_lowercase() == wanted));
        let ids = found.iter().filter_map(|document| document.get("_id").cloned()).collect();
        Ok(ids)
    }
}
