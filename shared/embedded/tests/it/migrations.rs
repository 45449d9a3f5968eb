//! Files of other versions.

use futures::executor::block_on;
use stint_core::ports::PortError;
use stint_embedded::{Database, Mode};

const FIRST: &[&str] = &["CREATE TABLE names (name TEXT) STRICT"];
const SECOND: &[&str] = &[
    "CREATE TABLE names (name TEXT) STRICT",
    "ALTER TABLE names ADD COLUMN born INTEGER; CREATE INDEX names_by_birth ON names (born)",
];
const BROKEN: &[&str] = &[
    "CREATE TABLE names (name TEXT) STRICT",
    "ALTER TABLE names ADD COLUMN born INTEGER; CREATE TABLE names (name TEXT)",
];

#[test]
fn an_old_file_is_upgraded_and_keeps_what_is_in_it() {
    let home = tempfile::tempdir().unwrap();
    for (file, mode) in [("shared.db", Mode::Shared), ("inline.db", Mode::Inline)] {
        let path = home.path().join(file);
        let old = Database::open(&path, FIRST, mode).unwrap();
        block_on(old.write("write a name", |connection| connection.execute("INSERT INTO names VALUES ('Ann')", [])))
            .unwrap();
        drop(old);
        let new = Database::open(&path, SECOND, mode).unwrap();
        let name = new.read("read a name", |connection| {
            connection.query_row("SELECT name, born FROM names", [], |row| Ok((row.get(0)?, row.get(1)?)))
        });
        assert_eq!(block_on(name).unwrap(), ("Ann".to_owned(), None::<i64>));
    }
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("names.db");
    drop(Database::open(&path, SECOND, Mode::Shared).unwrap());
    let refused = Database::open(&path, FIRST, Mode::Shared).err().unwrap();
    assert!(matches!(refused, PortError::Invalid(_)));
    let text = refused.to_string();
    assert!(text.contains("newer version of stint (its schema is number 2, this version knows 1)"), "{text}");
    assert!(Database::open(&path, SECOND, Mode::Shared).is_ok());
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("names.db");
    drop(Database::open(&path, FIRST, Mode::Shared).unwrap());
    assert!(Database::open(&path, BROKEN, Mode::Shared).is_err());
    assert!(Database::open(&path, FIRST, Mode::Shared).is_ok());
    assert!(Database::open(&path, SECOND, Mode::Shared).is_ok());
}
