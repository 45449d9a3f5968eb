//! Pages and headers that were recorded from the real river, if they are available.

use serde_json::Value;
use stint_poe_stashes::look_ahead::{Peek, Peeked, Scan};
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::model::page::{Item, Page};
use stint_poe_stashes::model::price::{AskingPrice, asking_price};

/// The recorded answers, if they are available.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/poe");

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn recorded(file: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("{RECORDED}/{file}")).ok();
    if text.is_none() {
        eprintln!("skipped: no recorded answers");
    }
    text
}

/// Removes the spaces: recordings are formatted for people, and the river writes none.
fn compact(text: &str) -> String {
    serde_json::from_str::<Box<serde_json::value::RawValue>>(text).unwrap();
    let (mut compact, mut in_text, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        if in_text || !letter.is_whitespace() {
            compact.push(letter);
        }
        match letter {
            '"' if !escaped => in_text = !in_text,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    compact
}

#[test]
fn pages_of_2016_and_2022_are_read() {
    for (file, next, stashes) in [
        ("scala-client-psapi-response-2016.json", "2300-4354-3306-4374-1278", None),
        ("poe-api-ts-publicStashChanges-2022.json", "3002-5259-4584-5491-1849", Some(9)),
    ] {
        let Some(text) = recorded(file) else { return };
        let (next, text) = (next.parse::<ChangeId>().unwrap(), compact(&text));
        assert_eq!(Peek::default().feed(text.as_bytes()), Peeked::Found(next));
        let mut scan = Scan::default();
        text.as_bytes().chunks(100).for_each(|piece| scan.feed(piece));
        let document = scan.finish().unwrap();
        let page = Page::read(text.as_bytes()).unwrap();
        assert_eq!((document.next, page.next_change_id), (next, next));
        assert_eq!(document.stashes, page.stashes.len() as u64);
        assert!(stashes.is_none_or(|stashes| page.stashes.len() == stashes));
        let items: Vec<Item<'_>> =
            page.stashes.iter().flat_map(|stash| &stash.items).map(|raw| Item::read(raw)).collect();
        assert!(!items.is_empty() && items.iter().all(|item| item.id.is_some() && item.type_line.is_some()), "{file}");
    }
}

#[test]
fn items_of_2026_are_read() {
    let Some(text) = recorded("qcksys-psapi-item-excerpts-2026-10-07.json") else { return };
    let excerpt: Value = serde_json::from_str(&text).unwrap();
    excerpt["cursor"].as_str().unwrap().parse::<ChangeId>().unwrap();
    for item in excerpt["items"].as_array().unwrap() {
        let raw = serde_json::value::to_raw_value(item).unwrap();
        let read = Item::read(&raw);
        assert_eq!(read.base_type.unwrap().as_str(), item["baseType"].as_str().unwrap());
    }
}

#[test]
fn the_ids_of_one_stash_never_go_back() {
    let Some(text) = recorded("stash-differ-sample_raw-2020-heist.csv") else { return };
    let mut known: Option<ChangeId> = None;
    let mut rows = 0;
    // Line ends within the items of a row are escaped, so that a line is a row.
    for line in text.lines().skip(1) {
        let mut fields = line.split(',').skip(1);
        let ids = (fields.next().and_then(|id| id.parse().ok()), fields.next().and_then(|id| id.parse().ok()));
        let (Some(id), Some(next)): (Option<ChangeId>, Option<ChangeId>) = ids else { continue };
        assert!(next.has_reached(id));
        assert!(known.is_none_or(|known| id.has_reached(known)), "{known:?} and {id}");
        known = Some(next);
        rows += 1;
    }
    assert!(rows > 20, "{rows}");
    assert!(matches!(asking_price(Some("~price 1 exalted"), None), Some(AskingPrice::Price(_))));
    assert!(text.contains("~price 1 exalted"));
}
