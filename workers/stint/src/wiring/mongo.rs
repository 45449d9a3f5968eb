//! MongoDB.

use std::sync::Arc;

use stint_core::clock::Clock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{AlarmRecords, Breakers, KeyPool, Leases};
use stint_mongo::{MongoAlarms, MongoBreakers, MongoKeyPool, MongoLeases};

use super::backends::Database;
use super::config::BackendSettings;
pub(crate) use stint_mongo::Mongo;

/// The server that the settings name.
pub(crate) async fn connect(settings: &BackendSettings, clock: Arc<dyn Clock>) -> anyhow::Result<Mongo> {
    Ok(Mongo::connect(&settings.mongo, clock).await?)
}

/// What keeps the collections of fleets.
pub(crate) fn database(mongo: &Mongo) -> Database<'_> {
    Database::Mongo(mongo)
}

/// The alarms' records.
pub(crate) fn alarms(mongo: &Mongo) -> Arc<dyn AlarmRecords> {
    Arc::new(MongoAlarms::new(mongo))
}

/// The breakers' records.
pub(crate) fn breakers(mongo: &Mongo) -> Arc<dyn Breakers> {
    Arc::new(MongoBreakers::new(mongo))
}

/// The leases.
pub(crate) fn leases(mongo: &Mongo, clock: Arc<dyn Clock>) -> Arc<dyn Leases> {
    Arc::new(MongoLeases::new(mongo, clock))
}

/// The key pool.
pub(crate) async fn key_pool(
    mongo: &Mongo,
    settings: LedgerSettings,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn KeyPool>> {
    Ok(Arc::new(MongoKeyPool::open(mongo, settings, clock).await?))
}
