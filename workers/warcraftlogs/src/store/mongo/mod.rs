//! The collections in MongoDB: `discovery_schedules`, `discovers` and `players` as in existing deployments, and
//! `dropped`, `standings`, `refusals`, `discovery_progress`, `milestones`, `zones` and `refresh_answers`, which Stint
//! adds.
//!
//! Only simple operators are used, and nothing relies on changing more than one document in one step. So a method that
//! writes to several collections can be interrupted in between; each says why it can safely be run again from its
//! beginning.

mod directory;
mod discovers;
mod documents;
mod milestones;
mod players;
mod progress;
mod refreshed;
mod refusals;
mod rests;
mod rules;
mod standings;
mod taken_over;
mod zones;

use std::sync::Arc;

use stint_core::clock::Clock;
use stint_core::ports::PortResult;
use stint_mongo::Mongo;

/// All collections of the fleet in one database.
#[derive(Clone)]
pub struct MongoStore {
    mongo: Mongo,
    clock: Arc<dyn Clock>,
}

impl MongoStore {
    /// Opens the fleet's collections in a database, and creates missing indexes.
    pub async fn open(mongo: &Mongo, clock: Arc<dyn Clock>) -> PortResult<MongoStore> {
        mongo.ensure_index(players::PLAYERS, players::in_order()).await?;
        Ok(MongoStore { mongo: mongo.clone(), clock })
    }
}
