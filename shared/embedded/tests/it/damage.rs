//! Rows that make no sense: a key whose record cannot be decoded grants nothing until it is read again.

use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use stint_core::ledger::KeyState;
use stint_core::points::Points;
use stint_core::ports::KeyPool;
use stint_embedded::rusqlite::Connection;
use stint_embedded::{Embedded, Mode, SqliteKeyPool};

use crate::{LEDGER, clock, key, read_key, reserve};

fn pool(home: &Path) -> Arc<SqliteKeyPool> {
    Embedded::open(home, Mode::Shared, Arc::new(clock())).unwrap().key_pool(LEDGER).unwrap()
}

/// Returns a pool with one key and one hold of 10 points. Another connection has then damaged the file with `statement`
/// and raised the revision.
async fn damaged(home: &Path, statement: &str) -> Arc<SqliteKeyPool> {
    let pool = pool(home);
    pool.configure(&[key()]).await.unwrap();
    read_key(&*pool, 100).await;
    reserve(&*pool, 10).await.unwrap();
    let file = Connection::open(home.join("keys.db")).unwrap();
    file.execute_batch(statement).unwrap();
    file.execute_batch("UPDATE ledger SET revision = revision + 1").unwrap();
    pool
}

#[test]
fn an_unreadable_account_is_closed_until_it_is_read() {
    let home = tempfile::tempdir().unwrap();
    block_on(async {
        let pool = damaged(home.path(), "UPDATE accounts SET record = '{\"limit\": \"much\"}'").await;
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.state, status.held), (KeyState::Stale, Points::whole(10)));
        assert!(reserve(&*pool, 1).await.is_none());
        read_key(&*pool, 100).await;
        let grant = reserve(&*pool, 90).await.unwrap();
        assert!(grant.hold.sequence > 1_000_000, "a number that the lost record cannot have used");
        assert!(reserve(&*pool, 1).await.is_none(), "the hold is still there");
    });
}

#[test]
fn an_unreadable_hold_closes_its_key_until_it_is_read() {
    for damage in ["'[[2,-10,0,null]]'", "'[[2,10'", "'[[999,10,0,null]]'", "'{}'", "holds || ']'"] {
        let home = tempfile::tempdir().unwrap();
        block_on(async {
            let pool = damaged(home.path(), &format!("UPDATE hold_groups SET holds = {damage}")).await;
            assert_eq!(pool.keys().await.unwrap()[0].state, KeyState::Stale, "{damage}");
            assert!(reserve(&*pool, 1).await.is_none());
            read_key(&*pool, 100).await;
            assert!(reserve(&*pool, 1).await.is_some());
        });
    }
}

#[test]
fn an_unreadable_window_is_left_out() {
    let home = tempfile::tempdir().unwrap();
    block_on(async {
        let pool = damaged(home.path(), "INSERT INTO windows VALUES (1, 1, 'nonsense')").await;
        assert_eq!(pool.windows(&key(), 10).await.unwrap(), []);
        assert_eq!(pool.keys().await.unwrap()[0].state, KeyState::Open);
    });
}

#[test]
fn a_file_changed_by_another_connection_is_loaded_again() {
    let home = tempfile::tempdir().unwrap();
    block_on(async {
        let pool = damaged(home.path(), "DELETE FROM hold_groups").await;
        assert_eq!(pool.keys().await.unwrap()[0].held, Points::ZERO);
        assert!(reserve(&*pool, 100).await.is_some());
    });
}
