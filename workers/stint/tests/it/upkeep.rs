//! Tests of `stint check`, `backup` and `restore`: damage is found and repaired, and a restored fleet loses and
//! overspends nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use stint_embedded::rusqlite::Connection;

use crate::home_fixture::{HomeFixture, PLAYER, block_on};
use crate::kill::{fleet, ids, output, queued, upstream};
use crate::program::{Program, text};
use crate::upstream::stint;

const DISCOVERED: u64 = 3_000;

/// Creates a folder with discovered players and keys.
fn filled() -> Program {
    let program = Program::new().with("WCL_KEYS", "key-1:secret,key-2:secret");
    let lines: String =
        (1..=DISCOVERED).map(|id| format!("{{\"_id\":{id},\"raidsToScrap\":{{\"26\":[3,5]}}}}\n")).collect();
    let source = program.write("in.jsonl", &lines);
    program.succeed(&["data", "import", "wcl", "discovers", text(&source)]);
    block_on(async { HomeFixture::open(&program.home()).keys().await });
    program
}

fn flip(file: &Path, offset: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0xff], offset).unwrap();
}

/// Damages a page of the discovered players. Returns how many were on it.
fn damage(program: &Program) -> u64 {
    let file = program.home().join("warcraftlogs.db");
    let page = "SELECT pageno, ncell FROM dbstat WHERE name = 'discovers' AND pagetype = 'leaf' LIMIT 1 OFFSET 2";
    let connection = Connection::open(&file).unwrap();
    let (page, rows): (i64, i64) = connection.query_row(page, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    drop(connection);
    flip(&file, (page as u64 - 1) * 4_096);
    rows as u64
}

fn discovered(program: &Program) -> u64 {
    program.run(&["data", "export", "wcl", "discovers", "-"]).stdout.lines().count() as u64
}

#[test]
fn a_sound_folder_is_reported_file_by_file() {
    let program = filled();
    let printed = program.redact(&program.succeed(&["check"]));
    for file in ["keys.db", "queues.db", "warcraftlogs.db"] {
        assert!(printed.lines().any(|line| line.starts_with(file) && line.ends_with("sound")), "{printed}");
    }
    assert_eq!(printed.lines().count(), 4, "{printed}");
    let report = program.json(&["check", "--repair"]);
    assert_eq!((&report["damaged"], report["files"].as_array().unwrap().len()), (&0.into(), 3));
    let nothing = Program::new().fail(&["check"]);
    assert!(nothing.contains("[folder]/home is not a Stint folder: select another folder"), "{nothing}");
}

#[test]
fn a_flipped_byte_is_found_and_repaired_with_a_count_of_lost_rows() {
    let program = filled();
    let rows = damage(&program);
    let file = program.home().join("warcraftlogs.db");
    let damaged = fs::read(&file).unwrap();
    let ran = program.run(&["check"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("error: 1 file is damaged"), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("\nwarcraftlogs.db\n  Tree ") && ran.stdout.contains("stint check --repair"),
        "{ran:?}"
    );

    // A command that reads the damaged page names the file and the remedy.
    let error = program.run(&["data", "export", "wcl", "discovers", "-"]).stderr;
    for part in ["warcraftlogs.db", "stint check --repair", "stint restore"] {
        assert!(error.contains(part), "{error}");
    }

    // Only the damaged page itself could tell how many rows were on it, because the table has no index.
    let counted = format!("discovers: {} rows kept, at least {rows} lost", in_thousands(DISCOVERED - rows));
    let ran = program.run(&["check", "--repair", "--dry-run"]);
    assert!(ran.code == 1 && ran.stdout.contains(&counted), "{ran:?}");
    assert_eq!(fs::read(&file).unwrap(), damaged, "a dry run changes nothing");

    let fixture = HomeFixture::open(&program.home());
    let refused = program.run(&["check", "--repair"]).stderr;
    assert!(refused.contains("another stint process has the folder") && refused.contains("nothing was changed"));
    assert_eq!(fs::read(&file).unwrap(), damaged);
    drop(fixture);

    let ran = program.run(&["check", "--repair"]);
    assert!(ran.code == 0 && ran.stdout.contains(&counted), "{ran:?}");
    let copies = fs::read_dir(program.home()).unwrap().map(|entry| entry.unwrap().path());
    let copies: Vec<_> = copies
        .filter(|path| text(path).contains("warcraftlogs.db.before-repair-") && !text(path).ends_with("-wal"))
        .collect();
    assert_eq!(fs::read(&copies[0]).unwrap(), damaged);
    assert_eq!(program.json(&["check"])["damaged"], 0);
    assert_eq!(discovered(&program), DISCOVERED - rows);
}

#[test]
fn a_stored_page_that_was_cut_is_found() {
    let program = filled();
    let pages = program.home().join("poe-pages/pc/0");
    fs::create_dir_all(&pages).unwrap();
    fs::write(pages.join("1-2-3-4-5.json.zst#1"), "a page that is being written").unwrap();
    assert!(program.succeed(&["check"]).contains("poe-pages"));
    fs::write(pages.join("1-2-3-4-5.json.zst"), "half a page").unwrap();
    let ran = program.run(&["check"]);
    assert!(ran.code == 1 && ran.stderr.contains("error: 1 file is damaged"), "{ran:?}");
    let found = "\npoe-pages\n  pc/0/1-2-3-4-5.json.zst: the blob does not begin with a label of Stint";
    assert!(ran.stdout.contains(found) && ran.stdout.contains("copy them from a backup"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("stint check --repair"), "{}", ran.stdout);
    program.succeed(&["check", "--quick"]);
}

fn in_thousands(number: u64) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}

#[test]
fn a_fleet_that_was_killed_does_not_start_on_a_damaged_file() {
    let program = filled();
    block_on(async { HomeFixture::open(&program.home()).host().await });
    damage(&program);
    let error = program.run(&["up", "warcraftlogs"]);
    assert_eq!(error.code, 1, "{error:?}");
    for part in ["warcraftlogs.db is damaged (", "the fleet was not started", "stint check --repair", "stint restore"] {
        assert!(error.stderr.contains(part), "{}", error.stderr);
    }
}

#[test]
fn a_restore_brings_back_the_backup_and_keeps_the_previous_folder() {
    let program = filled();
    let home = program.home();
    fs::create_dir_all(home.join("poe-pages/pc")).unwrap();
    fs::write(home.join("poe-pages/pc/1-2-3"), "a page").unwrap();
    let (backup, source) = (program.file("backup"), program.write("players.jsonl", PLAYER));
    let report = program.json(&["backup", text(&backup)]);
    assert_eq!(report["files"].as_array().unwrap().len(), 3, "{report}");
    assert_eq!(report["folders"][0]["files"], 1, "{report}");
    program.succeed(&["data", "import", "wcl", "players", text(&source)]);

    let refused = program.fail(&["restore", text(&backup)]);
    assert!(refused.contains("holds data: add --force to move it aside"), "{refused}");
    let planned = program.json(&["restore", text(&backup), "--dry-run"]);
    assert_eq!(planned["dry_run"], true);
    let open = HomeFixture::open(&home);
    let refused = program.fail(&["restore", text(&backup), "--force"]);
    assert!(refused.contains("another stint process has the folder"), "{refused}");
    drop(open);

    // The state that a killed restore leaves.
    let left = program.file("home.restoring");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("keys.db"), "half of it").unwrap();
    let report = program.json(&["restore", text(&backup), "--force"]);
    let aside = Path::new(report["aside"].as_str().unwrap());
    assert!(!left.exists() && aside.join("warcraftlogs.db").is_file());
    assert_eq!(program.run(&["data", "export", "wcl", "players", "-"]).stdout, "");
    assert_eq!(discovered(&program), DISCOVERED);
    assert_eq!(fs::read(home.join("poe-pages/pc/1-2-3")).unwrap(), b"a page");
    let keys = program.json(&["wcl", "keys"]);
    let states: Vec<&Value> = keys["keys"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["stale", "stale"], "nothing is spent before the counters are read");
    assert_eq!(program.json(&["check"])["damaged"], 0);

    // The players that were fetched since are imported from the old folder.
    let players = program.file("taken.jsonl");
    output(stint(aside).args(["data", "export", "wcl", "players", text(&players)]));
    program.succeed(&["data", "import", "wcl", "players", text(&players)]);
    assert_eq!(program.run(&["data", "export", "wcl", "players", "-"]).stdout.trim(), PLAYER);
}

#[test]
fn an_incomplete_backup_is_refused_and_none_is_overwritten() {
    let program = filled();
    let backup = program.file("backup");
    let inside = program.fail(&["backup", text(&program.home().join("backup"))]);
    assert!(inside.contains("is inside STINT_HOME"), "{inside}");
    program.succeed(&["backup", text(&backup)]);
    let again = program.fail(&["backup", text(&backup)]);
    assert!(again.contains("has a backup already"), "{again}");

    let copy = backup.join("queues.db");
    flip(&copy, 5_000);
    let damaged = program.fail(&["restore", text(&backup), "--force"]);
    assert!(damaged.contains("queues.db is not the file that was backed up"), "{damaged}");
    flip(&copy, 5_000);
    program.succeed(&["restore", text(&backup), "--dry-run"]);
    let list = fs::read_to_string(backup.join("stint-backup.json")).unwrap();
    for (from, to, expected) in [
        ("\"format\": 1", "\"format\": 2", "in format 2, and this version reads format 1"),
        ("\"keys.db\"", "\"../keys.db\"", "names '../keys.db', which is not the name of a file"),
        ("\"schema\": 3", "\"schema\": 99", "which is newer than this version"),
    ] {
        fs::write(backup.join("stint-backup.json"), list.replacen(from, to, 1)).unwrap();
        let error = program.fail(&["restore", text(&backup), "--force"]);
        assert!(error.contains(expected), "{error}");
    }
    // A backup that was killed has no list.
    fs::remove_file(backup.join("stint-backup.json")).unwrap();
    let unfinished = program.fail(&["restore", text(&backup), "--force"]);
    assert!(unfinished.contains("an unfinished one"), "{unfinished}");
    let not_empty = program.fail(&["backup", text(&backup)]);
    assert!(not_empty.contains("is not empty"), "{not_empty}");
    assert_eq!(discovered(&program), DISCOVERED, "nothing was changed");
}

#[test]
fn a_backup_of_a_damaged_file_fails() {
    let program = filled();
    damage(&program);
    let error = program.fail(&["backup", text(&program.file("backup"))]);
    assert!(error.contains("warcraftlogs.db is damaged (") && error.contains("stint check --repair"), "{error}");
    assert!(!program.file("backup").join("stint-backup.json").exists());
}

/// The fleet is killed after the backup, having spent points that the backup does not know of.
#[test]
fn a_restored_fleet_loses_nothing_and_overspends_nothing() {
    let upstream = upstream("300");
    let folder = tempfile::tempdir().unwrap();
    let (home, backup) = (folder.path().join("home"), folder.path().join("backup"));
    let discovered = queued(&home, &upstream);
    let mut up = fleet(&home, &upstream);
    let mut up = up.arg("up").env("STINT_LOG", "debug").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut log = BufReader::new(up.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut fetched = |batches: usize| {
        let fetched = log.by_ref().filter(|line| line.contains("rank-fetcher is done")).take(batches);
        assert_eq!(fetched.count(), batches);
    };
    fetched(3);
    output(stint(&home).arg("backup").arg(&backup));
    fetched(6);
    up.kill().unwrap();
    up.wait().unwrap();
    output(stint(&home).arg("restore").arg(&backup).arg("--force"));
    output(fleet(&home, &upstream).args(["up", "--until-drained"]));

    let (ranked, dropped) = (ids(&home, "players"), ids(&home, "dropped"));
    let lost: Vec<&u64> = discovered.iter().filter(|id| !ranked.contains(id) && !dropped.contains(id)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "lost players");
    let counters: Value = upstream.counters();
    assert_eq!(
        (counters["overspent"].as_f64(), counters["refused_calls"].as_u64()),
        (Some(0.0), Some(0)),
        "{counters}"
    );
}
