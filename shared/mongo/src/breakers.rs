//! Circuit breaker records on MongoDB.

use async_trait::async_trait;
use stint_core::circuit::Circuit;
use stint_core::ports::{Breakers, PortResult};

use crate::connection::Mongo;
use crate::records::MongoRecords;

/// The collection.
const BREAKERS: &str = "breakers";

/// The circuit breakers of a database: a document for each upstream.
pub struct MongoBreakers(MongoRecords);

impl MongoBreakers {
    /// Returns the circuit breakers of a database.
    pub fn new(mongo: &Mongo) -> MongoBreakers {
        MongoBreakers(MongoRecords::new(mongo, BREAKERS))
    }
}

#[async_trait]
impl Breakers for MongoBreakers {
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)> {
        Ok(self.0.load(upstream).await?.unwrap_or_default())
    }

    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool> {
        self.0.replace(upstream, version, circuit).await
    }
}
