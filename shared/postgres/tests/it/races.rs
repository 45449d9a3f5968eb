//! Transactions in each other's way.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{join, join_all};
use stint_postgres::testing::run;
use stint_postgres::{Isolation, Write};
use tokio::sync::Barrier;

use crate::{number, numbers, postgres};

#[test]
fn two_that_wait_for_each_other_both_succeed() {
    run(async |database| {
        numbers(&database, &[1, 2]).await;
        let (postgres, barrier, runs) = (postgres(&database), Barrier::new(2), AtomicUsize::new(0));
        let (barrier, runs) = (&barrier, &runs);
        let add = async |first: i32, second: i32| {
            let write = Write::once("add to both");
            postgres
                .transaction(write, |tx| {
                    Box::pin(async move {
                        let sql = "UPDATE numbers SET number = number + 1 WHERE id = $1";
                        tx.execute(sql, &[&first]).await?;
                        if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                            barrier.wait().await;
                        }
                        tx.execute(sql, &[&second]).await
                    })
                })
                .await
        };
        let (one, other) = join(add(1, 2), add(2, 1)).await;
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
        assert_eq!((number(&database, 1).await, number(&database, 2).await), (2, 2));
        assert!(runs.load(Ordering::SeqCst) > 2, "there was no deadlock");
    });
}

#[test]
fn serializable_transactions_lose_no_addition() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let postgres = postgres(&database);
        let add = || async {
            let write = Write::once("add").isolation(Isolation::Serializable);
            postgres
                .transaction(write, |tx| {
                    Box::pin(async move {
                        let number: i32 = tx.query("SELECT number FROM numbers", &[]).await?[0].get(0);
                        tx.execute("UPDATE numbers SET number = $1", &[&(number + 1)]).await
                    })
                })
                .await
        };
        for result in join_all((0..20).map(|_| add())).await {
            result.unwrap();
        }
        assert_eq!(number(&database, 1).await, 20);
    });
}
