//! Tests that a folder contains the files of the fleets used in it, and no others.

use std::collections::BTreeSet;

use crate::program::{Program, text};

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
fn a_worker_is_steered_without_a_file_of_its_fleet() {
    let program = Program::new();
    program.succeed(&["throttle", "set", "wcl/rank-fetcher", "8"]);
    program.succeed(&["throttle", "pause", "poe/follower"]);
    let shared = ["keys.db", "queues.db"].map(str::to_owned);
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
    assert!(error.contains("poe-stashes was never started here: begin with `stint up poe"), "{error}");
}
