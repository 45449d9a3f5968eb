//! Discovered players in MongoDB: `discovers {_id, raidsToScrap: {"26": [3, 5]}}`. The original deployment also called
//! the field `raids`; a document may have both.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{delete, update, upsert};

use super::MongoStore;
use super::documents::{above, id, id_of, own_id, page, read};
use super::standings::{BacklogKind, add_raids};
use crate::model::{PlayerId, RaidsToScrap};
use crate::store::{Backlog, Damaged, Discovered, Discovers, Due, Freshness, Page, Zones};

const DISCOVERS: &str = "discovers";

/// The name of the field in older versions.
const FORMER_FIELD: &str = "raids";
const FIELD: &str = "raidsToScrap";

/// Players read per query when all of them are counted.
const PAGE: usize = 5_000;

#[async_trait]
impl Discovers for MongoStore {
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()> {
        let statements = seen.iter().map(merge).collect::<PortResult<Vec<Document>>>()?;
        let what = "merge discovered players";
        let Err(error) = self.mongo.update_all(DISCOVERS, &statements, what).await else { return Ok(()) };
        // An undecodable document is replaced: otherwise its player would never be queued.
        if !self.clear_damaged(seen).await? {
            return Err(error);
        }
        self.mongo.update_all(DISCOVERS, &statements, what).await
    }

    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>> {
        Ok(page(self.documents(after, max).await?, max, discovered))
    }

    async fn due(&self, after: Option<PlayerId>, max: usize, freshness: &Freshness) -> PortResult<Page<Due, PlayerId>> {
        let (kinds, next) = self.kinds(after, max, freshness).await?;
        let mut page = Page { documents: Vec::new(), damaged: Vec::new(), next };
        for (kind, due) in kinds {
            match due {
                _ if kind != BacklogKind::Due => {}
                Ok(due) => page.documents.push(due),
                Err(damaged) => page.damaged.push(damaged),
            }
        }
        Ok(page)
    }

    async fn get(&self, ids: &[PlayerId]) -> PortResult<Page<Discovered, PlayerId>> {
        Ok(page(self.documents_of(ids.iter().copied()).await?, usize::MAX, discovered))
    }

    async fn still_wanted(&self, players: &[Discovered]) -> PortResult<Vec<Discovered>> {
        let frozen = self.frozen().await?;
        if frozen.0.is_empty() {
            return Ok(players.to_vec());
        }
        let ids: Vec<PlayerId> = players.iter().map(|player| player.id).collect();
        let standings = self.standings(&ids).await?;
        let still_wanted = |player: &Discovered| match standings.get(&player.id) {
            Some(standing) => standing.still_wanted(&frozen, &player.raids_to_scrap),
            None => player.raids_to_scrap.clone(),
        };
        let players = players.iter();
        Ok(players.map(|player| Discovered { id: player.id, raids_to_scrap: still_wanted(player) }).collect())
    }

    /// Standings are written first: if the process exits after them, no player is sent twice, and the documents that
    /// remain wait until their players were fetched.
    async fn mark_sent(&self, sent: &[Discovered], queued_at: Timestamp) -> PortResult<()> {
        self.queued(sent.iter().map(|player| player.id), queued_at).await?;
        let stored = self.documents_of(sent.iter().map(|player| player.id)).await?;
        let still_says =
            |document: &&Document| discovered((*document).clone()).is_ok_and(|stored| sent.contains(&stored));
        let statements: Vec<Document> = stored.iter().filter(still_says).map(|said| delete(as_seen(said))).collect();
        self.mongo.delete_all(DISCOVERS, &statements, "mark players as sent").await
    }

    async fn forget_queued(&self) -> PortResult<()> {
        self.forget_all_queued().await
    }

    async fn count(&self) -> PortResult<u64> {
        self.mongo.estimated_count(DISCOVERS, "count discovered players").await
    }

    async fn backlog(&self, freshness: &Freshness) -> PortResult<Backlog> {
        let (mut backlog, mut after) = (Backlog::default(), None);
        loop {
            let (kinds, next) = self.kinds(after, PAGE, freshness).await?;
            for (kind, _) in kinds {
                match kind {
                    BacklogKind::Due => backlog.due += 1,
                    BacklogKind::Waiting => backlog.waiting += 1,
                    BacklogKind::Fresh => backlog.fresh += 1,
                }
            }
            after = next;
            if after.is_none() {
                return Ok(backlog);
            }
        }
    }
}

