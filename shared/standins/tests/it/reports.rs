use std::collections::BTreeSet;

use serde_json::json;
use stint_core::points::Points;
use stint_standins::warcraftlogs::{Options, QueryOutcome, Shares};

use crate::client::Client;

#[test]
fn reports_list_every_player_that_the_api_knows() {
    let shares = Shares { unknown: 20, transferred: 20, ..Shares::NONE };
    let mut client = Client::new(Options { players: 900, shares, ..Options::default() });
    let (mut page, mut found, mut asked) = (1, BTreeSet::new(), 0);
    loop {
        let list = client.query(&format!(
            "{{ reportData {{ reports(zoneID: 29, limit: 10, page: {page}) {{ data {{ code zone {{ id }} }} has_more_pages }} }} }}"
        ));
        let list = &list["data"]["reportData"]["reports"];
        for report in list["data"].as_array().expect("a list") {
            let code = report["code"].as_str().expect("a code");
            let answer = client.query(&format!(
                "{{ reportData {{ report(code: \"{code}\") {{ code rankedCharacters {{ canonicalID }} fights(killType: Kills) {{ difficulty kill }} }} }} }}"
            ));
            let report = &answer["data"]["reportData"]["report"];
            let fights = report["fights"].as_array().expect("fights");
            assert!(!fights.is_empty() && fights.iter().all(|fight| fight["kill"] == json!(true)));
            let characters = report["rankedCharacters"].as_array().expect("characters");
            found.extend(characters.iter().filter_map(|character| character["canonicalID"].as_u64()));
            asked += 1;
        }
        page += 1;
        if list["has_more_pages"] == json!(false) {
            break;
        }
    }
    let population = client.population();
    let known = population.with_outcome(&[(29, 3), (29, 4), (29, 5)], QueryOutcome::Ranked);
    let canonical: BTreeSet<u64> =
        known.iter().filter_map(|id| Some(population.character(*id)?.canonical_id)).collect();
    assert_eq!(found, canonical);
    assert_eq!(client.upstream.counters().charged, Points::whole(asked + page - 1));
}

#[test]
fn a_list_counts_its_pages() {
    let mut client = Client::new(Options { players: 900, ..Options::default() });
    let fields = "total per_page current_page last_page from to has_more_pages";
    let query =
        |page: u32| format!("{{ reportData {{ reports(zoneID: 26, limit: 10, page: {page}) {{ {fields} }} }} }}");
    let first = client.query(&query(1))["data"]["reportData"]["reports"].clone();
    let total = first["total"].as_u64().expect("a number");
    let last = total.div_ceil(10);
    assert_eq!(
        first,
        json!({"total": total, "per_page": 10, "current_page": 1, "last_page": last, "from": 1, "to": 10, "has_more_pages": true})
    );
    let past = client.query(&query(99))["data"]["reportData"]["reports"].clone();
    assert_eq!((&past["from"], &past["has_more_pages"]), (&json!(null), &json!(false)));
}

#[test]
fn a_report_that_is_not_there_is_an_error_at_its_place() {
    let mut client = Client::new(Options::default());
    let answer = client.query("{ reportData { gone: report(code: \"aaaaaaaaaaaaaaaa\") { code } } }");
    assert_eq!(answer["data"], json!({"reportData": {"gone": null}}));
    assert_eq!(answer["errors"][0]["path"], json!(["reportData", "gone"]));
}
