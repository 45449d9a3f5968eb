use std::collections::BTreeSet;

use serde_json::Value;
use stint_standins::poe_stashes::{Options, digest};

use super::client::{Client, short};

#[test]
fn the_chain_runs_from_the_beginning_to_the_tail_without_a_gap() {
    let mut client = Client::unlimited(short());
    let pages = client.follow("0");
    // Ten seconds with ten edits each are shown, seven per page.
    assert_eq!(pages.len(), 100_usize.div_ceil(7) + 1);
    assert_eq!(pages[0].raw.find("\"next_change_id\""), Some(1));
    assert!(pages.iter().all(|page| page.header.as_deref() == Some(&page.next)));
    let places: Vec<u64> = pages.iter().map(|page| client.upstream.position(&page.next).expect("an id")).collect();
    assert_eq!(places.first(), Some(&7));
    assert!(places.windows(2).all(|two| two[1] - two[0] <= 7));
    let (last, before) = (&pages[pages.len() - 1], &pages[pages.len() - 2]);
    assert_eq!((last.stashes.len(), &last.next), (0, &before.next));
    assert_eq!(last.next, client.upstream.tail(client.now));
    assert_ne!(last.next, client.upstream.head(client.now));
    let counters = client.upstream.counters();
    assert_eq!((counters.pages.len(), counters.page_requests), (pages.len(), pages.len() as u64));
    assert!(counters.pages.iter().zip(&pages).all(|(served, page)| {
        served.digest == digest(page.raw.as_bytes()) && served.bytes == page.raw.len() as u64
    }));
    assert!(counters.pages.windows(2).all(|two| two[1].change_id == two[0].next_change_id));
}

#[test]
fn the_tail_moves_on_with_time_and_a_page_there_fills_up() {
    let mut client = Client::unlimited(short());
    let tail = client.upstream.tail(client.now);
    assert_eq!(client.page(&tail).next, tail);
    client.pass(60);
    let page = client.page(&tail);
    assert!(!page.stashes.is_empty() && page.stashes.len() <= 7);
    assert_ne!(page.next, tail);
}

#[test]
fn a_page_read_again_has_the_same_stashes_with_current_content() {
    let mut client = Client::unlimited(Options { stashes: 500, ..short() });
    let first = client.page("0");
    client.pass(120);
    let again = client.page("0");
    assert_eq!((first.ids(), &first.next), (again.ids(), &again.next));
    assert_ne!(first.raw, again.raw);
    for stash in &again.stashes {
        let current = client.upstream.current(client.now, stash["id"].as_str().expect("an id"));
        let current: Value = serde_json::from_str(&current.expect("a stash")).expect("JSON");
        assert_eq!(&current, stash);
    }
    assert_eq!(client.upstream.current(client.now, "no stash"), None);
}

#[test]
fn items_are_added_kept_and_removed() {
    let mut client = Client::unlimited(Options { stashes: 20, unlisted: 0, items_per_stash: (4, 4), ..short() });
    let stash = client.page("0").stashes[0]["id"].as_str().expect("an id").to_owned();
    let items = |client: &mut Client| -> BTreeSet<String> {
        let stash = client.upstream.current(client.now, &stash).expect("a stash");
        let stash: Value = serde_json::from_str(&stash).expect("JSON");
        let items = stash["items"].as_array().expect("items").iter();
        items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
    };
    let first = items(&mut client);
    let (mut kept, mut changed) = (false, false);
    for _ in 0..20 {
        client.pass(4);
        let next = items(&mut client);
        assert_eq!(next.len(), 4);
        changed |= next != first;
        kept |= next != first && !next.is_disjoint(&first);
    }
    assert!(kept && changed);
}

#[test]
fn five_other_numbers_lead_near_and_the_tail_is_found_by_bisection() {
    let mut client = Client::unlimited(short());
    let base = client.upstream.options().bases;
    let near = base.map(|counter| (counter + 10).to_string()).join("-");
    assert_eq!(client.upstream.position(&near), Some(50));
    let next = client.page(&near).next;
    assert_eq!(client.upstream.position(&next), Some(57));
    let past = base.map(|counter| (counter + 1_000_000).to_string()).join("-");
    let page = client.page(&past);
    assert_eq!((page.stashes.len(), page.next), (0, past));

    let (mut low, mut high) = (0, 1 << 20);
    let mut requests = 0;
    while low < high {
        let middle = (low + high) / 2;
        let id = base.map(|counter| (counter + middle).to_string()).join("-");
        let empty = client.page(&id).stashes.is_empty();
        if empty {
            high = middle
        } else {
            low = middle + 1
        }
        requests += 1;
    }
    // A hundred edits are shown: twenty of each shard.
    assert_eq!((low, requests), (20, 20));
}

#[test]
fn realms_have_rivers_of_their_own() {
    let mut client = Client::unlimited(short());
    let pc = client.page("0");
    let answer = client.get("/public-stash-tabs/xbox?id=0");
    let xbox: Value = serde_json::from_slice(answer.body()).expect("JSON");
    assert_ne!(Value::from(pc.stashes), xbox["stashes"]);
    assert_eq!(client.get("/public-stash-tabs/switch?id=0").status(), 404);
    assert_eq!(client.get("/public-stash-tabsxbox").status(), 404);
}

#[test]
fn an_invalid_id_is_refused() {
    let mut client = Client::unlimited(short());
    for bad in ["1", "1-2-3-4", "1-2-3-4-5-6", "1-2-3-4-99999999999999999999", "a-b-c-d-e"] {
        assert_eq!(client.get(&format!("/public-stash-tabs?id={bad}")).status(), 400, "{bad}");
    }
    assert_eq!(client.get("/public-stash-tabs").status(), 200);
}

#[test]
fn the_same_requests_get_the_same_answers() {
    let read = |seed| {
        let mut client = Client::unlimited(Options { seed, ..short() });
        client.follow("0").iter().map(|page| page.raw.clone()).collect::<Vec<String>>()
    };
    assert_eq!(read(1), read(1));
    assert_ne!(read(1), read(2));
}

#[test]
fn the_header_can_be_missing() {
    let mut client = Client::unlimited(Options { next_id_header: false, ..short() });
    assert_eq!(client.page("0").header, None);
}
