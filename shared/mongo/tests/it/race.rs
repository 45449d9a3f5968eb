//! Concurrent callers with connections and ledgers of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use stint_core::clock::Clock;
use stint_core::ledger::CallEnd;
use stint_core::points::Points;
use stint_core::ports::{KeyPool, Parked};
use stint_mongo::MongoKeyPool;
use stint_mongo::testing::{TestDatabase, race_on_each_server};

use crate::clock::FrozenClock;
use crate::{LEDGER, WINDOW, key, open, pool, reserve};

/// Returns pools on one database, each as a separate process would have it.
async fn handles(database: &TestDatabase, count: usize) -> Vec<Arc<MongoKeyPool>> {
    join_all((0..count).map(|_| async { Arc::new(open(&database.connect().await).await) })).await
}

#[test]
fn many_processes_never_hold_the_same_points() {
    race_on_each_server(async |database| {
        let pool = pool(&database, 1_000).await;
        let handles = handles(&database, 8).await;
        let reservers = (0..200).map(|number| {
            let pool = handles[number % handles.len()].clone();
            tokio::spawn(async move {
                let mut held = Vec::new();
                while let Some(grant) = reserve(&*pool, 7).await {
                    held.push(grant.hold);
                }
                held
            })
        });
        let held: Vec<_> = join_all(reservers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(held.len(), 142);
        assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), 142, "two holds have one name");
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.held, status.in_flight), (Points::whole(994), 142));
    });
}

#[test]
fn many_processes_that_settle_all_holds_leave_none() {
    race_on_each_server(async |database| {
        let pool = pool(&database, 100).await;
        let handles = handles(&database, 4).await;
        let spenders = (0..40).map(|number| {
            let pool = handles[number % handles.len()].clone();
            tokio::spawn(async move {
                let mut granted = 0;
                for _ in 0..10 {
                    let Some(grant) = reserve(&*pool, 10).await else { continue };
                    granted += 1;
                    let status = pool.keys().await.unwrap().remove(0);
                    assert!(status.held <= Points::whole(100), "{} are held of 100", status.held);
                    pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
                }
                granted
            })
        });
        let granted: u32 = join_all(spenders).await.into_iter().map(Result::unwrap).sum();
        assert!(granted >= 10, "{granted} were granted");
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.held, status.free), (Points::ZERO, Points::whole(100)));
    });
}

#[test]
fn one_of_many_may_read_a_key() {
    race_on_each_server(async |database| {
        open(&database.connect().await).await.configure(&[key()]).await.unwrap();
        let handles = handles(&database, 8).await;
        let claims = join_all(handles.iter().map(|pool| pool.claim_reading(Points::ZERO, WINDOW))).await;
        assert_eq!(claims.into_iter().filter_map(Result::unwrap).count(), 1);
    });
}

#[test]
fn parked_messages_are_claimed_by_one_of_many() {
    race_on_each_server(async |database| {
        let handles = handles(&database, 8).await;
        let parked_at = FrozenClock::new().now();
        let message =
            |number: u32| Parked { id: number.to_string(), queue: "work".into(), body: "later".into(), parked_at };
        handles[0].park(&(0..100).map(message).collect::<Vec<_>>()).await.unwrap();
        let claimers = handles.into_iter().map(|pool| {
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let some = pool.claim_parked("work", 7, WINDOW).await.unwrap();
                    if some.is_empty() {
                        return claimed;
                    }
                    claimed.extend(some.into_iter().map(|message| message.id));
                }
            })
        });
        let claimed: Vec<String> = join_all(claimers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(claimed.len(), 100);
        assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 100, "a message was claimed twice");
    });
}

#[test]
fn a_pool_that_is_opened_by_many_at_once_has_each_key_once() {
    race_on_each_server(async |database| {
        let opened = join_all((0..8).map(|_| async {
            let mongo = database.connect().await;
            let pool = MongoKeyPool::open(&mongo, LEDGER, Arc::new(FrozenClock::new())).await.unwrap();
            pool.configure(&[key()]).await.unwrap();
            pool
        }));
        assert_eq!(opened.await[0].keys().await.unwrap().len(), 1);
    });
}
