//! A commit whose answer is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use stint_core::ports::PortError;
use stint_postgres::testing::{TestDatabase, run};
use stint_postgres::{Failure, Write};

use crate::proxy::{Loss, Proxy};
use crate::{number, numbers, open};

/// Adds 1 through a proxy that loses one commit. Returns the result and how often the work ran.
async fn add(database: &TestDatabase, write: Write<'_>, loss: Loss) -> (Result<u64, Failure>, usize) {
    numbers(database, &[1]).await;
    let proxy = Proxy::start(&database.settings(), loss, 1).await;
    let (postgres, runs) = (open(&proxy.settings(&database.settings())), AtomicUsize::new(0));
    let result = postgres.transaction(write, |tx| {
        runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { tx.execute("UPDATE numbers SET number = number + 1", &[]).await })
    });
    let result = result.await;
    assert_eq!(proxy.left(), 0);
    (result, runs.into_inner())
}

#[test]
fn a_write_that_must_not_run_twice_is_not_repeated() {
    run(async |database| {
        let (result, runs) = add(&database, Write::once("add"), Loss::Answer).await;
        let failure = result.unwrap_err();
        assert!(failure.is_outcome_unknown(), "{failure}");
        let text = PortError::from(failure).to_string();
        assert!(text.starts_with("could not add (PostgreSQL): the outcome is unknown"), "{text}");
        assert_eq!((runs, number(&database, 1).await), (1, 1));
    });
}

#[test]
fn nor_if_the_commit_did_not_arrive_since_that_looks_the_same() {
    run(async |database| {
        let (result, runs) = add(&database, Write::once("add"), Loss::Request).await;
        assert!(result.unwrap_err().is_outcome_unknown());
        assert_eq!((runs, number(&database, 1).await), (1, 0));
    });
}

#[test]
fn an_idempotent_write_is_repeated() {
    run(async |database| {
        // It is not, and so the number shows that it ran twice.
        let (result, runs) = add(&database, Write::idempotent("add"), Loss::Answer).await;
        assert_eq!((result.unwrap(), runs, number(&database, 1).await), (1, 2, 2));
    });
}
