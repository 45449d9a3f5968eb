//! The content of the index after pages were applied.

use futures::executor::block_on;
use stint_embedded::Mode;

use super::super::{ItemRow, PriceRow, StashRow};
use super::*;
use crate::model::ChangeId;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn index() -> SqliteIndex {
    SqliteIndex::open(&Folder::in_memory()).unwrap()
}

fn price(each: f64) -> PriceRow {
    PriceRow { each, currency: "chaos".to_owned(), kind: "price" }
}

/// Returns an item with this id and price in chaos.
fn item(id: &str, each: f64) -> ItemRow {
    ItemRow { id: id.to_owned(), price: Some(price(each)), json: format!(r#"{{"id":"{id}"}}"#), ..ItemRow::default() }
}

fn listed(id: &str, items: &[ItemRow]) -> StashRow {
    let (id, account) = (id.to_owned(), Some("Ann".to_owned()));
    StashRow { id, listed: true, account, items: items.to_vec(), ..StashRow::default() }
}

fn unlisted(id: &str) -> StashRow {
    StashRow { id: id.to_owned(), ..StashRow::default() }
}

/// Applies a page of these stashes, observed at this second.
fn apply(index: &SqliteIndex, at: i64, stashes: &[StashRow]) -> Changes {
    let page = ChangeId::new([1; 5]);
    block_on(index.apply(Snapshot { observed_at: second(at), page, stashes: stashes.to_vec() })).unwrap()
}

/// Returns the rows of a statement with one column.
fn lines(index: &SqliteIndex, statement: &'static str) -> Vec<String> {
    let read = index
        .database
        .read("look", move |connection| connection.prepare(statement)?.query_map([], |row| row.get(0))?.collect());
    block_on(read).unwrap()
}

fn events(index: &SqliteIndex) -> Vec<String> {
    lines(
        index,
        "SELECT concat_ws(' ', at / 1000, event, item, 'in', stashes.id, events.price, currency)
         FROM events JOIN stashes ON stashes.number = events.stash ORDER BY at, events.number",
    )
}

fn items(index: &SqliteIndex) -> Vec<String> {
    lines(
        index,
        "SELECT concat_ws(' ', items.id, 'in', stashes.id, price, currency, first_seen / 1000, changed_at / 1000)
         FROM items JOIN stashes ON stashes.number = items.stash ORDER BY items.id, stashes.id",
    )
}

#[test]
fn new_changed_and_removed_items_are_reported() {
    let index = index();
    apply(&index, 1, &[listed("s", &[item("a", 1.0), item("b", 2.0), item("c", 3.0)])]);
    let again = apply(&index, 2, &[listed("s", &[item("a", 1.0), item("b", 2.0), item("c", 3.0)])]);
    assert_eq!(again, Changes { stashes: 1, ..Changes::default() });
    let changes = apply(&index, 3, &[listed("s", &[item("d", 4.0), item("c", 3.0), item("b", 2.5)])]);
    assert_eq!(changes, Changes { stashes: 1, new: 1, changed: 1, removed: 1, ..Changes::default() });
    assert_eq!(items(&index), ["b in s 2.5 chaos 1 3", "c in s 3.0 chaos 1 1", "d in s 4.0 chaos 3 3"]);
    assert_eq!(
        events(&index),
        [
            "1 new a in s 1.0 chaos",
            "1 new b in s 2.0 chaos",
            "1 new c in s 3.0 chaos",
            "3 removed a in s 1.0 chaos",
            "3 changed b in s 2.5 chaos",
            "3 new d in s 4.0 chaos",
        ]
    );
}

#[test]
fn an_item_whose_bytes_have_changed_has_changed() {
    let index = index();
    apply(&index, 1, &[listed("s", &[item("a", 1.0)])]);
    let enchanted = ItemRow { json: r#"{"id":"a","corrupted":true}"#.to_owned(), ..item("a", 1.0) };
    assert_eq!(apply(&index, 2, &[listed("s", &[enchanted])]).changed, 1);
    let unpriced = ItemRow { price: None, json: r#"{"id":"a","corrupted":true}"#.to_owned(), ..item("a", 1.0) };
    assert_eq!(apply(&index, 3, &[listed("s", &[unpriced])]).changed, 1);
    assert_eq!(items(&index), ["a in s 1 3"]);
}

#[test]
fn a_stash_that_is_listed_no_more_has_nothing_in_it_and_keeps_its_owner() {
    let index = index();
    apply(&index, 1, &[listed("s", &[item("a", 1.0), item("b", 2.0)])]);
    let changes = apply(&index, 2, &[unlisted("s"), unlisted("t")]);
    assert_eq!(changes, Changes { stashes: 2, unlisted: 2, removed: 2, ..Changes::default() });
    assert!(items(&index).is_empty());
    let stashes = lines(&index, "SELECT concat_ws(' ', id, listed, account) FROM stashes ORDER BY id");
    assert_eq!(stashes, ["s 0 Ann", "t 0"]);
}

#[test]
fn an_older_page_changes_nothing() {
    let index = index();
    apply(&index, 2, &[listed("s", &[item("a", 1.0)])]);
    let changes = apply(&index, 1, &[listed("s", &[item("b", 1.0)]), listed("t", &[item("c", 1.0)])]);
    assert_eq!(changes, Changes { stashes: 1, outdated: 1, new: 1, ..Changes::default() });
    assert_eq!(items(&index), ["a in s 1.0 chaos 2 2", "c in t 1.0 chaos 1 1"]);
}

#[test]
fn a_moved_item_is_removed_from_one_stash_and_new_in_the_other_in_either_order() {
    let mut seen = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let index = index();
        apply(&index, 1, &[listed("from", &[item("a", 1.0)]), listed("to", &[])]);
        let pages = [(2, listed("from", &[])), (3, listed("to", &[item("a", 1.0)]))];
        for (at, stash) in order.map(|page| pages[page].clone()) {
            apply(&index, at, &[stash]);
        }
        seen.push((items(&index), events(&index)));
    }
    assert_eq!(seen[0].0, ["a in to 1.0 chaos 3 3"]);
    assert_eq!(seen[0].1[1..], ["2 removed a in from 1.0 chaos", "3 new a in to 1.0 chaos"]);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn an_item_that_is_in_a_stash_twice_is_the_first_and_stays_so() {
    let index = index();
    let twice = [item("a", 1.0), item("a", 2.0)];
    assert_eq!(apply(&index, 1, &[listed("s", &twice)]).new, 1);
    assert_eq!(apply(&index, 2, &[listed("s", &twice)]), Changes { stashes: 1, ..Changes::default() });
    assert_eq!(items(&index), ["a in s 1.0 chaos 1 1"]);
}

#[test]
fn events_are_forgotten_by_their_time_and_pages_of_one_moment_add_up() {
    let index = index();
    apply(&index, 5, &[listed("s", &[item("a", 1.0)])]);
    apply(&index, 5, &[listed("t", &[item("b", 1.0)])]);
    apply(&index, 1, &[listed("u", &[item("c", 1.0)])]);
    block_on(index.delete_events(second(5))).unwrap();
    assert_eq!(events(&index), ["5 new a in s 1.0 chaos", "5 new b in t 1.0 chaos"]);
}

#[test]
fn tables_of_the_first_version_are_taken_over() {
    let home = tempfile::tempdir().unwrap();
    let old = Database::open(&home.path().join("poe-index.db"), &MIGRATIONS[..1], Mode::Shared).unwrap();
    let fill = old.write("fill the tables", |connection| {
        connection.execute_batch(
            "INSERT INTO stashes VALUES ('s', 1, 'Ann', 'tab', 'PremiumStash', 'Standard', '1-1-1-1-1', 2000);
             INSERT INTO items VALUES (7, 'a', 's', NULL, 'Vaal Axe', NULL, NULL, NULL, 1.0, 'chaos', 'price', 1000, 1000, 1000,
                '{\"id\":\"a\"}');
             INSERT INTO events VALUES (9, 1000, 'new', 'a', 's', 1.0, 'chaos');",
        )
    });
    block_on(fill).unwrap();
    drop(old);
    let index = SqliteIndex::open(&Folder::open(home.path(), Mode::Shared).unwrap()).unwrap();
    assert_eq!(items(&index), ["a in s 1.0 chaos 1 1"]);
    assert_eq!(events(&index), ["1 new a in s 1.0 chaos"]);
    let same = apply(&index, 3, &[listed("s", &[item("a", 1.0)])]);
    assert_eq!(same, Changes { stashes: 1, ..Changes::default() });
    assert_eq!(apply(&index, 1, &[unlisted("s")]).outdated, 1);
}
