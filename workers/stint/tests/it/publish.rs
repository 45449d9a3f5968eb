//! Tests of `stint wcl publish`, which pushes generated databases by hand.

use std::net::TcpListener;

use serde_json::json;
use stint_warcraftlogs::lua::DatabaseWriter;
use stint_warcraftlogs::model::Player;
use stint_warcraftlogs::publish::create_repository;

use crate::home_fixture::PLAYER;
use crate::lambda_fleet::run;
use crate::program::{Program, text};
use crate::up::Up;
use crate::upstream::stint;

/// Creates a repository, and databases with players of these names.
fn prepared(names: &[&str]) -> Program {
    let program = Program::new();
    let repository = program.file("databases.git");
    create_repository(&repository).unwrap();
    let program = program.with("LUA_REPOSITORY", text(&repository));
    generate(&program, names);
    program
}

fn generate(program: &Program, names: &[&str]) {
    let mut writer = DatabaseWriter::create(program.file("databases")).unwrap();
    for name in names {
        let player: Player = serde_json::from_str(PLAYER).unwrap();
        writer.push(Player { name: (*name).to_owned(), ..player }).unwrap();
    }
    writer.finish(jiff::Timestamp::UNIX_EPOCH).unwrap();
}

#[test]
fn a_dry_run_prints_what_would_be_pushed_and_pushes_nothing() {
    let program = prepared(&["Ånn", "Bob"]);
    let filters = || vec![(r"[0-9a-f]{40}", "[commit]"), (r"[\d,]+ bytes(, [\d,]+ before)?", "[size]")];
    insta::with_settings!({ filters => filters() }, {
        insta::assert_snapshot!(program.succeed(&["wcl", "publish", "databases", "--dry-run"]), @r"
        would push a commit, version 2026.11.20-1, tag v2026.11.20-1

          databases 2026.11.20-1: 2 players of EU

          EU: 2 players, [size], data of 2026-11-20
          The core's files changed.

          Stint-Version: 2026.11.20-1
        ");
        insta::assert_snapshot!(program.succeed(&["wcl", "publish", "databases"]), @r"
        pushed commit [commit], version 2026.11.20-1, tag v2026.11.20-1

          databases 2026.11.20-1: 2 players of EU

          EU: 2 players, [size], data of 2026-11-20
          The core's files changed.

          Stint-Version: 2026.11.20-1
        ");
        insta::assert_snapshot!(program.succeed(&["wcl", "publish", "databases"]), @"nothing changed");
    });
    generate(&program, &["Ånn", "Cid"]);
    let planned = program.json(&["wcl", "publish", "databases", "--dry-run"]);
    assert_eq!(planned["outcome"], "planned");
    assert_eq!(planned["regions"][0]["difference"], json!({ "added": 1, "removed": 1, "changed": 0 }));
    assert_eq!(planned["commit"], json!(null));
}

#[test]
fn an_archive_has_the_published_files() {
    let program = prepared(&["Ånn"]);
    let archives = program.file("archives");
    let program = program.with("LUA_ARCHIVES", text(&archives)).with("LUA_HISTORY", "latest");
    assert_eq!(program.json(&["wcl", "publish", "databases", "--dry-run"])["archives"], json!([]));
    assert!(!archives.exists());
    let published = program.json(&["wcl", "publish", "databases"]);
    assert_eq!((&published["outcome"], &published["tag"]), (&json!("pushed"), &json!(null)));
    assert_eq!(published["archives"][0]["bytes"], archives.join("Stint_EU.zip").metadata().unwrap().len());
}

/// Returns a server that accepts connections and sends nothing, and its address as a repository.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("git://{}/databases.git", listener.local_addr().unwrap());
    (listener, address)
}

#[test]
fn a_silent_server_times_out() {
    let (_silent, address) = silent();
    let program = prepared(&["Ånn"]).with("LUA_REPOSITORY", &address).with("GIT_TIMEOUT_SECONDS", "1");
    let error = program.fail(&["wcl", "publish", "databases"]);
    assert!(error.contains(&format!("cannot fetch from {address}")) && error.contains("timed out"), "{error}");
}

/// Uses the default time-out, which is longer than this test may run.
#[test]
fn a_silent_server_does_not_delay_the_exit() {
    let (silent, address) = silent();
    let folder = tempfile::tempdir().unwrap();
    let (home, players) = (folder.path().join("home"), folder.path().join("players.json"));
    std::fs::write(&players, PLAYER).unwrap();
    let imported = stint(&home).args(["data", "import", "wcl", "players", text(&players)]).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let mut generator = stint(&home);
    generator.env("LUA_REPOSITORY", &address).args(["run", "wcl/db-generator", "--json"]);
    run(async {
        let mut generator = Up::start(generator, folder.path().join("log"));
        let connected = tokio::task::spawn_blocking(move || silent.accept().unwrap());
        let _connection = connected.await.unwrap();
        generator.terminate();
        generator.says("stopping").await;
        generator.terminate();
        assert_eq!(generator.end().await.code(), Some(1), "{}", generator.log());
        assert!(generator.log().contains("error: stopped before the work was finished"), "{}", generator.log());
    });
}

#[test]
fn missing_settings_are_named_with_the_remedy() {
    let program = Program::new();
    let error = program.fail(&["wcl", "publish", "databases"]);
    assert!(error.contains("LUA_REPOSITORY is not set"), "{error}");
    let program = prepared(&["Ånn"]);
    let error = program.fail(&["wcl", "publish"]);
    assert!(error.contains("cannot list the folder") && error.contains("databases"), "{error}");
}
