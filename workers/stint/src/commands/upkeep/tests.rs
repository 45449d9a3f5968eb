//! Backups and restores that are killed between any two steps: each runs in a process of its own, which exits at one kill
//! point after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stint_core::clock::ManualClock;
use stint_embedded::rusqlite::{Connection, params};
use stint_embedded::{Embedded, Mode};
use stint_testkit::kill_points::{Ended, run_until, variable};
use tempfile::TempDir;

use super::manifest::Manifest;
use super::{backup, file_timestamp, restore, size};
use crate::context::Context;
use crate::fleets::folders;
use crate::output::Output;

/// The variables by which a test tells its child the folders.
const HOME: &str = "STINT_TEST_HOME";
const BACKUP: &str = "STINT_TEST_BACKUP";

/// When the backup is made, and the first restore. Each later restore is a minute later.
const START: &str = "2026-11-30T10:00:00Z";

/// A folder with data, and room for a backup beside it.
struct Folders {
    around: TempDir,
}

impl Folders {
    /// A folder whose data are marked with `mark`.
    fn new(mark: &str) -> Folders {
        let folders = Folders { around: tempfile::tempdir().unwrap() };
        fill(&folders.home(), mark);
        folders
    }

    /// The same with a whole backup, after which the folder was marked anew with `mark`.
    fn with_backup(first: &str, mark: &str) -> Folders {
        let folders = Folders::new(first);
        backup::run(&backup_arguments(&folders.backup()), &context(&folders.home(), 0)).unwrap();
        fill(&folders.home(), mark);
        folders
    }

    fn home(&self) -> PathBuf {
        self.around.path().join("home")
    }

    fn backup(&self) -> PathBuf {
        self.around.path().join("backup")
    }

    /// The folders beside the home whose name has `part`.
    fn beside(&self, part: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.around.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains(part)).collect()
    }

    /// Runs a test of this file until its kill point `at`.
    fn run_until(&self, test: &str, at: u64) -> Ended {
        let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
        run_until(&name, at, [(HOME, self.home()), (BACKUP, self.backup())])
    }

    fn restore(&self, minutes: i64) {
        let arguments = restore::Arguments { dir: self.backup(), dry_run: false, force: true };
        restore::run(&arguments, &context(&self.home(), minutes)).unwrap();
    }
}

fn context(home: &Path, minutes: i64) -> Context {
    let now = START.parse::<jiff::Timestamp>().unwrap() + jiff::Span::new().minutes(minutes);
    Context { home: home.to_owned(), output: Output::new(true), clock: Arc::new(ManualClock::new(now)) }
}

fn backup_arguments(dir: &Path) -> backup::Arguments {
    backup::Arguments { dir: dir.to_owned(), without_pages: false }
}

/// Writes a marked row into each database, and a marked file into the first folder that a fleet may have.
fn fill(home: &Path, mark: &str) {
    let clock = context(home, 0).clock;
    drop(Embedded::open(home, Mode::Shared, clock).unwrap());
    for file in databases(home) {
        let connection = Connection::open(&file).unwrap();
        connection.execute_batch("CREATE TABLE IF NOT EXISTS marks (mark TEXT)").unwrap();
        connection.execute("INSERT INTO marks VALUES (?1)", params![mark]).unwrap();
    }
    let folder = home.join(folders().next().unwrap().name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(mark), mark).unwrap();
}

fn databases(home: &Path) -> Vec<PathBuf> {
    let files: Vec<PathBuf> = stint_embedded::upkeep::databases(home).unwrap();
    assert!(!files.is_empty());
    files
}

/// Returns the marks in each database, and the names of the files in the folder.
fn content(home: &Path) -> BTreeMap<String, Vec<String>> {
    let mut content = BTreeMap::new();
    for file in databases(home) {
        let connection = Connection::open(&file).unwrap();
        let mut select = connection.prepare("SELECT mark FROM marks ORDER BY rowid").unwrap();
        let marks = select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        content.insert(super::name(&file), marks);
    }
    let files = fs::read_dir(home.join(folders().next().unwrap().name)).unwrap();
    let mut files: Vec<String> = files.map(|entry| super::name(&entry.unwrap().path())).collect();
    files.sort();
    content.insert("folder".to_owned(), files);
    content
}

