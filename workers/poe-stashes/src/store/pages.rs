//! The raw bytes of the pages, compressed, each under its change id.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use crate::model::ChangeId;

/// The realm of a river.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// The river of PC.
    #[default]
    Pc,
    /// The river of Xbox.
    Xbox,
    /// The river of PlayStation.
    Sony,
}

impl Realm {
    /// The name of the realm, in addresses and in keys.
    pub fn name(self) -> &'static str {
        match self {
            Realm::Pc => "pc",
            Realm::Xbox => "xbox",
            Realm::Sony => "sony",
        }
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Realm {
    type Err = String;

    fn from_str(text: &str) -> Result<Realm, String> {
        let known = [Realm::Pc, Realm::Xbox, Realm::Sony].into_iter().find(|realm| realm.name() == text);
        known.ok_or_else(|| format!("'{text}' is not pc, xbox or sony"))
    }
}

/// Identifies a page by the change id that it was requested by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageKey {
    /// The realm of its river.
    pub realm: Realm,
    /// The change id of the request.
    pub id: ChangeId,
}

/// The first shard's counter divided by this is a folder: about two hours of the river, some fifteen thousand pages.
const FOLDER: u64 = 100_000;

impl fmt::Display for PageKey {
    /// The name of the page's blob, such as `pc/32786/3278697332-….json.zst`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PageKey { realm, id } = self;
        write!(formatter, "{realm}/{}/{id}.json.zst", id.shards()[0] / FOLDER)
    }
}

/// A blob's bytes, as they are stored.
pub type PageStream = BoxStream<'static, PortResult<Bytes>>;

/// The outcome of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Stored,
    /// There was already a blob of this name. It is unchanged: the first observation is never replaced.
    AlreadyExists,
}

/// Blobs by the key of their page. A partial blob is never visible.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Begins a blob. It is not visible before it is committed.
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>>;

    /// Returns the blob from its beginning; `None` if there is none.
    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>>;
}

/// A blob in progress. If it is dropped, there is no blob; a temporary object that may remain is never read.
#[async_trait]
pub trait Upload: Send {
    /// Adds bytes. Waits if the store is slower than the caller, so that memory stays bounded.
    async fn write(&mut self, bytes: Bytes) -> PortResult<()>;

    /// Creates the blob durably and atomically, unless there already is one.
    async fn commit(self: Box<Self>) -> PortResult<Put>;

    /// Deletes the temporary data.
    async fn abort(self: Box<Self>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_id_alone() {
        let id = "3278697332-3203624673-3129327201-3479175554-3367790506".parse().unwrap();
        let key = PageKey { realm: Realm::Pc, id };
        assert_eq!(key.to_string(), format!("pc/32786/{id}.json.zst"));
        let beginning = PageKey { realm: Realm::Xbox, id: ChangeId::BEGINNING };
        assert_eq!(beginning.to_string(), "xbox/0/0-0-0-0-0.json.zst");
        assert_eq!("sony".parse(), Ok(Realm::Sony));
        assert!("ps4".parse::<Realm>().unwrap_err().contains("is not pc"));
    }
}
