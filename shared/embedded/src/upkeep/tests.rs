//! Repairs that are killed between any two steps: each runs in a process of its own, which exits at one kill point after the
//! other.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use stint_testkit::kill_points::{Ended, run_until, variable};
use tempfile::TempDir;

use super::{CheckDepth, FileSpec, RepairKind, RepairReport, RowRule, check, repair};

/// The variable by which a test tells its child the file.
const FILE: &str = "STINT_TEST_FILE";

const STAMP: &str = "20261130T100000Z";

const NOTES: u32 = 2_000;

const SPEC: FileSpec = FileSpec {
    name: "notes.db",
    migrations: &["CREATE TABLE books (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
          CREATE TABLE notes (id INTEGER PRIMARY KEY, book INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
          CREATE INDEX notes_by_text ON notes (text);"],
    rows: &[RowRule::References { table: "notes", column: "book", to: "books", key: "id" }],
};

/// A file in a folder of its own.
fn filled() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(SPEC.name);
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    SPEC.migrations.iter().for_each(|migration| connection.execute_batch(migration).unwrap());
    connection.pragma_update(None, "user_version", SPEC.migrations.len() as i64).unwrap();
    let fill = format!(
        "INSERT INTO books VALUES (1, 'first');
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {NOTES})
         INSERT INTO notes SELECT n, 1, 'note number ' || n FROM numbers;"
    );
    connection.execute_batch(&fill).unwrap();
    (folder, file)
}

/// Notes that belong to no book.
fn with_stray_rows() -> (TempDir, PathBuf) {
    let (folder, file) = filled();
    let stray = "INSERT INTO notes VALUES (9001, 7, 'stray'), (9002, 8, 'stray too')";
    Connection::open(&file).unwrap().execute_batch(stray).unwrap();
    (folder, file)
}

/// A page of notes that cannot be read.
fn with_a_damaged_page() -> (TempDir, PathBuf) {
    let (folder, file) = filled();
    let connection = Connection::open(&file).unwrap();
    let leaf = "SELECT pageno FROM dbstat WHERE name = 'notes' AND pagetype = 'leaf' LIMIT 1 OFFSET 3";
    let page: i64 = connection.query_row(leaf, [], |row| row.get(0)).unwrap();
    drop(connection);
    let mut bytes = fs::read(&file).unwrap();
    bytes[(page as usize - 1) * 4_096] ^= 0xff;
    fs::write(&file, bytes).unwrap();
    (folder, file)
}

fn repair_now(file: &Path) -> Option<RepairReport> {
    let found = check(file, Some(&SPEC), CheckDepth::Full).unwrap().findings;
    (!found.is_empty()).then(|| repair(file, Some(&SPEC), &found, STAMP).unwrap())
}

fn notes(file: &Path) -> Vec<(i64, String)> {
    let connection = Connection::open(file).unwrap();
    let mut select = connection.prepare("SELECT id, text FROM notes ORDER BY id").unwrap();
    let notes = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    notes.collect::<Result<_, _>>().unwrap()
}

/// Runs in a process of its own, which the tests below start; does nothing elsewhere.
#[test]
fn repair_a_file() {
    if let Some(file) = variable(FILE) {
        repair_now(Path::new(&file)).unwrap();
    }
}

/// Kills the repair of a file at each kill point in turn, and repairs it again. Nothing more is lost than by one repair.
fn survives_kills(damaged: impl Fn() -> (TempDir, PathBuf), kind: RepairKind) {
    let (_folder, file) = damaged();
    let repaired = repair_now(&file).unwrap();
    assert_eq!((repaired.kind, &repaired.left[..]), (kind, &[][..]));
    let (kept, copied) = (notes(&file), fs::read(repaired.copy.unwrap()).unwrap());
    let child = format!("{}::repair_a_file", module_path!().split_once("::").unwrap().1);
    for at in 1.. {
        let (folder, file) = damaged();
        let ended = run_until(&child, at, [(FILE, &file)]);
        if let Some(again) = repair_now(&file) {
            assert_eq!((again.kind, &again.left[..]), (kind, &[][..]), "kill {at}");
        }
        assert_eq!(notes(&file), kept, "kill {at}");
        let copy = folder.path().join(format!("{}.before-repair-{STAMP}", SPEC.name));
        assert_eq!(fs::read(copy).unwrap(), copied, "kill {at}: the copy of the damaged file");
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".repaired")).collect();
        // A copy that took the place is done; one that did not is removed by the next repair.
        assert_eq!(left.len(), 0, "kill {at} left {left:?}");
        if ended == Ended::Passed {
            assert!(at > 6, "{} kill points", at - 1);
            return;
        }
    }
}

#[test]
fn a_repair_in_place_that_was_killed_can_be_done_again() {
    survives_kills(with_stray_rows, RepairKind::InPlace);
}

#[test]
fn a_file_that_was_being_rebuilt_when_it_was_killed_is_rebuilt_again() {
    survives_kills(with_a_damaged_page, RepairKind::Rebuilt);
}
