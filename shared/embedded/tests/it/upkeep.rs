//! Damaged files are found, reported with the remedy, and repaired with a count of what is lost. Copies of all files
//! are as of one instant.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::executor::block_on;
use stint_core::clock::{Clock, after, before};
use stint_core::ledger::KeyState;
use stint_core::points::Points;
use stint_core::ports::{KeyPool, NewMessage, Queue};
use stint_embedded::rusqlite::Connection;
use stint_embedded::upkeep::{
    CheckDepth, CheckReport, Finding, FindingKind, RepairKind, RowRule, Snapshot, TableCount, check, databases,
    had_unclean_stop, prepare_restored_files, repair, try_repair,
};
use stint_embedded::{Database, Embedded, FolderLock, Host, Mode, upkeep};
use tempfile::TempDir;

use crate::{LEDGER, SETTINGS, clock, key, read_key, reserve};

const MESSAGES: u64 = 2_000;
const PAGE: u64 = 4_096;
const STAMP: &str = "20261120T100000Z";

fn open(home: &Path) -> Embedded {
    Embedded::open(home, Mode::Shared, Arc::new(clock())).unwrap()
}

/// Returns a folder with messages, and its `queues.db`.
fn folder() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let embedded = open(home.path());
    let messages: Vec<NewMessage> = (0..MESSAGES).map(|number| NewMessage::new(format!("body {number}"))).collect();
    let queue = embedded.queue("work", SETTINGS);
    messages.chunks(10).for_each(|messages| block_on(queue.send(messages)).unwrap());
    drop(embedded.key_pool(LEDGER).unwrap());
    let file = home.path().join("queues.db");
    (home, file)
}

/// Returns the page number and the number of rows of a leaf in the middle of a tree.
fn leaf(file: &Path, tree: &str) -> (u64, u64) {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let sql = "SELECT pageno, ncell FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 3";
    let (page, rows): (i64, i64) =
        connection.query_row(sql, [tree], |row| Ok((row.get(0).unwrap(), row.get(1).unwrap()))).unwrap();
    (page as u64, rows as u64)
}

/// Flips bits of one byte.
fn flip(file: &Path, offset: u64, bits: u8) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ bits], offset).unwrap();
}

fn looked(file: &Path) -> Vec<Finding> {
    let CheckReport { findings, .. } = check(file, Some(&Embedded::FILES[1]), CheckDepth::Full).unwrap();
    findings
}

fn mended(file: &Path) -> upkeep::RepairReport {
    let findings = looked(file);
    assert!(!findings.is_empty(), "the damage is not found");
    repair(file, Some(&Embedded::FILES[1]), &findings, STAMP).unwrap()
}

fn of<'a>(tables: &'a [TableCount], name: &str) -> &'a TableCount {
    tables.iter().find(|count| count.table == name).unwrap()
}

