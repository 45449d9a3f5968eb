//! The connection that all adapters of a process share.

use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::{Acknowledgment, ClientOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Collection, Database, IndexModel};
use secrecy::ExposeSecret;
use stint_core::ports::{PortError, PortResult};

use crate::MongoSettings;
use crate::error::explain;

/// The database if neither the settings nor the address name one.
const DATABASE: &str = "stint";

/// The time to find a server. The driver's default of half a minute is longer than most workers may take.
const SERVER_SELECTION: Duration = Duration::from_secs(10);

/// A database, and the connections to it. Clones share the connections.
///
/// Reads go to the primary, and a write is acknowledged when a majority has it on disk: an acknowledged write survives
/// the loss of a server.
#[derive(Clone)]
pub struct Mongo {
    database: Database,
}

impl Mongo {
    /// Opens the database that the settings name. Sends nothing yet: the first command finds the server or fails with
    /// the reason.
    pub async fn connect(settings: &MongoSettings) -> PortResult<Mongo> {
        let uri = settings.uri().map_err(PortError::Invalid)?;
        Mongo::open(uri.expose_secret(), settings.mongodb_database.as_deref()).await
    }

    /// Opens the database at `uri`: `database`, else the one that the address names, else `stint`.
    pub async fn open(uri: &str, database: Option<&str>) -> PortResult<Mongo> {
        let wrong = |error| explain("parse MONGODB_URI", &error);
        let mut options = ClientOptions::parse(uri).await.map_err(wrong)?;
        options.app_name.get_or_insert_with(|| "stint".to_owned());
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
        options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let name = database.or(options.default_database.as_deref()).unwrap_or(DATABASE).to_owned();
        let client = Client::with_options(options).map_err(wrong)?;
        Ok(Mongo { database: client.database(&name) })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns a collection of the database.
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
        let failed = |error| explain(what, &error);
        let found = collection.find(filter).sort(sort).limit(limit).await.map_err(failed)?;
        found.try_collect().await.map_err(failed)
    }

    /// Creates an index of a collection, unless it exists.
    pub async fn ensure_index(&self, collection: &str, keys: Document) -> PortResult<()> {
        let created = self.collection(collection).create_index(IndexModel::builder().keys(keys).build()).await;
        created.map(drop).map_err(|error| explain(&format!("create an index of {collection}"), &error))
    }
}

/// The write concern of raw commands: the driver adds it only to its own writes.
pub(crate) fn write_concern() -> Document {
    doc! { "w": "majority", "j": true }
}
