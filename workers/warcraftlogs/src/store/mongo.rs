//! The collections in MongoDB: `discovery_schedules`, `discovers` and `players` as existing deployments have them, and
//! beside them `dropped`, `standings`, `refusals`, `discovery_progress`, `milestones`, `zones` and `refresh_answers`, which
//! are ours.
//!
//! Only simple operators are used, and nothing relies on more than one document changing in one step. So a method that
//! writes to several collections can be cut off in between; each says why it may be done again from its beginning.

use std::sync::Arc;

use stint_core::clock::Clock;
use stint_core::ports::PortResult;
use stint_mongo::Mongo;

use super::mongo_players;

/// All collections of the fleet in one database.
#[derive(Clone)]
pub struct MongoStore {
    pub(super) mongo: Mongo,
    pub(super) clock: Arc<dyn Clock>,
}

impl MongoStore {
    /// The fleet's collections in a database. Sees to the indexes.
    pub async fn open(mongo: &Mongo, clock: Arc<dyn Clock>) -> PortResult<MongoStore> {
        mongo.ensure_index(mongo_players::PLAYERS, mongo_players::in_order()).await?;
        Ok(MongoStore { mongo: mongo.clone(), clock })
    }
}
