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

/// The database of whoever names none.
const DATABASE: &str = "stint";

/// Until a server is found. The driver's own half minute is longer than most workers may take.
const SERVER_SELECTION: Duration = Duration::from_secs(10);

/// A database, and the connections to it. Clones are one.
///
/// Reads go to the primary, and a write is answered when the majority has it on its disks: what was answered survives
/// the loss of a server.
#[derive(Clone)]
pub struct Mongo {
    database: Database,
}

impl Mongo {
    /// The database that the settings name. Nothing is sent yet: the first command finds the server, or says why not.
    pub async fn connect(settings: &MongoSettings) -> PortResult<Mongo> {
        let uri = settings.uri().map_err(PortError::Invalid)?;
        Mongo::open(uri.expose_secret(), settings.mongodb_database.as_deref()).await
    }

    /// The database at `uri`: `database`, else the one that the address names, else `stint`.
    pub async fn open(uri: &str, database: Option<&str>) -> PortResult<Mongo> {
        let wrong = |error| explain("make sense of MONGODB_URI", &error);
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

    /// A collection of it.
    pub fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// At most `max` documents in the order of `sort`. `what` completes the sentence "could not …".
    pub async fn find(
        &self,
        collection: &str,
        filter: Document,
        sort: Document,
        max: usize,
        what: &str,
    ) -> PortResult<Vec<Document>> {
        // To the server a limit of 0 is none at all.
        if max == 0 {
            return Ok(Vec::new());
        }
        let (collection, limit) = (self.collection(collection), i64::try_from(max).unwrap_or(i64::MAX));
        let failed = |error| explain(what, &error);
        let found = collection.find(filter).sort(sort).limit(limit).await.map_err(failed)?;
        found.try_collect().await.map_err(failed)
    }

    /// Sees to an index of a collection. What is there already stays.
    pub async fn ensure_index(&self, collection: &str, keys: Document) -> PortResult<()> {
        let created = self.collection(collection).create_index(IndexModel::builder().keys(keys).build()).await;
        created.map(drop).map_err(|error| explain(&format!("create an index of {collection}"), &error))
    }
}

/// What commands must say that the driver sends as they are: it adds the majority to its own writes only.
pub(crate) fn write_concern() -> Document {
    doc! { "w": "majority", "j": true }
}
