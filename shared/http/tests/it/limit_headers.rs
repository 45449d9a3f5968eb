//! The grammar of the rate-limit headers: valid headers are read, and no header breaks an answer.

use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;
use stint_http::{AnnouncedLimits, RateRule, RateWindow, WindowState};

use crate::scripted::start;

/// The recorded headers, if they are available.
const OBSERVED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/poe/observed-headers.json");

fn read(headers: &[(&str, &str)]) -> AnnouncedLimits {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).expect("a name"), HeaderValue::try_from(*value).expect("a value"));
    }
    AnnouncedLimits::from_headers(&map, start())
}

fn window(max_hits: u32, period: u64, restriction: u64, state: Option<(u32, u64)>) -> RateWindow {
    let state = state.map(|(hits, seconds)| WindowState { hits, restricted_for: Duration::from_secs(seconds) });
    let (period, restriction) = (Duration::from_secs(period), Duration::from_secs(restriction));
    RateWindow { max_hits, period, restriction, state }
}

#[test]
fn the_river_of_2023_is_read() {
    let limits = read(&[
        ("X-Rate-Limit-Policy", "public-stash-tabs-request-limit-pc"),
        ("X-Rate-Limit-Rules", "Ip"),
        ("X-Rate-Limit-Ip", "2:1:60"),
        ("X-Rate-Limit-Ip-State", "1:1:0"),
    ]);
    let rule = RateRule { name: "ip".to_owned(), windows: vec![window(2, 1, 60, Some((1, 0)))] };
    let policy = Some("public-stash-tabs-request-limit-pc".to_owned());
    assert_eq!(limits, AnnouncedLimits { policy, rules: vec![rule], retry_after: None, problems: vec![] });
}

#[test]
fn several_rules_and_windows_keep_their_order_and_their_states() {
    let limits = read(&[
        ("x-rate-limit-rules", "Account, Ip"),
        ("x-rate-limit-ip", "45:60:120,180:1800:600"),
        ("x-rate-limit-ip-state", "1:60:0,2:1800:0"),
        ("x-rate-limit-account", "30:60:60 , 100:1800:600"),
        ("x-rate-limit-account-state", "1:60:0,103:1800:600"),
        ("retry-after", "10"),
    ]);
    let account = vec![window(30, 60, 60, Some((1, 0))), window(100, 1800, 600, Some((103, 600)))];
    let ip = vec![window(45, 60, 120, Some((1, 0))), window(180, 1800, 600, Some((2, 0)))];
    assert_eq!(limits.rules.iter().map(|rule| &rule.windows).collect::<Vec<_>>(), [&account, &ip]);
    assert_eq!((limits.retry_after, limits.problems.len()), (Some(Duration::from_secs(10)), 0));
    // The strictest window allows 100 in half an hour.
    assert_eq!(limits.permitted(Duration::from_secs(3600)), 200.0);
}

#[test]
fn what_is_wrong_is_named_and_the_rest_is_read() {
    let cases = [
        ("lots", "x-rate-limit-ip: max_hits is not a valid number"),
        ("2:1", "x-rate-limit-ip: restriction is missing"),
        ("2:1:60:4", "x-rate-limit-ip: restriction is followed by more text"),
        ("2:-1:60", "x-rate-limit-ip: period is not a valid number"),
        ("+2:1:60", "x-rate-limit-ip: max_hits is not a valid number"),
        ("99999999999:1:60", "x-rate-limit-ip: max_hits is not a valid number"),
        ("2:1:60,", "x-rate-limit-ip: max_hits is not a valid number"),
        ("0:1:60", "x-rate-limit-ip: max_hits is 0"),
        ("2:0:60", "x-rate-limit-ip: period is 0"),
        ("", "x-rate-limit-ip: value is missing, though the rules name it"),
    ];
    for (value, said) in cases {
        let limits = read(&[
            ("x-rate-limit-rules", "ip,client"),
            ("x-rate-limit-ip", value),
            ("x-rate-limit-client", "10:5:10"),
        ]);
        assert_eq!(limits.rules, [RateRule { name: "client".to_owned(), windows: vec![window(10, 5, 10, None)] }]);
        let problems: Vec<String> = limits.problems.iter().map(ToString::to_string).collect();
        assert!(problems.len() == 1 && problems[0].starts_with(&format!("header {said} in ")), "{problems:?}");
    }
}

