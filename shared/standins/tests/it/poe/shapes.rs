//! The fields of stashes and items, compared with recorded ones.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use stint_standins::poe_stashes::{Era, Options};

use super::client::{Client, short};

/// The recorded pages, if they are available.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/poe");

fn stashes(era: Era) -> Vec<Value> {
    let mut client = Client::unlimited(Options { era, ..short() });
    client.follow("0").into_iter().flat_map(|page| page.stashes).collect()
}

fn items(stashes: &[Value]) -> Vec<&Value> {
    stashes.iter().flat_map(|stash| stash["items"].as_array().expect("items")).collect()
}

/// Returns the fields that every one of `values` has.
fn always<'v>(values: impl IntoIterator<Item = &'v Value>) -> BTreeSet<String> {
    let fields = values.into_iter().map(|value| value.as_object().expect("an object").keys().cloned().collect());
    fields.reduce(|all: BTreeSet<String>, one| &all & &one).unwrap_or_default()
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn recorded(name: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(Path::new(RECORDED).join(name));
    if text.is_err() {
        eprintln!("skipped: no recorded pages");
    }
    let page: Value = serde_json::from_str(&text.ok()?).expect("JSON");
    Some(page["stashes"].as_array().expect("stashes").clone())
}

#[test]
fn an_item_has_what_every_recorded_one_has() {
    for (era, name) in
        [(Era::Y2016, "scala-client-psapi-response-2016.json"), (Era::Y2022, "poe-api-ts-publicStashChanges-2022.json")]
    {
        let Some(recorded) = recorded(name) else { return };
        let ours = stashes(era);
        let missing = &always(items(&recorded)) - &always(items(&ours));
        assert_eq!(missing, BTreeSet::new(), "{era:?}");
    }
}

#[test]
fn an_item_is_about_790_bytes() {
    for era in [Era::Y2016, Era::Y2022, Era::Y2026] {
        let stashes = stashes(era);
        let items = items(&stashes);
        let bytes: usize = items.iter().map(|item| item.to_string().len()).sum();
        let mean = bytes / items.len();
        assert!((700..900).contains(&mean), "{era:?}: {mean}");
    }
}

#[test]
fn a_stash_that_is_not_public_has_only_its_id() {
    for era in [Era::Y2016, Era::Y2022, Era::Y2026] {
        let stashes = stashes(era);
        let (public, unlisted): (Vec<&Value>, Vec<&Value>) = stashes.iter().partition(|stash| stash["public"] == true);
        assert!(!public.is_empty() && !unlisted.is_empty());
        assert!(unlisted.iter().all(|stash| stash["items"] == Value::Array(vec![])));
        if era != Era::Y2016 {
            assert!(unlisted.iter().all(|stash| stash["accountName"].is_null() && stash["league"].is_null()));
            assert!(public.iter().all(|stash| stash["accountName"].is_string() && stash["league"].is_string()));
        }
        assert!(stashes.iter().all(|stash| stash["id"].as_str().is_some_and(|id| id.len() == 64)));
    }
}

#[test]
fn modifiers_and_frames_are_those_of_their_era() {
    let in_2016 = stashes(Era::Y2016);
    assert!(items(&in_2016).iter().all(|item| item.get("baseType").is_none() && item["explicitMods"][0].is_string()));
    assert!(
        items(&in_2016).iter().any(|item| item["name"].as_str().is_some_and(|name| name.starts_with("<<set:MS>>")))
    );
    let in_2022 = stashes(Era::Y2022);
    assert!(items(&in_2022).iter().all(|item| item["explicitMods"][0].is_string() && item["frameType"].is_u64()));
    let in_2026 = stashes(Era::Y2026);
    assert!(items(&in_2026).iter().all(|item| item["explicitMods"][0]["description"].is_string()));
    let (with, without): (Vec<&Value>, Vec<&Value>) =
        items(&in_2026).into_iter().partition(|item| item.get("frameType").is_some());
    assert!(!with.is_empty() && !without.is_empty() && without.iter().all(|item| item["frameTypeId"].is_string()));
    assert!(
        items(&in_2026).iter().any(|item| item["explicitMods"].to_string().contains(r#""flags":{"fractured":true}"#))
    );
}

#[test]
fn notes_have_all_forms() {
    let stashes = stashes(Era::Y2026);
    let notes: Vec<&str> = items(&stashes).into_iter().filter_map(|item| item["note"].as_str()).collect();
    for form in ["~price ", "~b/o ", "/", ".5 ", "not for sale \"yet\""] {
        assert!(notes.iter().any(|note| note.contains(form)), "{form}");
    }
    assert!(notes.len() < items(&stashes).len());
}
