//! Files of released versions: their tables exactly as they were then.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use stint_core::circuit::Circuit;
use stint_core::ledger::{Account, CallEnd, HoldId, KeyState};
use stint_core::points::Points;
use stint_core::ports::{
    Breakers, Concurrency, Firing, KeyPool, Queue, QueueSettings, Throttle, Wakeup, WakeupSource, Wakeups,
};
use stint_core::worker::WorkerId;
use stint_embedded::rusqlite::{Connection, params};
use stint_embedded::{Embedded, Mode};

use crate::{LEDGER, WINDOW, clock, key, read_key, reserve};

/// `keys.db` of schema 1, without the tables that have not changed since.
const KEYS_1: &str = "
    PRAGMA user_version = 1;
    CREATE TABLE ledger (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT;
    INSERT INTO ledger (id, revision) VALUES (1, 7);
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
    CREATE TABLE holds (
        account INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        amount INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended INTEGER,
        PRIMARY KEY (account, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE parked (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        parked_at INTEGER NOT NULL,
        lent_until INTEGER,
        body TEXT NOT NULL,
        UNIQUE (queue, id)
    ) STRICT;
    CREATE INDEX parked_by_age ON parked (queue, parked_at);
";

/// Writes a file with one key: 100 points, none spent, and these holds.
fn write_keys_1(home: &Path, holds: &[(i64, i64, Option<i64>)]) {
    let file = Connection::open(home.join("keys.db")).unwrap();
    file.execute_batch(KEYS_1).unwrap();
    let now = stint_core::clock::Clock::now(&clock());
    let reset_at = stint_core::clock::after(now, WINDOW);
    let account = Account { limit: Some(Points::whole(100)), reset_at, window: 1, sequence: 40, ..Account::unread() };
    let record = serde_json::to_string(&account).unwrap();
    file.execute("INSERT INTO accounts VALUES (3, ?1, ?2)", [&key().0, &record]).unwrap();
    let expires_at = stint_core::clock::to_millis(now) + 30_000;
    for (sequence, amount, ended) in holds {
        file.execute("INSERT INTO holds VALUES (3, ?1, ?2, ?3, ?4)", params![sequence, amount, expires_at, ended])
            .unwrap();
    }
}

#[test]
fn holds_of_schema_1_are_still_held_and_can_be_settled() {
    let home = tempfile::tempdir().unwrap();
    write_keys_1(home.path(), &[(2, 10_000_000, None), (15, 20_000_000, Some(17)), (16, 30_000_000, None)]);
    block_on(async {
        let pool = Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).unwrap().key_pool(LEDGER).unwrap();
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.state, status.in_flight), (KeyState::Open, 2));
        assert_eq!((status.held, status.unconfirmed), (Points::whole(60), Points::whole(20)));
        pool.settle(&HoldId { key: key(), sequence: 16 }, CallEnd::NotBilled).await.unwrap();
        assert!(reserve(&*pool, 71).await.is_none() && reserve(&*pool, 70).await.is_some());
    });
}

#[test]
fn an_unreadable_hold_of_schema_1_closes_its_key() {
    let home = tempfile::tempdir().unwrap();
    write_keys_1(home.path(), &[(2, 10_000_000, None), (3, -1, None)]);
    block_on(async {
        let pool = Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).unwrap().key_pool(LEDGER).unwrap();
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.state, status.held), (KeyState::Stale, Points::whole(10)));
        read_key(&*pool, 100).await;
        assert!(reserve(&*pool, 90).await.is_some());
    });
}

/// `queues.db` of schema 1, without the tables that have not changed since.
const QUEUES_1: &str = "
    PRAGMA user_version = 1;
    CREATE TABLE throttles (
        worker TEXT PRIMARY KEY,
        concurrency INTEGER,
        paused INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    INSERT INTO throttles VALUES ('rank-fetcher', 8, 0);
    CREATE TABLE wakeups (
        name TEXT PRIMARY KEY,
        worker TEXT NOT NULL,
        at INTEGER NOT NULL,
        period INTEGER,
        lent_until INTEGER
    ) STRICT, WITHOUT ROWID;
";

#[test]
fn a_folder_of_schema_1_has_breakers_and_keeps_what_it_had() {
    let home = tempfile::tempdir().unwrap();
    Connection::open(home.path().join("queues.db")).unwrap().execute_batch(QUEUES_1).unwrap();
    block_on(async {
        let embedded = Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).unwrap();
        assert_eq!(
            embedded.throttle().read(&WorkerId::new("warcraftlogs", "rank-fetcher")).await.unwrap().limit,
            Some(8)
        );
        let circuit = Circuit { probes: 3, ..Circuit::default() };
        assert!(embedded.breakers().replace("api", 0, &circuit).await.unwrap());
        assert_eq!(embedded.breakers().load("api").await.unwrap(), (1, circuit));
    });
}