/// The kind of each player of a page.
type Kinds = Vec<(BacklogKind, Result<Due, Damaged>)>;

impl MongoStore {
    /// A page of discovered players with their standings. The join is done here: servers that speak MongoDB's protocol
    /// may not support it.
    async fn kinds(
        &self,
        after: Option<PlayerId>,
        max: usize,
        freshness: &Freshness,
    ) -> PortResult<(Kinds, Option<PlayerId>)> {
        let documents = self.documents(after, max).await?;
        let ids: Vec<PlayerId> = documents.iter().filter_map(id_of).collect();
        let (standings, frozen) = (self.standings(&ids).await?, self.frozen().await?);
        let next = ids.last().copied().filter(|_| documents.len() == max);
        let kinds = documents.into_iter().map(|document| {
            let id = id_of(&document).unwrap_or_default();
            let standing = standings.get(&id).cloned().unwrap_or_default();
            match discovered(document) {
                Ok(player) => {
                    let kind = standing.kind(Some(&player.raids_to_scrap), freshness, &frozen);
                    (kind, Ok(Due { id, fetched_at: standing.fetched_at }))
                }
                Err(reason) => (standing.kind(None, freshness, &frozen), Err(Damaged { id: id.to_string(), reason })),
            }
        });
        Ok((kinds.collect(), next))
    }

    async fn documents(&self, after: Option<PlayerId>, max: usize) -> PortResult<Vec<Document>> {
        self.mongo.find(DISCOVERS, above(after), doc! { "_id": 1 }, max, "read discovered players").await
    }

    async fn documents_of(&self, ids: impl Iterator<Item = PlayerId> + Send) -> PortResult<Vec<Document>> {
        let ids: Vec<i64> = ids.map(id).collect();
        let (count, filter) = (ids.len(), doc! { "_id": { "$in": ids } });
        self.mongo.find(DISCOVERS, filter, doc! {}, count, "read discovered players").await
    }

    /// Empties those documents of these players that cannot be decoded. Returns whether there were any.
    async fn clear_damaged(&self, players: &[Discovered]) -> PortResult<bool> {
        let stored = self.documents_of(players.iter().map(|player| player.id)).await?;
        let damaged = stored.iter().filter(|document| discovered((*document).clone()).is_err());
        let empty = doc! { "$set": { FIELD: {} }, "$unset": { FORMER_FIELD: "" } };
        let statements: Vec<Document> = damaged.map(|document| update(as_seen(document), empty.clone())).collect();
        self.mongo.update_all(DISCOVERS, &statements, "replace documents that cannot be read").await?;
        Ok(!statements.is_empty())
    }
}

fn merge(player: &Discovered) -> PortResult<Document> {
    let add = add_raids(FIELD, &player.raids_to_scrap);
    let change = if add.is_empty() {
        doc! { "$setOnInsert": { FIELD: {} } }
    } else {
        add
    };
    Ok(upsert(doc! { "_id": own_id(player.id)? }, change))
}

/// Matches a document if it is unchanged since it was read.
fn as_seen(document: &Document) -> Document {
    let field = |name| document.get(name).cloned().unwrap_or(Bson::Null);
    doc! { "_id": field("_id"), FIELD: field(FIELD), FORMER_FIELD: field(FORMER_FIELD) }
}

/// Decodes a document of either form.
fn discovered(mut document: Document) -> Result<Discovered, String> {
    let Some(former) = document.remove(FORMER_FIELD) else { return read(document) };
    if !document.contains_key(FIELD) {
        document.insert(FIELD, former);
        return read(document);
    }
    let mut player: Discovered = read(document)?;
    let former: Former = read(doc! { FORMER_FIELD: former })?;
    player.raids_to_scrap.merge(&former.raids);
    Ok(player)
}

#[derive(serde::Deserialize)]
struct Former {
    raids: RaidsToScrap,
}
