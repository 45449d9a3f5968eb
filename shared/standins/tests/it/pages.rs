use std::collections::BTreeSet;
use std::time::Duration;

use http::{Request, StatusCode};
use stint_standins::warcraftlogs::{Ban, BanForm, Options, Rate};

use crate::client::{Client, body, header, page};

/// The ids in rows, as a careful parser finds them.
fn ids(html: &str) -> Vec<u64> {
    let rows = html.split("<tr class=\"\" id=\"row-").skip(1);
    let first_link = rows.filter_map(|row| row.split_once("target=\"_blank\"")?.1.split_once("/character/id/"));
    let ids = first_link.filter_map(|(_, rest)| rest.split(['"', '/']).next()?.parse().ok());
    ids.collect()
}

#[test]
fn the_pages_of_a_ranking_list_every_player_once() {
    let mut client = Client::new(Options { players: 1500, ..Options::default() });
    let (mut seen, mut number) = (Vec::new(), 1);
    loop {
        let answer = client.get(&page(26, 5, number));
        assert_eq!(answer.status(), StatusCode::OK);
        let found = ids(body(&answer));
        if found.is_empty() {
            assert!(body(&answer).contains("class=\"empty\""));
            assert!(!body(&answer).contains("id=\"row-"));
            break;
        }
        let last = body(&answer).contains("aria-disabled=\"true\"");
        assert_eq!(last, seen.len() + found.len() == client.population().rows(26, 5));
        assert!(last || found.len() == 100);
        seen.extend(found);
        number += 1;
    }
    let unique: BTreeSet<u64> = seen.iter().copied().collect();
    assert_eq!(unique.len(), seen.len());
    assert_eq!(unique, client.population().discoverable(&[(26, 5)]).into_iter().collect());
    let counters = client.upstream.counters();
    assert_eq!(counters.pages.len(), number as usize);
    assert!((1..=number).all(|number| counters.page_reads(26, 5, number) == 1));
}

#[test]
fn links_end_with_and_without_a_slash_and_names_are_escaped() {
    let mut client = Client::new(Options { players: 3000, ..Options::default() });
    let html = body(&client.get(&page(29, 4, 1))).to_owned();
    let links = || html.split("href=\"/character/id/").skip(1).map(|rest| &rest[..rest.find('"').unwrap_or(0)]);
    assert!(links().any(|link| link.ends_with('/')));
    assert!(links().any(|link| !link.ends_with('/')));
    // One link to a character is outside of the rows.
    assert_eq!((links().count(), ids(&html).len()), (101, 100));
    assert!(html.contains("&#039;") && html.contains("&lt;") && !html.contains("Kel'Thuzad"));
    assert!(html.contains("main-table-player Mage") && html.contains("(EU)</a>"));
}

#[test]
fn a_page_wants_a_referer_and_a_known_zone() {
    let mut client = Client::new(Options::default());
    let bare = client.handle(Request::get(page(26, 3, 1)).body(bytes::Bytes::new()).expect("a request"));
    assert_eq!(bare.response.status(), StatusCode::FORBIDDEN);
    assert!(client.upstream.counters().pages.is_empty());
    let unknown = client.get(&page(99, 3, 1));
    assert_eq!(unknown.status(), StatusCode::OK);
    assert!(body(&unknown).contains("class=\"empty\""));
    assert_eq!(client.get("/zone/rankings/29").status(), StatusCode::NOT_FOUND);
}

#[test]
fn reading_too_fast_is_answered_with_a_ban() {
    let rate = Rate { burst: 2, refill: Duration::from_secs(1) };
    for form in [BanForm::Challenge, BanForm::Redirect] {
        let ban = Ban { duration: Duration::from_secs(600), form };
        let mut client = Client::new(Options { site_rate: Some(rate), ban, ..Options::default() });
        assert_eq!(client.get(&page(26, 3, 1)).status(), StatusCode::OK);
        assert_eq!(client.get(&page(26, 3, 2)).status(), StatusCode::OK);
        let banned = client.get(&page(26, 3, 3));
        match form {
            BanForm::Challenge => {
                assert_eq!(
                    (banned.status(), header(&banned, "cf-mitigated")),
                    (StatusCode::FORBIDDEN, Some("challenge"))
                );
                assert!(body(&banned).contains("Just a moment..."));
            }
            BanForm::Redirect => {
                assert_eq!(
                    (banned.status(), header(&banned, "location")),
                    (StatusCode::FOUND, Some("/human-challenge"))
                );
                assert!(body(&client.get("/human-challenge")).contains("Just a moment..."));
            }
        }
        client.pass(599);
        assert_ne!(client.get(&page(26, 3, 3)).status(), StatusCode::OK);
        client.pass(1);
        assert_eq!(client.get(&page(26, 3, 3)).status(), StatusCode::OK);
        let counters = client.upstream.counters();
        assert_eq!((counters.bans, counters.banned_requests, counters.page_reads(26, 3, 3)), (1, 2, 1));
    }
}