/// The tables of schema 4 of `queues.db` whose rows are read below. Throttles and wake-ups named a worker without its fleet.
const QUEUES_4: &str = "
    PRAGMA user_version = 4;
    CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        lent INTEGER NOT NULL DEFAULT 0,
        loan INTEGER NOT NULL DEFAULT 0,
        receives INTEGER NOT NULL DEFAULT 0,
        sent_at INTEGER NOT NULL,
        last_error TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_visibility ON messages (queue, visible_at);
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        loan INTEGER NOT NULL,
        receives INTEGER NOT NULL,
        sent_at INTEGER NOT NULL,
        died_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE wakeups (
        name TEXT PRIMARY KEY,
        worker TEXT NOT NULL,
        at INTEGER NOT NULL,
        period INTEGER,
        lent_until INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE throttles (
        worker TEXT PRIMARY KEY,
        concurrency INTEGER,
        paused INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), latest INTEGER NOT NULL) STRICT;
    INSERT INTO clock (id, latest) VALUES (1, 0);
    INSERT INTO queues VALUES (1, 'work');
    INSERT INTO messages (queue, visible_at, sent_at, body) VALUES (1, 0, 0, 'body');
    INSERT INTO throttles VALUES ('rank-fetcher', 8, 0), ('discover', NULL, 1), ('follower', 2, 1);
";

#[test]
fn a_folder_of_schema_4_keeps_its_throttles_and_wakeups_and_knows_whose_they_are() {
    let home = tempfile::tempdir().unwrap();
    let clock = clock();
    let now = stint_core::clock::Clock::now(&clock);
    let (due, minute) = (stint_core::clock::to_millis(now), Duration::from_secs(60));
    let file = Connection::open(home.path().join("queues.db")).unwrap();
    file.execute_batch(QUEUES_4).unwrap();
    let insert = "INSERT INTO wakeups (name, worker, at, period, lent_until) VALUES (?1, ?2, ?3, ?4, ?5)";
    for (name, worker, at, period, lent_until) in [
        ("revive-rank-fetcher", "reviver", due, None, None),
        ("schedule-discover", "discover", due + 60_000, Some(1_800_000), None),
        ("schedule-watcher", "watcher", due, Some(120_000), Some(due + 60_000)),
    ] {
        file.execute(insert, params![name, worker, at, period, lent_until]).unwrap();
    }
    drop(file);
    let wcl = |name: &str| WorkerId::read("warcraftlogs", name);
    let poe = |name: &str| WorkerId::read("poe-stashes", name);
    // Twice: a file is changed once.
    for _ in 0..2 {
        let embedded = Embedded::open(home.path(), Mode::Shared, Arc::new(clock.clone())).unwrap();
        block_on(async {
            for (worker, limit, paused) in
                [(wcl("rank-fetcher"), Some(8), false), (wcl("discover"), None, true), (poe("follower"), Some(2), true)]
            {
                assert_eq!(embedded.throttle().read(&worker).await.unwrap(), Concurrency { limit, paused }, "{worker}");
            }
            let elsewhere = embedded.throttle().read(&WorkerId::new("other", "follower")).await.unwrap();
            assert_eq!(elsewhere, Concurrency { limit: None, paused: false });
            let wakeup = |name: &str, worker, at, period: Option<u64>| Wakeup {
                name: name.into(),
                worker,
                at,
                period: period.map(Duration::from_secs),
            };
            let expected = [
                wakeup("revive-rank-fetcher", wcl("reviver"), now, None),
                wakeup("schedule-watcher", poe("watcher"), now, Some(120)),
                wakeup("schedule-discover", wcl("discover"), stint_core::clock::after(now, minute), Some(1_800)),
            ];
            assert_eq!(embedded.wakeups().list().await.unwrap(), expected);
            let settings = QueueSettings { visibility_timeout: minute, max_receives: 3 };
            assert_eq!(embedded.queue("work", settings).counts().await.unwrap().visible, 1);
        });
    }
    let wakeups = Embedded::open(home.path(), Mode::Shared, Arc::new(clock.clone())).unwrap().wakeups();
    block_on(async {
        let fired = wakeups.claim_due(&[(wcl("reviver"), minute), (poe("watcher"), minute)]).await.unwrap();
        let expected = Firing { name: "revive-rank-fetcher".into(), worker: wcl("reviver"), due: now };
        assert_eq!(fired, [expected], "the other one is still leased to the process of before");
    });
}

