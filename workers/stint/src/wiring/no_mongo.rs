//! MongoDB, where this program was built without it.

use std::sync::Arc;

use anyhow::bail;
use stint_core::clock::Clock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{AlarmRecords, Breakers, KeyPool, Leases};

use super::backends::Database;
use super::config::BackendSettings;
use crate::built::built_without_cloud;

/// A server, of which there is none.
pub(crate) enum Mongo {}

pub(crate) async fn connect(_: &BackendSettings, _: Arc<dyn Clock>) -> anyhow::Result<Mongo> {
    bail!(built_without_cloud("MongoDB", "mongodb"))
}

pub(crate) fn database(mongo: &Mongo) -> Database<'_> {
    match *mongo {}
}

pub(crate) fn alarms(mongo: &Mongo) -> Arc<dyn AlarmRecords> {
    match *mongo {}
}

pub(crate) fn breakers(mongo: &Mongo) -> Arc<dyn Breakers> {
    match *mongo {}
}

pub(crate) fn leases(mongo: &Mongo, _: Arc<dyn Clock>) -> Arc<dyn Leases> {
    match *mongo {}
}

pub(crate) async fn key_pool(mongo: &Mongo, _: LedgerSettings, _: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn KeyPool>> {
    match *mongo {}
}
