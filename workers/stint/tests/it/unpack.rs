//! Tests of `stint wcl unpack`, which converts databases back into documents.

use serde_json::{Value, json};
use stint_warcraftlogs::lua::{DatabaseWriter, database_path};
use stint_warcraftlogs::model::Player;

use crate::home_fixture::PLAYER;
use crate::program::{Program, text};

/// Creates databases with Ånn of EU and Bob of US.
fn prepared() -> Program {
    let program = Program::new();
    let mut writer = DatabaseWriter::create(program.file("databases")).unwrap();
    for (name, region) in [("Ånn", "EU"), ("Bob", "US")] {
        let player: Player = serde_json::from_str(PLAYER).unwrap();
        writer.push(Player { name: name.to_owned(), region: region.to_owned(), ..player }).unwrap();
    }
    writer.finish(jiff::Timestamp::UNIX_EPOCH).unwrap();
    program
}

/// Returns the expected document, which is an export of the same player without the fields that a database does not
/// have.
fn expected(name: &str, region: &str) -> Value {
    let mut player: Value = serde_json::from_str(PLAYER).unwrap();
    let fields = player.as_object_mut().unwrap();
    fields.remove("_id");
    fields.insert("name".to_owned(), name.into());
    fields.insert("region".to_owned(), region.into());
    fields.insert("updatedAt".to_owned(), json!({ "$date": "2026-11-20T00:00:00Z" }));
    // Percentiles are rounded down to whole percents.
    let ranks = &mut player["raids"]["26"]["4"];
    (ranks["best"], ranks["median"]) = (json!(91.0), json!(80.0));
    ranks["encounters"]["2398"] = json!({ "best": 95.0, "kills": 12, "spec": "Fire" });
    player
}

#[test]
fn every_player_is_unpacked_as_it_is_exported() {
    let program = prepared();
    let documents = program.succeed(&["wcl", "unpack", "databases"]);
    let documents: Vec<Value> = documents.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents, [expected("Ånn", "EU"), expected("Bob", "US")]);
    let one = program.succeed(&["wcl", "unpack", "databases", "--region", "us", "--out", "-"]);
    assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), expected("Bob", "US"));
}

#[test]
fn a_file_is_written_whole_and_replaced_only_when_forced() {
    let program = prepared();
    let to_file = ["wcl", "unpack", "databases", "--out", "players.jsonl"];
    assert_eq!(program.succeed(&to_file), "unpacked 2 players (EU 1, US 1) to players.jsonl\n");
    assert_eq!(std::fs::read_to_string(program.file("players.jsonl")).unwrap().lines().count(), 2);
    insta::assert_snapshot!(program.fail(&to_file), @"error: players.jsonl exists: add --force to replace it, or choose another name");
    let unpacked = program.json(&[&to_file[..], &["--force"]].concat());
    assert_eq!((&unpacked["players"], &unpacked["regions"][1]["region"]), (&json!(2), &json!("US")));
    let both = program.run(&["wcl", "unpack", "databases", "--json"]);
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("both use standard output"), "{}", both.stderr);
}

#[test]
fn damage_and_missing_databases_are_errors_and_leave_no_file() {
    let program = prepared();
    let error = program.fail(&["wcl", "unpack", "databases", "--region", "kr"]);
    assert!(error.contains("no database for region \"KR\", only for EU, US"), "{error}");
    let error = program.fail(&["wcl", "unpack", "absent"]);
    assert!(error.contains("cannot list the folder absent") && error.contains("db-generator"), "{error}");
    let path = database_path(&program.file("databases"), "US");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = program.fail(&["wcl", "unpack", "databases", "--out", "players.jsonl"]);
    assert!(error.contains("Stint_US.lua"), "{error}");
    let left = std::fs::read_dir(program.file("databases").parent().unwrap()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["databases"], "{}", text(&path));
}
