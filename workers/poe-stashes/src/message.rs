//! The fleet's messages.

use serde::{Deserialize, Serialize};
use stint_core::ports::NewMessage;

use crate::model::ChangeId;
use crate::store::{PageKey, Realm};

/// The queue of the chain: its one message continues it.
pub const CHAIN_QUEUE: &str = "poe-chain";

/// The queue of stored pages.
pub const PAGES_QUEUE: &str = "poe-stored-pages";

/// The continuation message: follow the chain. The id is for operators, and for a chain without a position. A chain
/// with a position continues there, so an old or duplicate message never moves it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContinueChain {
    /// The position of the chain when the message was sent.
    #[serde(default)]
    pub id: Option<ChangeId>,
}

/// A page is stored, under the key of its realm and id. May be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPage {
    /// The realm of its river.
    pub realm: Realm,
    /// The id that it was requested by.
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

/// Returns `body` as a message.
pub fn message(body: &impl Serialize) -> NewMessage {
    // Serialising a struct of a few strings cannot fail.
    NewMessage::new(serde_json::to_string(body).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_the_documentation_shows_them() {
        let stored = StoredPage { realm: Realm::Pc, id: "1-2-3-4-5".parse().unwrap() };
        assert_eq!(message(&stored).body, r#"{"realm":"pc","id":"1-2-3-4-5"}"#);
        assert_eq!(message(&ContinueChain { id: Some(stored.id) }).body, r#"{"id":"1-2-3-4-5"}"#);
        assert_eq!(serde_json::from_str::<ContinueChain>("{}").unwrap(), ContinueChain::default());
        assert!(
            serde_json::from_str::<ContinueChain>(r#"{"id":"1-2-3-4"}"#).unwrap_err().to_string().contains("4 parts")
        );
    }
}
