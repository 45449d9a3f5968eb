//! The database: writes are all-or-nothing, share commits without affecting each other, and every commit is announced.

use std::path::Path;

use futures::executor::block_on;
use futures::future::{FutureExt, join_all};
use futures::{StreamExt, TryStreamExt};
use stint_core::ports::{PortError, PortResult};
use stint_embedded::rusqlite::{Connection, Error, params};
use stint_embedded::{Database, Mode, RowSize, rusqlite};

const TABLES: &[&str] = &["CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT"];

fn in_each_mode(test: impl Fn(&Database)) {
    let home = tempfile::tempdir().unwrap();
    test(&Database::in_memory(TABLES).unwrap());
    for (file, mode) in [("inline.db", Mode::Inline), ("shared.db", Mode::Shared)] {
        test(&Database::open(&home.path().join(file), TABLES, mode).unwrap());
    }
}

fn insert(connection: &Connection, number: i64) -> Result<(), Error> {
    connection.prepare_cached("INSERT INTO numbers (number) VALUES (?1)")?.execute([number]).map(|_| ())
}

async fn numbers(database: &Database) -> Vec<i64> {
    let read = database.read("read numbers", |connection| {
        let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number")?;
        statement.query_map([], |row| row.get(0))?.collect()
    });
    read.await.unwrap()
}

fn text(result: PortResult<()>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_was_written_is_read() {
    in_each_mode(|database| {
        block_on(async {
            database.write("write a number", |connection| insert(connection, 7)).await.unwrap();
            assert_eq!(numbers(database).await, [7]);
        });
    });
}

#[test]
fn a_row_that_no_other_try_could_write_is_invalid_and_a_fault_is_not() {
    in_each_mode(|database| {
        block_on(async {
            let write = async |number| database.write("write a number", move |it| insert(it, number)).await;
            write(7).await.unwrap();
            let twice = write(7).await.unwrap_err();
            assert!(
                matches!(&twice, PortError::Invalid(words) if words.contains("could not write a number")),
                "{twice:?}"
            );
            let none = database.write("write a number", |it| it.execute("INSERT INTO none VALUES (1)", [])).await;
            assert!(matches!(none, Err(PortError::Backend { .. })), "{none:?}");
        });
    });
}

#[test]
fn a_new_file_is_laid_out_for_its_rows_and_stays_so() {
    let home = tempfile::tempdir().unwrap();
    for (first, then, bytes) in [(RowSize::Small, RowSize::Large, 4_096), (RowSize::Large, RowSize::Small, 16_384)] {
        let path = home.path().join(format!("{bytes}.db"));
        for rows in [first, then] {
            let database = Database::open_for(rows, &path, TABLES, Mode::Shared).unwrap();
            block_on(database.write("write a number", |connection| insert(connection, 1).or(Ok(())))).unwrap();
            let read = database.read("read the size of a page", |connection| {
                connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))
            });
            assert_eq!(block_on(read).unwrap(), bytes, "{rows:?}");
        }
    }
}

#[test]
fn a_write_that_fails_leaves_nothing_and_says_what_it_was() {
    in_each_mode(|database| {
        block_on(async {
            let failed = database.write("write two numbers", |connection| {
                insert(connection, 1)?;
                insert(connection, 1)
            });
            let text = text(failed.await);
            assert!(text.starts_with("could not write two numbers (") && text.contains("UNIQUE"), "{text}");
            assert!(numbers(database).await.is_empty());
        });
    });
}

#[test]
fn a_write_that_panics_is_an_error_and_the_next_one_is_done() {
    in_each_mode(|database| {
        block_on(async {
            let panicked: PortResult<()> = database
                .write("write a number", |connection| {
                    insert(connection, 1)?;
                    panic!("out of {}", "numbers")
                })
                .await;
            assert!(text(panicked).contains("panicked: out of numbers"));
            database.write("write a number", |connection| insert(connection, 2)).await.unwrap();
            assert_eq!(numbers(database).await, [2]);
        });
    });
}