#[test]
fn a_sound_folder_has_no_findings_and_stays_as_it_is() {
    let (home, file) = folder();
    let files = databases(home.path()).unwrap();
    assert_eq!(files, ["keys.db", "queues.db"].map(|name| home.path().join(name)));
    let before = std::fs::read(&file).unwrap();
    for (file, spec) in files.iter().zip(&Embedded::FILES) {
        assert_eq!(check(file, Some(spec), CheckDepth::Full).unwrap().findings, []);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_damaged_page_is_found_and_costs_the_rows_in_it_and_no_others() {
    let (home, file) = folder();
    let (page, rows) = leaf(&file, "messages");
    flip(&file, (page - 1) * PAGE, 0xff);
    let damaged = std::fs::read(&file).unwrap();
    let findings = looked(&file);
    assert!(findings.iter().any(|finding| finding.kind == FindingKind::Page), "{findings:?}");

    let tried = try_repair(&file, Some(&Embedded::FILES[1]), &findings).unwrap();
    assert_eq!((tried.kind, tried.copy), (RepairKind::Rebuilt, None));
    assert_eq!(std::fs::read(&file).unwrap(), damaged, "trying changes nothing");
    let expected = TableCount { table: "messages".into(), kept: MESSAGES - rows, lost: rows, exact: true };
    assert_eq!(of(&tried.tables, "messages"), &expected);

    let repaired = mended(&file);
    assert_eq!((repaired.kind, &repaired.left[..]), (RepairKind::Rebuilt, &[][..]));
    assert_eq!(repaired.tables, tried.tables);
    assert_eq!(std::fs::read(repaired.copy.unwrap()).unwrap(), damaged);
    assert_eq!(looked(&file), []);
    let queue = open(home.path()).queue("work", SETTINGS);
    assert_eq!(block_on(queue.counts()).unwrap().visible, MESSAGES - rows);
    block_on(queue.send(&[NewMessage::new("new")])).unwrap();
    let last = "SELECT max(id) FROM messages";
    let last: i64 = Connection::open(&file).unwrap().query_row(last, [], |row| row.get(0)).unwrap();
    assert_eq!(last, MESSAGES as i64 + 1, "numbers go on where they were");
}

/// The rows between two damaged pages are found, and so are those after the last.
#[test]
fn several_damaged_pages_cost_their_own_rows() {
    let (_home, file) = folder();
    let (first, _) = leaf(&file, "messages");
    let pages: Vec<(u64, u64)> = {
        let connection = Connection::open(&file).unwrap();
        let sql = "SELECT pageno, ncell FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf' ORDER BY path";
        let mut select = connection.prepare(sql).unwrap();
        let pages = select.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)));
        pages.unwrap().map(Result::unwrap).collect()
    };
    assert!(pages.len() > 12 && pages.iter().any(|(page, _)| *page == first));
    let damaged = [&pages[0], &pages[4], &pages[9], &pages[pages.len() - 1]];
    damaged.iter().for_each(|(page, _)| flip(&file, (page - 1) * PAGE, 0xff));
    let lost: u64 = damaged.iter().map(|(_, rows)| rows).sum();
    let repaired = mended(&file);
    let expected = TableCount { table: "messages".into(), kept: MESSAGES - lost, lost, exact: true };
    assert_eq!(of(&repaired.tables, "messages"), &expected);
}

#[test]
fn an_index_that_disagrees_is_rebuilt_and_nothing_is_lost() {
    let (_home, file) = folder();
    let (page, _) = leaf(&file, "messages_by_visibility");
    flip(&file, page * PAGE - 1, 0x01);
    let findings = looked(&file);
    assert!(findings.iter().all(|finding| finding.kind == FindingKind::Index) && !findings.is_empty(), "{findings:?}");
    let repaired = mended(&file);
    assert_eq!((repaired.kind, &repaired.tables[..], &repaired.left[..]), (RepairKind::InPlace, &[][..], &[][..]));
    assert_eq!(looked(&file), []);
}

