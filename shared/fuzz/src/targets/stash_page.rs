//! A page of stashes: two parsers agree on it, and no invalid item or price loses the page.

use stint_poe_stashes::look_ahead::Scan;
use stint_poe_stashes::model::page::{Item, Page};
use stint_poe_stashes::model::price::{AskingPrice, asking_price};

pub(crate) fn run(input: &[u8]) {
    let Ok(page) = Page::read(input) else { return };
    let next = page.next_change_id.to_string();
    assert_eq!(next.parse(), Ok(page.next_change_id));
    let mut scan = Scan::default();
    scan.feed(input);
    if let Ok(document) = scan.finish() {
        assert_eq!(document.next, page.next_change_id, "two readers of one page");
        assert_eq!(document.stashes, page.stashes.len() as u64, "two counts of one page");
    }
    for stash in &page.stashes {
        let tab = stash.stash.as_ref().map(|tab| tab.as_str());
        for raw in &stash.items {
            let item = Item::read(raw);
            let note = item.note.as_ref().map(|note| note.as_str());
            if let Some(AskingPrice::Price(price)) = asking_price(note, tab) {
                assert!(price.amount.numerator > 0.0 && price.amount.denominator > 0.0, "{price:?}");
                assert!(!price.currency.is_empty());
            }
        }
    }
}
