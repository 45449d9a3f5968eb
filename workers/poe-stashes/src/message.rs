//! The fleet's messages.

use serde::{Deserialize, Serialize};
use stint_core::ports::NewMessage;

use crate::model::ChangeId;
use crate::store::{PageKey, Realm};

/// The queue of the chain: one message in it, which hands on the next id.
pub const CHAIN_QUEUE: &str = "poe-chain";

/// The queue of pages that are stored.
pub const PAGES_QUEUE: &str = "poe-stored-pages";

/// Follow the chain. The id is for people, and for a chain that has no position yet: one that has goes on from there,
/// so that an old message, or one that comes twice, leads nowhere back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baton {
    /// Where the chain stood when the message was sent.
    #[serde(default)]
    pub id: Option<ChangeId>,
}

/// A page is stored, under the key that its realm and id make. It may be told twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPage {
    /// In which river.
    pub realm: Realm,
    /// By which id it was asked for.
    pub id: ChangeId,
}

impl From<PageKey> for StoredPage {
    fn from(PageKey { realm, id }: PageKey) -> StoredPage {
        StoredPage { realm, id }
    }
}

impl From<StoredPage> for PageKey {
    fn from(StoredPage { realm, id }: StoredPage) -> PageKey {
        PageKey { realm, id }
    }
}

/// `body` as a message.
pub fn message(body: &impl Serialize) -> NewMessage {
    // A few strings in a struct: writing them cannot fail.
    NewMessage::new(serde_json::to_string(body).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_the_documentation_shows_them() {
        let stored = StoredPage { realm: Realm::Pc, id: "1-2-3-4-5".parse().unwrap() };
        assert_eq!(message(&stored).body, r#"{"realm":"pc","id":"1-2-3-4-5"}"#);
        assert_eq!(message(&Baton { id: Some(stored.id) }).body, r#"{"id":"1-2-3-4-5"}"#);
        assert_eq!(serde_json::from_str::<Baton>("{}").unwrap(), Baton::default());
        assert!(serde_json::from_str::<Baton>(r#"{"id":"1-2-3-4"}"#).unwrap_err().to_string().contains("4 parts"));
    }
}
