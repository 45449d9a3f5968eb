//! The connection that all adapters of a process share.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Collection, Database, IndexModel};
use secrecy::ExposeSecret;
use stint_core::clock::Clock;
use stint_core::ports::{PortError, PortResult};

use crate::MongoSettings;
use crate::error::explain;
use crate::operation::{MAX_TIME, Retry};

/// The database if neither the settings nor the address name one.
const DATABASE: &str = "stint";

/// The time to find a server. The driver's default of half a minute is longer than most workers may take.
const SERVER_SELECTION: Duration = Duration::from_secs(10);

/// A database, and the connections to it. Clones share the connections.
///
/// Reads go to the primary and return what a majority has. A write is acknowledged when a majority has it on disk: an
/// acknowledged write survives the loss of a server, and what was read is never rolled back.
#[derive(Clone)]
pub struct Mongo {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl Mongo {
    /// Opens the database that the settings name. Sends nothing yet: the first command finds the server or fails with
    /// the reason. Time limits and retries use `clock`.
    pub async fn connect(settings: &MongoSettings, clock: Arc<dyn Clock>) -> PortResult<Mongo> {
        let uri = settings.uri().map_err(PortError::Invalid)?;
        let (database, pool_size) = (settings.mongodb_database.as_deref(), settings.mongodb_pool_size);
        Mongo::open(uri.expose_secret(), database, pool_size, clock).await
    }

    /// Opens the database at `uri`: `database`, else the one that the address names, else `stint`. At most `pool_size`
    /// connections are opened to a server, or as many as the address says.
    pub async fn open(
        uri: &str,
        database: Option<&str>,
        pool_size: Option<u32>,
        clock: Arc<dyn Clock>,
    ) -> PortResult<Mongo> {
        let wrong = |error| explain("parse MONGODB_URI", &error);
        let mut options = ClientOptions::parse(uri).await.map_err(wrong)?;
        options.app_name.get_or_insert_with(|| "stint".to_owned());
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
        options.max_pool_size = pool_size.or(options.max_pool_size);
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(MAX_TIME).build();
        options.write_concern = Some(majority);
        options.read_concern = Some(ReadConcern::majority());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let name = database.or(options.default_database.as_deref()).unwrap_or(DATABASE).to_owned();
        let client = Client::with_options(options).map_err(wrong)?;
        Ok(Mongo { database: client.database(&name), clock })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The clock of time limits and retries.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Returns a collection of the database. Its operations have neither time limits nor retries: see [`Mongo::run`].
    pub fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// Returns at most `max` documents in the order of `sort`. `what` completes the sentence "could not …".
    pub async fn find(
        &self,
        collection: &str,
        filter: Document,
        sort: Document,
        max: usize,
        what: &str,
    ) -> PortResult<Vec<Document>> {
        // To the server, a limit of 0 means no limit.
        if max == 0 {
            return Ok(Vec::new());
        }
        let (collection, limit) = (self.collection(collection), i64::try_from(max).unwrap_or(i64::MAX));
        self.run(what, Retry::Idempotent, || async {
            let found = collection.find(filter.clone()).sort(sort.clone()).limit(limit).max_time(MAX_TIME).await?;
            found.try_collect().await
        })
        .await
    }

    /// Returns the document that the filter finds.
    pub async fn find_one(&self, collection: &str, filter: Document, what: &str) -> PortResult<Option<Document>> {
        let collection = self.collection(collection);
        self.run(what, Retry::Idempotent, || collection.find_one(filter.clone()).max_time(MAX_TIME)).await
    }

    /// Returns how many documents the filter finds.
    pub async fn count(&self, collection: &str, filter: Document, what: &str) -> PortResult<u64> {
        let collection = self.collection(collection);
        self.run(what, Retry::Idempotent, || collection.count_documents(filter.clone()).max_time(MAX_TIME)).await
    }

    /// Returns about how many documents the collection has.
    pub async fn estimated_count(&self, collection: &str, what: &str) -> PortResult<u64> {
        let collection = self.collection(collection);
        self.run(what, Retry::Idempotent, || collection.estimated_document_count().max_time(MAX_TIME)).await
    }

    /// Creates an index of a collection, unless it exists. Has no time limit on the server, since it takes as long as
    /// the collection is large.
    pub async fn ensure_index(&self, collection: &str, keys: Document) -> PortResult<()> {
        let (what, index) = (format!("create an index of {collection}"), IndexModel::builder().keys(keys).build());
        let collection = self.collection(collection);
        self.run(&what, Retry::Idempotent, || collection.create_index(index.clone())).await.map(drop)
    }
}

/// The write concern of raw commands: the driver adds it only to its own writes.
pub(crate) fn write_concern() -> Document {
    doc! { "w": "majority", "j": true, "wtimeout": max_time_millis() }
}

/// The time limit of a raw command.
pub(crate) fn max_time_millis() -> i64 {
    i64::try_from(MAX_TIME.as_millis()).unwrap_or(i64::MAX)
}
