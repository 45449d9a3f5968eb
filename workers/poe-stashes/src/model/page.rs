//! A page of the river, parsed only as far as needed: the rest is kept as its original bytes.
//!
//! The format of an item has changed several times (in 2016 it had no `baseType`; since 2026 its mods are objects, and
//! `frameType` may be missing), so the parser requires only the fields that it uses, and keeps everything that it does
//! not understand.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ChangeId;

/// A page: the stashes that changed, each with its whole current content.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    /// The id of the next page.
    pub next_change_id: ChangeId,
    /// The stashes.
    #[serde(borrow)]
    pub stashes: Vec<Stash<'a>>,
}

/// A stash that changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stash<'a> {
    /// 64 hexadecimal digits.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// `false` if it is no longer listed: then its other fields mean nothing. This is the only sign of a removal.
    #[serde(default)]
    pub public: bool,
    /// The account of its owner.
    #[serde(borrow, default)]
    pub account_name: Option<Text<'a>>,
    /// The name of the tab, which may contain a price for all its items.
    #[serde(borrow, default)]
    pub stash: Option<Text<'a>>,
    /// Such as `PremiumStash`: an open set.
    #[serde(borrow, default)]
    pub stash_type: Option<Text<'a>>,
    /// Absent in 2016.
    #[serde(borrow, default)]
    pub league: Option<Text<'a>>,
    /// The items, not parsed.
    #[serde(borrow, default)]
    pub items: Vec<&'a RawValue>,
}

/// The fields of an item that are used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item<'a> {
    /// 64 hexadecimal digits. An item without an id cannot be tracked.
    #[serde(borrow, default)]
    pub id: Option<Text<'a>>,
    /// The name of a unique or rare item; otherwise empty.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// The type of the item, with the affixes of a magic item.
    #[serde(borrow, default)]
    pub type_line: Option<Text<'a>>,
    /// The type of the item. Absent in 2016.
    #[serde(borrow, default)]
    pub base_type: Option<Text<'a>>,
    /// A note, which may contain the item's own price.
    #[serde(borrow, default)]
    pub note: Option<Text<'a>>,
    /// The size of the stack.
    #[serde(default)]
    pub stack_size: Option<u32>,
}

/// A text borrowed from the page, unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Only the fields that identify an item.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
}

impl<'a> Page<'a> {
    /// Parses a page. The error has the location of the mistake.
    pub fn read(bytes: &'a [u8]) -> Result<Page<'a>, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl<'a> Item<'a> {
    /// Parses an item. If its fields are in an unknown format, at least its id is returned.
    pub fn read(raw: &'a RawValue) -> Item<'a> {
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            let named = serde_json::from_str::<Named<'a>>(raw.get());
            Item { id: named.ok().and_then(|named| named.id), ..Item::default() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNLISTED: &str = r#"{"id":"ab","public":false,"accountName":null,"lastCharacterName":null,"stash":null,"stashType":"PremiumStash","league":null,"items":[]}"#;

    fn page(stashes: &str) -> String {
        format!(r#"{{"next_change_id":"1-2-3-4-5","stashes":[{stashes}]}}"#)
    }

    #[test]
    fn texts_are_borrowed_from_the_page() {
        let text = page(&format!(
            r#"{UNLISTED},{{"id":"cd","public":true,"accountName":"Ann","stash":"~b/o 1 \"cha\u006fs","items":[{{"id":"1","name":"","typeLine":"Vaal Axe","note":"~price 1 chaos"}}]}}"#
        ));
        let page = Page::read(text.as_bytes()).unwrap();
        assert_eq!(page.next_change_id.to_string(), "1-2-3-4-5");
        let [unlisted, listed] = &page.stashes[..] else { panic!("{page:?}") };
        assert!(!unlisted.public && unlisted.items.is_empty() && unlisted.account_name.is_none());
        assert!(matches!(listed.account_name, Some(Text(Cow::Borrowed("Ann")))));
        assert_eq!(listed.stash.as_ref().unwrap().as_str(), "~b/o 1 \"chaos");
        let item = Item::read(listed.items[0]);
        assert!(matches!(item.note, Some(Text(Cow::Borrowed("~price 1 chaos")))));
        assert_eq!(
            (item.type_line.unwrap().as_str().to_owned(), item.base_type, item.stack_size),
            ("Vaal Axe".into(), None, None)
        );
    }

    #[test]
    fn an_item_of_another_shape_keeps_its_id_and_its_bytes() {
        let text = page(
            r#"{"id":"cd","public":true,"items":[{"id":"1","stackSize":"many","explicitMods":[{"description":"+1"}]}]}"#,
        );
        let page = Page::read(text.as_bytes()).unwrap();
        let raw = page.stashes[0].items[0];
        assert_eq!(Item::read(raw).id.unwrap().as_str(), "1");
        assert!(raw.get().contains(r#""stackSize":"many""#));
        let nameless = serde_json::from_str::<&RawValue>("[7]").unwrap();
        assert_eq!(Item::read(nameless).id, None);
    }

    #[test]
    fn a_page_without_its_id_is_an_error_that_names_it() {
        let error = Page::read(br#"{"stashes":[]}"#).unwrap_err().to_string();
        assert!(error.contains("next_change_id"), "{error}");
    }
}