#[test]
fn a_failed_write_does_not_affect_others_in_the_same_commit() {
    in_each_mode(|database| {
        block_on(async {
            let writes = (0..200_i64).map(|number| {
                database.write("write a number", move |connection| {
                    insert(connection, number)?;
                    match number % 10 {
                        3 => insert(connection, number),
                        7 => panic!("seven"),
                        _ => Ok(()),
                    }
                })
            });
            for (number, result) in join_all(writes).await.into_iter().enumerate() {
                assert_eq!(result.is_ok(), !matches!(number % 10, 3 | 7), "{number}");
            }
            assert_eq!(numbers(database).await.len(), 160);
        });
    });
}

/// A killed process loses nothing that the kernel has, so only the setting shows that a power cut is survived too.
#[test]
fn a_shared_database_syncs_each_commit() {
    let home = tempfile::tempdir().unwrap();
    let setting = |mode, name: &'static str| {
        let database = Database::open(&home.path().join("settings.db"), TABLES, mode).unwrap();
        let ask = database.write("read a setting", move |connection| {
            connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
        });
        block_on(ask).unwrap()
    };
    assert_eq!(setting(Mode::Shared, "synchronous"), 2.into());
    assert_eq!(setting(Mode::Shared, "journal_mode"), "wal".to_owned().into());
    assert_eq!(setting(Mode::Shared, "foreign_keys"), 1.into());
    assert_eq!(setting(Mode::Inline, "synchronous"), 0.into());
}

#[test]
fn a_reader_cannot_write() {
    let home = tempfile::tempdir().unwrap();
    let database = Database::open(&home.path().join("shared.db"), TABLES, Mode::Shared).unwrap();
    block_on(async {
        assert!(database.read("write a number", |connection| insert(connection, 1)).await.is_err());
        assert!(numbers(&database).await.is_empty());
    });
}

#[test]
fn a_commit_is_announced_and_an_empty_one_is_not() {
    in_each_mode(|database| {
        block_on(async {
            let mut changed = database.changed();
            database.write("write nothing", |_| Ok(())).await.unwrap();
            assert!((&mut changed).now_or_never().is_none());
            database.write("write a number", |connection| insert(connection, 1)).await.unwrap();
            changed.await;
            assert!(database.changed().now_or_never().is_none());
        });
    });
}

#[test]
fn a_table_is_read_page_by_page() {
    in_each_mode(|database| {
        block_on(async {
            let fill = |connection: &Connection| (0..25).try_for_each(|number| insert(connection, number));
            database.write("write numbers", fill).await.unwrap();
            let pages = database.pages("read a page of numbers", -1_i64, |connection, after| {
                let mut statement = connection
                    .prepare_cached("SELECT number FROM numbers WHERE number > ?1 ORDER BY number LIMIT 10")?;
                let page: Vec<i64> =
                    statement.query_map(params![after], |row| row.get(0))?.collect::<Result<_, Error>>()?;
                let next = page.last().copied();
                Ok((page, next))
            });
            let pages: Vec<Vec<i64>> = pages.try_collect().await.unwrap();
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5, 0]);
            assert_eq!(pages.concat(), (0..25).collect::<Vec<i64>>());
            let broken = database.pages("read a page", 0, |_, _| Err::<(Vec<i64>, _), _>(Error::InvalidQuery));
            assert_eq!(broken.collect::<Vec<_>>().await.len(), 1);
        });
    });
}

#[test]
fn closing_waits_for_what_was_submitted() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("shared.db");
    let database = Database::open(&path, TABLES, Mode::Shared).unwrap();
    for number in 0..100 {
        // Polled once and dropped: no caller waits for the result.
        let _ = database.write("write a number", move |connection| insert(connection, number)).now_or_never();
    }
    drop(database);
    let database = Database::open(&path, TABLES, Mode::Shared).unwrap();
    assert_eq!(block_on(numbers(&database)).len(), 100);
}

#[test]
fn a_file_that_cannot_be_opened_is_explained() {
    let home = tempfile::tempdir().unwrap();
    let explain = |path: &Path| Database::open(path, TABLES, Mode::Shared).err().unwrap().to_string();
    let nowhere = explain(&home.path().join("missing").join("queues.db"));
    assert!(nowhere.contains("the folder must exist"), "{nowhere}");
    let letter = home.path().join("letter.db");
    std::fs::write(&letter, "Dear Sir or Madam, ".repeat(1_000)).unwrap();
    let letter = explain(&letter);
    assert!(letter.contains("letter.db: file is not a database: this is not a database file"), "{letter}");
}