#[test]
fn rows_that_belong_to_nothing_are_taken_out() {
    let (_home, file) = folder();
    let stray = "INSERT INTO messages (queue, visible_at, sent_at, body) VALUES (99, 1, 1, 'stray'), (98, 1, 1, 'too')";
    Connection::open(&file).unwrap().execute_batch(stray).unwrap();
    let findings = looked(&file);
    assert_eq!(findings[0].text, "2 rows of messages whose queue is not in queues: 1 of 98; 1 of 99");
    let tried = try_repair(&file, Some(&Embedded::FILES[1]), &findings).unwrap();
    assert_eq!(looked(&file), findings, "trying changes nothing");
    let repaired = mended(&file);
    let expected = [TableCount { table: "messages".into(), kept: MESSAGES, lost: 2, exact: true }];
    assert_eq!((repaired.kind, &repaired.tables[..]), (RepairKind::InPlace, &expected[..]));
    assert_eq!(tried.tables, expected);
    assert_eq!(looked(&file), []);
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_taken_out_where_that_loses_nothing_more() {
    const TABLE: &[&str] = &["CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT) STRICT, WITHOUT ROWID;"];
    let reads = |removable| RowRule::Decodes {
        table: "notes",
        key: "name",
        column: "text",
        read: |text| if text == "good" { Ok(()) } else { Err("it is not good".into()) },
        removable,
    };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("notes.db");
    let database = Database::open(&file, TABLE, Mode::Shared).unwrap();
    let rows = "INSERT INTO notes VALUES ('a', 'good'), ('b', 'bad'), ('c', NULL)";
    block_on(database.write("write notes", move |connection| connection.execute(rows, []))).unwrap();
    drop(database);
    for removable in [false, true] {
        let rows: &'static [RowRule] = Box::leak(Box::new([reads(removable)]));
        let spec = upkeep::FileSpec { name: "notes.db", migrations: TABLE, rows };
        let findings = check(&file, Some(&spec), CheckDepth::Full).unwrap().findings;
        assert_eq!(findings[0].text, "1 row of notes whose text cannot be read: b (it is not good)");
        let repaired = repair(&file, Some(&spec), &findings, STAMP).unwrap();
        let left = check(&file, Some(&spec), CheckDepth::Full).unwrap().findings;
        assert_eq!((left.len(), repaired.left.len()), if removable { (0, 0) } else { (1, 1) });
    }
}

/// The ledger's revision is on a page of its own.
#[test]
fn a_row_without_which_nothing_works_is_made_again() {
    let (home, _) = folder();
    let file = home.path().join("keys.db");
    let connection = Connection::open(&file).unwrap();
    let page = "SELECT pageno FROM dbstat WHERE name = 'ledger'";
    let page: i64 = connection.query_row(page, [], |row| row.get(0)).unwrap();
    drop(connection);
    flip(&file, (page as u64 - 1) * PAGE, 0xff);
    let spec = Some(&Embedded::FILES[0]);
    let findings = check(&file, spec, CheckDepth::Full).unwrap().findings;
    let repaired = repair(&file, spec, &findings, STAMP).unwrap();
    assert_eq!((repaired.kind, &repaired.left[..]), (RepairKind::Rebuilt, &[][..]));
    let pool = open(home.path()).key_pool(LEDGER).unwrap();
    block_on(async {
        pool.configure(&[key()]).await.unwrap();
        read_key(&*pool, 100).await;
        assert!(reserve(&*pool, 10).await.is_some());
    });
}

#[test]
fn a_file_without_a_header_is_reported_and_left_unchanged() {
    let (_home, file) = folder();
    flip(&file, 3, 0xff);
    let before = std::fs::read(&file).unwrap();
    let findings = looked(&file);
    assert_eq!(findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [FindingKind::Unreadable]);
    let repaired = mended(&file);
    assert_eq!((repaired.kind, repaired.left.len()), (RepairKind::Nothing, 1));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

/// Files left by a killed repair do not matter, and a log that was left is merged.
#[test]
fn a_repair_begins_anew_after_one_that_was_killed() {
    let (home, file) = folder();
    let (page, rows) = leaf(&file, "messages");
    flip(&file, (page - 1) * PAGE, 0xff);
    for left in [".queues.db.copy", ".queues.db.repaired", ".queues.db.repaired-journal"] {
        std::fs::write(home.path().join(left), "half of it").unwrap();
    }
    // A connection that never closes leaves its log, as a killed process does.
    let killed = Connection::open(&file).unwrap();
    killed.execute_batch("INSERT INTO queues (name) VALUES ('last')").unwrap();
    let log = std::fs::read(home.path().join("queues.db-wal")).unwrap();
    drop(killed);
    assert!(!log.is_empty());
    let repaired = mended(&file);
    assert_eq!(of(&repaired.tables, "messages").lost, rows);
    assert_eq!(of(&repaired.tables, "queues").kept, 2);
    let left: Vec<String> = std::fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("repaired") || name.ends_with(".copy"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn an_error_about_a_damaged_file_names_it_and_the_remedy() {
    let (home, file) = folder();
    let (page, _) = leaf(&file, "messages");
    flip(&file, (page - 1) * PAGE, 0xff);
    let embedded = open(home.path());
    let queue = embedded.queue("work", SETTINGS);
    let received = block_on(async {
        loop {
            if let Err(error) = queue.receive(10).await {
                return error.to_string();
            }
        }
    });
    for part in ["queues.db", "stint check --repair", "stint restore"] {
        assert!(received.contains(part), "{received}");
    }
    drop((queue, embedded));
    flip(&file, 3, 0xff);
    let opened = Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).err().unwrap().to_string();
    assert!(opened.contains("queues.db: file is not a database: ") && opened.contains("stint restore"), "{opened}");
}

/// Threads repeatedly hand over from one file to another. No copy contains the second step without the first.
#[test]
fn copies_are_of_one_instant() {
    const TABLE: &[&str] = &["CREATE TABLE steps (thread INTEGER, step INTEGER, PRIMARY KEY (thread, step)) STRICT;"];
    const ROUNDS: u32 = 20;
    let home = tempfile::tempdir().unwrap();
    let files = ["a.db", "b.db", "c.db"].map(|name| home.path().join(name));
    let databases = files.clone().map(|file| Database::open(&file, TABLE, Mode::Shared).unwrap());
    let done = AtomicBool::new(false);
    let highest = |file: &Path, thread: i64| {
        let highest = "SELECT ifnull(max(step), 0) FROM steps WHERE thread = ?1";
        Connection::open(file).unwrap().query_row(highest, [thread], |row| row.get::<_, i64>(0)).unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..3_i64 {
            let (databases, done) = (&databases, &done);
            scope.spawn(move || {
                for step in 1_i64.. {
                    for database in databases {
                        let insert = move |connection: &Connection| {
                            connection.execute("INSERT INTO steps VALUES (?1, ?2)", (thread, step))
                        };
                        block_on(database.write("take a step", insert)).unwrap();
                    }
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            let into = home.path().join(format!("copy {round}"));
            std::fs::create_dir(&into).unwrap();
            let snapshot = Snapshot::take(home.path()).unwrap();
            let mut told = 0;
            let copied = snapshot.copy_into(&into, &[], |_| told += 1).unwrap();
            assert!(copied.iter().all(|copy| copy.findings.is_empty()), "{copied:?}");
            for thread in 0..3 {
                let steps = ["a.db", "b.db", "c.db"].map(|name| highest(&into.join(name), thread));
                let [first, _, last] = steps;
                assert!(steps.is_sorted_by(|a, b| a >= b) && first - last <= 1, "round {round}: {steps:?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_was_spent_since_a_backup_is_not_spent_again() {
    let (home, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    block_on(async {
        let embedded = open(home.path());
        let pool = embedded.key_pool(LEDGER).unwrap();
        pool.configure(&[key()]).await.unwrap();
        read_key(&*pool, 100).await;
        reserve(&*pool, 10).await.unwrap();
        embedded.hosts().heartbeat(&Host::new(7, vec!["work".into()], clock().now()), clock().now()).await.unwrap();
        let snapshot = Snapshot::take(home.path()).unwrap();
        snapshot.copy_into(backup.path(), &Embedded::FILES, |_| ()).unwrap();
        reserve(&*pool, 90).await.unwrap();

        for _ in 0..2 {
            prepare_restored_files(backup.path()).unwrap();
        }
        let restored = open(backup.path());
        let pool = restored.key_pool(LEDGER).unwrap();
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.state, status.held), (KeyState::Stale, Points::whole(10)));
        assert!(reserve(&*pool, 1).await.is_none(), "the 90 points are gone, and nothing here knows of it");
        assert_eq!(restored.hosts().running(clock().now()).await.unwrap(), []);
        read_key(&*pool, 100).await;
        assert!(reserve(&*pool, 1).await.is_some());
    });
}

#[test]
fn a_killed_process_is_known_by_the_row_that_it_left() {
    let home = tempfile::tempdir().unwrap();
    let now = clock().now();
    assert!(!had_unclean_stop(home.path(), now).unwrap());
    let embedded = open(home.path());
    let (hosts, host) = (embedded.hosts(), Host::new(7, vec!["work".into()], now));
    block_on(hosts.heartbeat(&host, now)).unwrap();
    assert!(!had_unclean_stop(home.path(), now).unwrap(), "it may be at work");
    assert!(had_unclean_stop(home.path(), after(now, std::time::Duration::from_secs(31))).unwrap(), "it is silent");
    drop((hosts, embedded));
    assert!(
        had_unclean_stop(home.path(), before(now, std::time::Duration::from_secs(1))).unwrap(),
        "nothing runs here"
    );
    block_on(open(home.path()).hosts().remove(&host)).unwrap();
    assert!(!had_unclean_stop(home.path(), now).unwrap());
    flip(&home.path().join("queues.db"), 3, 0xff);
    assert!(had_unclean_stop(home.path(), now).unwrap(), "what cannot be read must be looked at");
    drop(FolderLock::exclusive(home.path()).unwrap());
}
