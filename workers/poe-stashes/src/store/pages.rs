//! The pages' raw bytes, compressed, each under its change id.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use crate::model::ChangeId;

/// Which of the three rivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// That of PC.
    #[default]
    Pc,
    /// That of Xbox.
    Xbox,
    /// That of PlayStation.
    Sony,
}

impl Realm {
    /// Its name, in addresses and in keys.
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
        known.ok_or_else(|| format!("'{text}' is none of pc, xbox and sony"))
    }
}

/// Which page: the one that was asked for by this change id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageKey {
    /// In which river.
    pub realm: Realm,
    /// From where on.
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

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Stored,
    /// There was a blob of this name already. It stays as it was: what was seen first is never replaced.
    WasThere,
}

/// Blobs by their page's key. Nobody ever sees a part of one.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Begins a blob. Nothing is to be seen of it before it is committed.
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>>;

    /// The blob, from its beginning; `None` when there is none.
    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>>;
}

/// A blob that is being written. Dropping it leaves no blob; what it may leave aside is never read.
#[async_trait]
pub trait Upload: Send {
    /// Adds bytes. Waits for the store when it is slower than the caller, so that memory stays bounded.
    async fn write(&mut self, bytes: Bytes) -> PortResult<()>;

    /// Makes the blob, durably and all at once, unless there is one already.
    async fn commit(self: Box<Self>) -> PortResult<Put>;

    /// Takes back what was written aside.
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
        assert!("ps4".parse::<Realm>().unwrap_err().contains("none of pc"));
    }
}