#[test]
fn a_state_that_does_not_fit_leaves_the_limit() {
    for state in ["1:1:0,1:10:0", "1:2:0", "many", "1:1"] {
        let limits =
            read(&[("x-rate-limit-rules", "ip"), ("x-rate-limit-ip", "2:1:60"), ("x-rate-limit-ip-state", state)]);
        assert_eq!(limits.rules[0].windows, [window(2, 1, 60, None)]);
        assert_eq!(limits.problems[0].header, "x-rate-limit-ip-state");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn every_recorded_set_is_read() {
    let Ok(text) = std::fs::read_to_string(Path::new(OBSERVED)) else {
        eprintln!("skipped: no recorded headers");
        return;
    };
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    let sets = recorded["sets"].as_array().expect("sets");
    assert!(!sets.is_empty());
    for set in sets {
        let headers = set["headers"].as_object().expect("headers");
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect();
        let limits = read(&headers);
        let limited = headers.iter().find(|(name, _)| *name == "X-Rate-Limit-Rules").expect("rules").1;
        assert_eq!(limits.problems, [], "{set}");
        assert_eq!(limits.rules.len(), limited.split(',').count(), "{set}");
        assert!(limits.policy.is_some() && limits.permitted(Duration::from_secs(60)).is_finite(), "{set}");
        assert_eq!(limits.retry_after.is_some(), set["status"] == 429, "{set}");
    }
}

fn rules() -> impl Strategy<Value = Vec<RateRule>> {
    let window = (1..=u32::MAX, 1..=u32::MAX, any::<u32>(), any::<(u32, u32)>());
    let windows = (prop::collection::vec(window, 1..5), any::<bool>()).prop_map(|(windows, stated)| {
        let windows = windows.into_iter().map(|(hits, period, restriction, (counted, seconds))| {
            let state = stated.then_some((counted, u64::from(seconds)));
            window_of(hits, period, restriction, state)
        });
        windows.collect::<Vec<RateWindow>>()
    });
    let rules = prop::collection::btree_map("[a-z][a-z0-9]{0,8}", windows, 1..4);
    rules.prop_map(|rules| rules.into_iter().map(|(name, windows)| RateRule { name, windows }).collect())
}

fn window_of(max_hits: u32, period: u32, restriction: u32, state: Option<(u32, u64)>) -> RateWindow {
    window(max_hits, u64::from(period), u64::from(restriction), state)
}

/// Returns the headers that announce `rules`, as an upstream would send them.
fn written(rules: &[RateRule]) -> Vec<(String, String)> {
    let joined = |parts: Vec<String>| parts.join(",");
    let mut headers =
        vec![("X-Rate-Limit-Rules".to_owned(), joined(rules.iter().map(|rule| rule.name.to_uppercase()).collect()))];
    for rule in rules {
        let windows = rule.windows.iter();
        let limits = windows
            .clone()
            .map(|window| format!("{}:{}:{}", window.max_hits, window.period.as_secs(), window.restriction.as_secs()));
        headers.push((format!("X-Rate-Limit-{}", rule.name), joined(limits.collect())));
        let states = windows.filter_map(|window| {
            let state = window.state?;
            Some(format!("{}:{}:{}", state.hits, window.period.as_secs(), state.restricted_for.as_secs()))
        });
        headers.push((format!("X-Rate-Limit-{}-State", rule.name), joined(states.collect())));
    }
    headers
}

proptest! {
    #[test]
    fn what_is_written_is_read(rules in rules()) {
        // A rule whose name ends in `state`, or is `policy` or `rules`, cannot be told from another header.
        prop_assume!(!rules.iter().any(|rule| rule.name.ends_with("state") || rule.name == "policy" || rule.name == "rules"));
        let headers = written(&rules);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let limits = read(&headers);
        prop_assert_eq!(limits.problems, []);
        prop_assert_eq!(limits.rules, rules);
    }

    #[test]
    fn nothing_that_a_header_can_hold_panics(
        values in prop::collection::vec(
            prop_oneof![prop::collection::vec(0x20_u8..=0xFF, 0..40), "[0-9:, -]{0,30}".prop_map(String::into_bytes)], 5)
    ) {
        let names = ["x-rate-limit-policy", "x-rate-limit-rules", "x-rate-limit-ip", "x-rate-limit-ip-state", "retry-after"];
        for rules in [None, Some("ip")] {
            let mut headers = HeaderMap::new();
            for (name, value) in names.iter().zip(&values) {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.insert(*name, value);
                }
            }
            if let Some(rules) = rules {
                headers.insert("x-rate-limit-rules", HeaderValue::from_static(rules));
            }
            let limits = AnnouncedLimits::from_headers(&headers, start());
            prop_assert!(limits.rules.iter().all(|rule| !rule.windows.is_empty()));
            prop_assert!(limits.problems.iter().all(|problem| problem.to_string().chars().all(|c| !c.is_control())));
        }
    }
}
