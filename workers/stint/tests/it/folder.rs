//! Tests that a folder contains the files of the fleets used in it, and no others.

use std::collections::BTreeSet;

use stint_embedded::rusqlite::Connection;

use crate::cloud::Cloud;
use crate::program::{Program, text};
use crate::throttle::deployed;

/// Returns the names in the folder, without marks and locks, and without the files that SQLite adds while a database is
/// open.
fn files(program: &Program, folder: &str) -> BTreeSet<String> {
    let names = std::fs::read_dir(program.file(folder)).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.') && !name.ends_with("-wal") && !name.ends_with("-shm")).collect()
}

/// Read-only commands that cover all fleets.
const LOOKS: [&[&str]; 4] = [&["status"], &["throttle", "show"], &["queue", "list"], &["wcl", "rules", "list"]];

#[test]
fn a_throttle_is_set_without_a_file_of_its_fleet() {
    let program = Program::new();
    program.succeed(&["throttle", "set", "wcl/rank-fetcher", "8"]);
    program.succeed(&["throttle", "pause", "poe/follower"]);
    let shared = ["queues.db".to_owned()];
    assert_eq!(files(&program, "home"), shared.clone().into());
    for look in LOOKS {
        program.succeed(look);
        assert_eq!(files(&program, "home"), shared.clone().into(), "{look:?}");
    }
    let shown = program.json(&["throttle", "show", "wcl/rank-fetcher"]);
    assert_eq!((shown["workers"].as_array().unwrap().len(), &shown["workers"][0]["set"]), (1, &8.into()));
}

#[test]
fn a_folder_of_one_fleet_has_no_file_of_another() {
    let program = Program::new();
    let ran = program.run(&["demo", "poe", "--pages", "5", "--out", text(&program.home())]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let left = files(&program, "home");
    assert!(left.contains("poe-chain.db") && left.iter().all(|name| !name.contains("warcraftlogs")), "{left:?}");
    for look in LOOKS {
        program.succeed(look);
        assert_eq!(files(&program, "home"), left, "{look:?}");
    }
    assert_eq!(program.json(&["status"])["fleets"][0]["fleet"], "poe-stashes");

    let program = Program::new();
    program.succeed(&["wcl", "rules", "add", "--raid", "26", "--difficulty", "heroic", "--end-page", "9"]);
    let left = files(&program, "home");
    assert!(left.contains("warcraftlogs.db") && left.iter().all(|name| !name.starts_with("poe-")), "{left:?}");
    for look in LOOKS {
        program.succeed(look);
        assert_eq!(files(&program, "home"), left, "{look:?}");
    }
    let error = program.fail(&["status", "poe"]);
    assert!(error.contains("poe-stashes was never started here; start with `stint up poe"), "{error}");
}

/// Its tables are files wherever its queues are.
#[test]
fn an_indexer_on_aws_has_the_file_of_its_tables_and_no_other() {
    let Some(Cloud { emulator, .. }) = Cloud::find() else { return };
    let program = deployed(&emulator);
    let event = program.write("event.json", r#"{"realm":"pc","id":"1-2-3-4-5"}"#);
    let ran = program.run(&["run", "poe/indexer", "--event", text(&event)]);
    assert!(ran.code == 1 && ran.stderr.contains("expected a batch of stored pages"), "{ran:?}");
    assert_eq!(files(&program, "home"), ["poe-index.db".to_owned()].into());
}

#[test]
fn the_folder_of_an_earlier_version_keeps_its_throttles() {
    let program = Program::new();
    std::fs::create_dir(program.home()).unwrap();
    let file = Connection::open(program.home().join("queues.db")).unwrap();
    file.execute_batch(EARLIER).unwrap();
    drop(file);
    let throttles = program.json(&["throttle", "show"]);
    let told: Vec<String> = throttles["workers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|worker| worker["paused"] == true || worker["set"].is_u64())
        .map(|worker| format!("{}/{} {} {}", worker["fleet"], worker["worker"], worker["set"], worker["paused"]))
        .collect();
    let expected = [
        "\"warcraftlogs\"/\"rank-fetcher\" 8 false",
        "\"warcraftlogs\"/\"reviver\" null true",
        "\"poe-stashes\"/\"watcher\" null true",
    ];
    assert_eq!(told, expected);
    let status = program.json(&["status", "wcl"]);
    let workers = status["fleets"][0]["workers"].as_array().unwrap();
    let next = |name: &str| {
        let worker = workers.iter().find(|worker| worker["worker"] == name).unwrap();
        worker["next_run"].as_str().map(str::to_owned)
    };
    assert_eq!(next("discover").as_deref(), Some("2100-01-01T00:00:00Z"));
    assert_eq!((next("reviver"), next("aggregator")), (Some("2099-12-31T00:00:00Z".to_owned()), None));
    assert_eq!(files(&program, "home"), ["queues.db".to_owned()].into());
}

/// The tables of `queues.db` before a worker was known by its fleet too, and what a fleet had left in them.
const EARLIER: &str = "
    PRAGMA user_version = 4;
    CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL, visible_at INTEGER NOT NULL,
        lent INTEGER NOT NULL DEFAULT 0, loan INTEGER NOT NULL DEFAULT 0, receives INTEGER NOT NULL DEFAULT 0,
        sent_at INTEGER NOT NULL, last_error TEXT, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_visibility ON messages (queue, visible_at);
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, loan INTEGER NOT NULL, receives INTEGER NOT NULL,
        sent_at INTEGER NOT NULL, died_at INTEGER NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX dead_letters_by_age ON dead_letters (queue, died_at);
    CREATE TABLE wakeups (
        name TEXT PRIMARY KEY, worker TEXT NOT NULL, at INTEGER NOT NULL, period INTEGER, lent_until INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE throttles (worker TEXT PRIMARY KEY, concurrency INTEGER, paused INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
    CREATE TABLE breakers (upstream TEXT PRIMARY KEY, version INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE hosts (
        id TEXT PRIMARY KEY, fleets TEXT NOT NULL, started_at INTEGER NOT NULL, seen_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE parked (
        queue TEXT NOT NULL, id TEXT NOT NULL, parked_at INTEGER NOT NULL, claimed_until INTEGER, body TEXT NOT NULL,
        UNIQUE (queue, id)
    ) STRICT;
    CREATE INDEX parked_by_age ON parked (queue, parked_at);
    CREATE TABLE parked_moves (token TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), latest INTEGER NOT NULL) STRICT;
    INSERT INTO clock (id, latest) VALUES (1, 0);
    INSERT INTO throttles VALUES ('rank-fetcher', 8, 0), ('reviver', NULL, 1), ('watcher', NULL, 1);
    INSERT INTO wakeups VALUES
        ('schedule-discover', 'discover', 4102444800000, 1800000, NULL),
        ('revive-rank-fetcher', 'reviver', 4102358400000, NULL, NULL);
";