/// A process of the earlier version may still run when the first of this one opens the folder: a service that is replaced
/// while it drains. What it writes must fail, since it could not say whose the row is, and it may read its own rows.
#[test]
fn a_process_of_schema_4_reads_on_and_its_writes_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let earlier = Connection::open(home.path().join("queues.db")).unwrap();
    earlier.pragma_update(None, "journal_mode", "wal").unwrap();
    earlier.execute_batch(QUEUES_4).unwrap();
    let (limit, paused) = (
        "INSERT INTO throttles (worker, concurrency) VALUES (?1, ?2) ON CONFLICT (worker) DO UPDATE SET concurrency = ?2",
        "INSERT INTO throttles (worker, paused) VALUES (?1, ?2) ON CONFLICT (worker) DO UPDATE SET paused = ?2",
    );
    let wakeup = "INSERT OR REPLACE INTO wakeups (name, worker, at, period) VALUES (?1, 'reviver', 0, NULL)";
    earlier.prepare_cached(limit).unwrap().execute(params!["rank-fetcher", 8]).unwrap();
    let embedded = Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).unwrap();
    let rank_fetcher = WorkerId::new("warcraftlogs", "rank-fetcher");
    for (statement, value) in [(limit, 3), (paused, 1)] {
        let refused = earlier.prepare_cached(statement).and_then(|mut it| it.execute(params!["rank-fetcher", value]));
        assert!(refused.is_err(), "{statement}");
    }
    let refused = earlier.prepare_cached(wakeup).and_then(|mut it| it.execute(["revive-rank-fetcher"]));
    assert!(refused.unwrap_err().to_string().contains("wakeups.fleet"), "without its fleet it would never fire");
    let read = "SELECT concurrency FROM throttles WHERE worker = ?1";
    assert_eq!(earlier.query_row(read, ["rank-fetcher"], |row| row.get::<_, i64>(0)).unwrap(), 8);
    let throttle = block_on(embedded.throttle().read(&rank_fetcher)).unwrap();
    assert_eq!(throttle, Concurrency { limit: Some(8), paused: false });
    assert_eq!(block_on(embedded.wakeups().list()).unwrap(), []);
}

#[test]
fn a_breaker_that_cannot_be_read_is_an_error_that_names_it() {
    let home = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).unwrap();
    let damaged = "INSERT INTO breakers VALUES ('api', 4, '{')";
    Connection::open(home.path().join("queues.db")).unwrap().execute_batch(damaged).unwrap();
    let error = block_on(embedded.breakers().load("api")).unwrap_err().to_string();
    assert!(error.starts_with("could not read the breaker of api: "), "{error}");
}

#[test]
fn messages_that_schema_1_has_parked_are_with_the_queues_and_outlive_their_file() {
    let home = tempfile::tempdir().unwrap();
    write_keys_1(home.path(), &[]);
    let file = Connection::open(home.path().join("keys.db")).unwrap();
    let now = stint_core::clock::to_millis(stint_core::clock::Clock::now(&clock()));
    for (id, lent_until) in [("1", None), ("2", Some(now + 20_000))] {
        file.execute("INSERT INTO parked VALUES ('work', ?1, ?2, ?3, 'body')", params![id, now, lent_until]).unwrap();
    }
    drop(file);
    let open = || Embedded::open(home.path(), Mode::Shared, Arc::new(clock())).unwrap().key_pool(LEDGER).unwrap();
    block_on(async {
        let pool = open();
        assert_eq!(pool.count_parked("work").await.unwrap(), 2);
        let claimed = pool.claim_parked("work", 10, WINDOW).await.unwrap();
        assert_eq!(claimed.iter().map(|parked| parked.id.as_str()).collect::<Vec<_>>(), ["1"], "a claim goes on");
        drop(pool);
        // The ledger is expendable: the upstream's counters restore it.
        for end in ["keys.db", "keys.db-wal", "keys.db-shm"] {
            let _ = std::fs::remove_file(home.path().join(end));
        }
        let pool = open();
        assert_eq!(pool.count_parked("work").await.unwrap(), 2);
        pool.configure(&[key()]).await.unwrap();
        assert!(reserve(&*pool, 1).await.is_none(), "an unread key grants nothing");
        read_key(&*pool, 100).await;
        assert!(reserve(&*pool, 100).await.is_some());
    });
}