fn paths_from_the_parent() -> Option<(PathBuf, PathBuf)> {
    Some((variable(HOME)?.into(), variable(BACKUP)?.into()))
}

/// Runs in a process of its own, which the tests below start; does nothing elsewhere.
#[test]
fn make_a_backup() {
    if let Some((home, dir)) = paths_from_the_parent() {
        backup::run(&backup_arguments(&dir), &context(&home, 0)).unwrap();
    }
}

/// Runs in a process of its own, which the tests below start; does nothing elsewhere.
#[test]
fn restore_a_backup() {
    if let Some((home, dir)) = paths_from_the_parent() {
        restore::run(&restore::Arguments { dir, dry_run: false, force: true }, &context(&home, 1)).unwrap();
    }
}

/// Does what a test does at each kill point in turn, until the process passes. Returns how often it was killed.
fn at_each_kill_point(mut test: impl FnMut(u64) -> Ended) -> u64 {
    (1..).find(|at| test(*at) == Ended::Passed).unwrap() - 1
}

#[test]
fn lengths_and_times_are_readable() {
    assert_eq!([0, 1_023, 65_536, 3 << 29].map(size), ["0 B", "1023 B", "64.0 KiB", "1.5 GiB"]);
    assert_eq!(file_timestamp("2026-11-20T10:00:00.5Z".parse().unwrap()), "20261120T100000Z");
}

#[test]
fn an_unfinished_backup_is_recognised() {
    let mut whole = 0;
    let kills = at_each_kill_point(|at| {
        let folders = Folders::new("one");
        let before = content(&folders.home());
        let ended = folders.run_until("make_a_backup", at);
        assert_eq!(content(&folders.home()), before, "kill {at} changed the folder");
        let dir = folders.backup();
        if Manifest::read(&dir).is_ok() {
            whole += 1;
        } else {
            assert_eq!(ended, Ended::Killed);
            // The remedy that the messages name: another folder.
            fs::rename(&dir, folders.around.path().join("unfinished")).unwrap();
            backup::run(&backup_arguments(&dir), &context(&folders.home(), 1)).unwrap();
        }
        fill(&folders.home(), "two");
        folders.restore(1);
        assert_eq!(content(&folders.home()), before, "kill {at}");
        ended
    });
    assert!(kills >= 7, "{kills} kill points");
    assert_eq!(whole, 2, "after the list was written, and when nothing was killed");
}

#[test]
fn a_restore_that_was_killed_can_be_done_again_and_loses_nothing() {
    let (mut old, mut between, mut new) = (0, 0, 0);
    let kills = at_each_kill_point(|at| {
        let folders = Folders::with_backup("one", "two");
        let (home, before) = (folders.home(), content(&folders.home()));
        let ended = folders.run_until("restore_a_backup", at);
        let aside = folders.beside(".before-restore-");
        match (home.exists(), aside.is_empty()) {
            (true, true) => {
                assert_eq!(content(&home), before, "kill {at} changed the folder");
                old += 1;
            }
            (false, false) => between += 1,
            (true, false) => new += 1,
            (false, true) => panic!("kill {at} lost the folder"),
        }
        folders.restore(2);
        let marks: Vec<String> = vec!["one".into()];
        assert!(content(&home).values().all(|found| *found == marks), "kill {at}: {:?}", content(&home));
        let set_aside = folders.beside(".before-restore-");
        assert!(set_aside.iter().any(|folder| content(folder) == before), "kill {at} lost what was there before");
        assert_eq!(folders.beside(".restoring"), Vec::<PathBuf>::new(), "kill {at}");
        ended
    });
    assert!(kills >= 8 && old >= 6 && between >= 1 && new >= 1, "{kills} kills: {old} {between} {new}");
}

#[test]
fn a_restore_into_an_empty_folder_that_was_killed_can_be_done_again() {
    let kills = at_each_kill_point(|at| {
        let folders = Folders::with_backup("one", "two");
        let home = folders.home();
        fs::remove_dir_all(&home).unwrap();
        fs::create_dir(&home).unwrap();
        let ended = folders.run_until("restore_a_backup", at);
        folders.restore(2);
        let marks: Vec<String> = vec!["one".into()];
        assert!(content(&home).values().all(|found| *found == marks), "kill {at}");
        ended
    });
    assert!(kills >= 8, "{kills} kill points");
}
