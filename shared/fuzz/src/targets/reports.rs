//! An answer of the API to the other queries: reports, raids, a server's id, and a key's counter.

use std::sync::Arc;

use bytes::Bytes;
use clap::Parser;
use stint_core::clock::ManualClock;
use stint_core::ledger::KeyId;
use stint_http::Client;
use stint_testkit::drive;
use stint_warcraftlogs::client::{Api, is_report_code};
use stint_warcraftlogs::config::Settings;

use super::ranks::check_end;
use crate::upstream::{Script, answer, clock, first, status, token};

/// All settings with their defaults, without an environment.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn key() -> KeyId {
    KeyId("shop".into())
}

/// Returns an API client with one key, whose token is fetched first.
pub(super) fn api(clock: &ManualClock, answers: impl IntoIterator<Item = http::Response<Bytes>>) -> Api {
    let settings = Defaults::parse_from(["stint", "--wcl-keys", "shop:secret"]).settings;
    let script = Script::new([token()].into_iter().chain(answers));
    let client = Client::new(Arc::new(script), Arc::new(clock.clone()));
    Api::new(&settings, client, Arc::new(clock.clone())).expect("the settings' defaults are addresses")
}

pub(crate) fn run(input: &[u8]) {
    let (choice, body) = first(input);
    let clock = clock();
    let api = api(&clock, [answer(status(choice), body)]);
    let key = key();
    match choice >> 4 {
        0..=3 => {
            let (end, list) = drive(&clock, api.list_reports(&key, 26, (0, 1), None, 100, 1));
            check_end(&end);
            let codes = list.map(|list| list.codes).unwrap_or_default();
            assert!(codes.iter().all(|code| is_report_code(code)), "{codes:?}");
        }
        4..=7 => {
            let codes = ["aaaaaaaaaaaaaaaa".to_owned(), "bbbbbbbbbbbbbbbb".to_owned()];
            let (end, reports) = drive(&clock, api.report_players(&key, &codes, choice % 2 == 0));
            check_end(&end);
            assert!(reports.map_or(0, |reports| reports.len()) <= codes.len());
        }
        8..=10 => check_end(&drive(&clock, api.zones(&key, &[26, 28])).0),
        11 => check_end(&drive(&clock, api.all_zones(&key)).0),
        12 | 13 => check_end(&drive(&clock, api.server_id(&key, "EU", "tarren-mill")).0),
        _ => {
            let reading = drive(&clock, api.read_points(&key));
            assert!(reading.map_or(true, |reading| reading.reset_at() >= reading.received_at));
        }
    }
}
