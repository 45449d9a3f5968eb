//! A page of the river, read as far as is needed: the rest stays the bytes it came as.
//!
//! The shape of an item has moved again and again (in 2016 it had no `baseType`; since 2026 its mods are objects, and
//! `frameType` may be missing), so nothing here insists on more than it uses, and whatever is not understood is kept.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ChangeId;

/// A page: the stashes that changed, each with everything that is in it now.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    /// Where the river goes on.
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
    /// `false` when it is listed no more: then nothing else in it means anything. This is the only sign of a removal.
    #[serde(default)]
    pub public: bool,
    /// Who owns it.
    #[serde(borrow, default)]
    pub account_name: Option<Text<'a>>,
    /// The name of the tab, in which there may be a price for all that is in it.
    #[serde(borrow, default)]
    pub stash: Option<Text<'a>>,
    /// Such as `PremiumStash`: an open set.
    #[serde(borrow, default)]
    pub stash_type: Option<Text<'a>>,
    /// Absent in 2016.
    #[serde(borrow, default)]
    pub league: Option<Text<'a>>,
    /// The items, unread.
    #[serde(borrow, default)]
    pub items: Vec<&'a RawValue>,
}

/// What is read of an item.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item<'a> {
    /// 64 hexadecimal digits. Items that have none cannot be followed.
    #[serde(borrow, default)]
    pub id: Option<Text<'a>>,
    /// Of a unique or rare item; else empty.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// What it is, with a magic item's affixes.
    #[serde(borrow, default)]
    pub type_line: Option<Text<'a>>,
    /// What it is. Absent in 2016.
    #[serde(borrow, default)]
    pub base_type: Option<Text<'a>>,
    /// Its own price, among other things.
    #[serde(borrow, default)]
    pub note: Option<Text<'a>>,
    /// How many are on the stack.
    #[serde(default)]
    pub stack_size: Option<u32>,
}

/// A text that is borrowed from the page, unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Only what says which item it is.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
}

impl<'a> Page<'a> {
    /// Reads a page. An error says where in it something is wrong.
    pub fn read(bytes: &'a [u8]) -> Result<Page<'a>, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl<'a> Item<'a> {
    /// Reads an item. Of one whose fields are not what they used to be there is at least its id.
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
